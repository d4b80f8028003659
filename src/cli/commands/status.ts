import type { LoadedSettings } from "../../config/index.ts";
import type { BackendStatus, StoreStatus } from "../../core/types.ts";
import type { Command, Row } from "../command.ts";
import { type ConsumerTotals, totalsOf } from "../consumer-totals.ts";
import { oneLine } from "../terminal.ts";

export const status: Command = {
  name: "status",
  summary: "show the store in use, its state, and where each setting came from",
  promise:
    "Prints what is, what it is and where that comes from, separated by TAB: the store and why, its facts and counts, each consumer with what is pending and its lag, then every setting with its origin. " +
    "Passwords are never shown. With --json: one object.",
  args: [],
  options: [],
  examples: [
    { about: "which store, and why", shell: "timmy-bb status | grep -c '^store'", prints: "1\n" },
    { about: "for a program", shell: 'timmy-bb status --json | grep -c \'"store":"memory"\'', prints: "1\n" },
  ],
  async run(context) {
    const board = await context.board();
    const found = await board.status();
    const consumers = (await board.consumers()).map(totalsOf);
    if (context.json) return { rows: [{ cells: [], json: jsonOf(found, consumers, context.loaded) }] };
    return { rows: [...lines(found, consumers, context.loaded)], heads: ["WHAT", "VALUE", "FROM"] };
  },
};

function* lines(
  found: BackendStatus,
  consumers: readonly ConsumerTotals[],
  loaded: LoadedSettings,
): Generator<Row> {
  yield line("store", found.store, found.why);
  for (const store of found.stores) {
    const facts = {
      place: store.place,
      latency: `${store.latencyMs.toFixed(1)}ms`,
      ...countsOf(store),
      ...store.facts,
    };
    for (const [name, value] of Object.entries(facts)) yield line(`${store.store}.${name}`, value, "store");
  }
  for (const { consumer, pending, lag, workers, dead } of consumers) {
    const told = `${pending} pending, lag ${lag}, ${workers} alive, ${dead} dead`;
    yield line(`consumer ${oneLine(consumer)}`, told, "store");
  }
  yield line("config file", loaded.file ?? "none", "config");
  for (const { name, value, origin } of loaded.origins) yield line(name, value, origin);
}

function line(what: string, value: string | number, from: string): Row {
  return { cells: [what, String(value), from], json: {} };
}

function countsOf({ keys, messages, channels, followers, locks, unsynced }: StoreStatus) {
  return { keys, messages, channels, followers, locks, unsynced };
}

function jsonOf(
  found: BackendStatus,
  consumers: readonly ConsumerTotals[],
  loaded: LoadedSettings,
): Row["json"] {
  return {
    store: found.store,
    why: found.why,
    stores: found.stores.map(({ latencyMs, facts, ...rest }) => ({ ...rest, latency_ms: latencyMs, facts })),
    consumers,
    config_file: loaded.file,
    settings: loaded.origins,
  };
}
