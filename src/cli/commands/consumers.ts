import { usageError } from "../../core/errors.ts";
import { checkNewName, compareNames } from "../../core/names.ts";
import type { ConsumerChannel, ConsumerFacts } from "../../core/types.ts";
import type { Command, Outcome, Row } from "../command.ts";
import { totalsOf } from "../consumer-totals.ts";
import type { Given } from "../given.ts";
import { jsonName } from "../json.ts";
import { oneLine } from "../terminal.ts";

export const consumers: Command = {
  name: "consumers",
  summary: "list, show or delete consumers",
  promise:
    "Prints the consumers, one a line, sorted: name, newest id handed out (- if none can be), messages pending (handed out and not acknowledged), " +
    "lag (retained and not handed out), living workers, dead workers that hold messages, separated by TAB. " +
    "show NAME prints a line for each channel (the word channel, its name, position, pending, lag), for the changes of keys (the word changes, -, and the same) and each worker (the word worker, its name, pending, alive or dead); " +
    "an absent consumer exits 1. delete NAME forgets position and pending messages, ends its workers and prints 1, or 0 and exits 1 if there is none.",
  args: [
    { usage: "[action]", about: "list (default), show or delete" },
    { usage: "[name]", about: "the consumer, for show and delete" },
  ],
  options: [],
  examples: [
    {
      about: "who is how far behind",
      shell:
        "seq 5 | timmy-bb publish jobs --lines > sent; timmy-bb subscribe jobs --consumer builders -n 2 > read; timmy-bb consumers | cut -f 1,3-",
      prints: "builders\t0\t3\t0\t0\n",
    },
    {
      about: "in which channels",
      shell: "timmy-bb consumers show builders | cut -f 1,2,4,5",
      prints: "channel\tjobs\t0\t3\n",
    },
    { about: "begin anew", shell: "timmy-bb consumers delete builders", prints: "1\n" },
  ],
  async run(context, given) {
    const action = given.optionalArg("action") ?? "list";
    if (!["list", "show", "delete"].includes(action)) throw usageError("there is list, show and delete");
    const name = nameFor(action, given);
    const board = await context.board();
    if (action === "delete") return deleted(await board.deleteConsumer(name));
    const found = await board.consumers();
    if (action === "list") return listed(found);
    const one = found.find(({ consumer }) => consumer === name);
    if (one === undefined) return { exit: "absent" };
    return { rows: context.json ? [{ cells: [], json: shownJson(one) }] : shownRows(one) };
  },
};

function nameFor(action: string, given: Given): string {
  if (action !== "list") {
    const name = given.arg("name");
    checkNewName("consumer", name);
    return name;
  }
  if (given.optionalArg("name") !== undefined) throw usageError("list takes no name; show does");
  return "";
}

function deleted(isDeleted: boolean): Outcome {
  const count = isDeleted ? 1 : 0;
  return {
    rows: [{ cells: [String(count)], json: { deleted: count } }],
    exit: isDeleted ? "done" : "absent",
  };
}

function listed(found: readonly ConsumerFacts[]): Outcome {
  const sorted = [...found].sort((left, right) => compareNames(left.consumer, right.consumer));
  return { rows: sorted.map(listRow), heads: ["CONSUMER", "POSITION", "PENDING", "LAG", "WORKERS", "DEAD"] };
}

function listRow(facts: ConsumerFacts): Row {
  const { consumer, position, pending, lag, workers, dead } = totalsOf(facts);
  return {
    cells: [consumer, position ?? "-", ...[pending, lag, workers, dead].map(String)],
    json: { consumer, position, pending, lag, workers, dead },
  };
}

function shownRows({ channels, workers }: ConsumerFacts): Row[] {
  return [
    ...inOrder(channels).map(({ channel, position, pending, lag }) => [
      ...(channel === null ? ["changes", "-"] : ["channel", oneLine(channel)]),
      position,
      String(pending),
      String(lag),
    ]),
    ...workers.map(({ worker, pending, isAlive }) => [
      "worker",
      worker,
      String(pending),
      isAlive ? "alive" : "dead",
    ]),
  ].map((cells) => ({ cells, json: {} }));
}

function shownJson({ consumer, channels, workers }: ConsumerFacts): Row["json"] {
  return {
    consumer,
    channels: inOrder(channels).map(({ channel, ...facts }) => ({
      ...(channel === null ? { channel } : jsonName("channel", channel)),
      ...facts,
    })),
    workers: workers.map(({ worker, pending, isAlive }) => ({ worker, pending, alive: isAlive })),
  };
}

function inOrder(channels: readonly ConsumerChannel[]): ConsumerChannel[] {
  return [...channels].sort((left, right) => compareNames(left.channel ?? "", right.channel ?? ""));
}
