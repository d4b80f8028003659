import type { LoadedSettings } from "../../config/index.ts";
import type { BackendStatus, StoreStatus } from "../../core/types.ts";
import type { Command, Row } from "../command.ts";

export const status: Command = {
  name: "status",
  summary: "show the store in use, its state, and where each setting came from",
  promise:
    "Prints what is, what it is and where that comes from, separated by TAB: the store and why, its facts and counts, then every setting with its origin. " +
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
    const rows = [...lines(found, context.loaded)];
    if (context.json) return { rows: [{ cells: [], json: jsonOf(found, context.loaded) }] };
    return { rows, heads: ["WHAT", "VALUE", "FROM"] };
  },
};

function* lines(found: BackendStatus, loaded: LoadedSettings): Generator<Row> {
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
  yield line("config file", loaded.file ?? "none", "config");
  for (const { name, value, origin } of loaded.origins) yield line(name, value, origin);
}

function line(what: string, value: string | number, from: string): Row {
  return { cells: [what, String(value), from], json: {} };
}

function countsOf({ keys, messages, channels, followers, unsynced }: StoreStatus) {
  return { keys, messages, channels, followers, unsynced };
}

function jsonOf(found: BackendStatus, loaded: LoadedSettings): Row["json"] {
  return {
    store: found.store,
    why: found.why,
    stores: found.stores.map(({ latencyMs, facts, ...rest }) => ({ ...rest, latency_ms: latencyMs, facts })),
    config_file: loaded.file,
    settings: loaded.origins,
  };
}
