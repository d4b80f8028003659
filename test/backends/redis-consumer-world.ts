/** Workers of a consumer on a test's own server, here and in processes of their own. */
import { writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { RedisStore } from "../../src/backends/redis/index.ts";
import type {
  AnySelection,
  Change,
  Entry,
  EntryOf,
  FollowState,
  Gap,
  KeySelection,
  Message,
  Selection,
} from "../../src/core/types.ts";
import type { Delivery, Worker, WorkerOptions } from "../../src/core/worker.ts";
import { LIBRARY } from "../helpers/library.ts";
import { killProcesses, type Started, start as startProcess } from "../helpers/processes.ts";
import { bytes, texts } from "../helpers/redis-board.ts";
import { tempDir } from "../helpers/temp.ts";
import { within } from "../helpers/until.ts";

export const NEVER = new AbortController().signal;

export interface Working<Item extends Entry = Message> {
  readonly worker: Worker<Item>;
  readonly states: FollowState[];
  /** What comes next; rejects if nothing does. */
  take(most?: number): Promise<ReadonlyArray<Delivery<Item> | Gap>>;
  /** The next so many entries, one at a time, none of them acknowledged. A gap is an error. */
  hold(count: number): Promise<Delivery<Item>[]>;
}

type Choices = Partial<WorkerOptions> & { readonly consumer?: string };

/** A worker of "team" on `timmy:c`, from the start, that is closed when the test is over. */
export function work(
  store: RedisStore,
  { selection = { channels: ["timmy:c"] }, ...choices }: Choices & { selection?: Partial<Selection> } = {},
): Promise<Working> {
  return workOn(store, { channels: [], patterns: [], ...selection }, choices);
}

/** The same on the changes of keys. */
export function workOnKeys(
  store: RedisStore,
  selection: Partial<KeySelection>,
  choices: Choices = {},
): Promise<Working<Change>> {
  return workOn(store, { keys: [], patterns: [], ...selection }, choices);
}

async function workOn<Of extends AnySelection>(
  store: RedisStore,
  selection: Of,
  { consumer = "team", ...changes }: Choices,
): Promise<Working<EntryOf<Of>>> {
  const states: FollowState[] = [];
  const onState = (state: FollowState) => states.push(state);
  const options: WorkerOptions = { begin: "start", ackTimeoutMs: 30_000, agent: "me", onState, ...changes };
  const worker = await store.work(consumer, selection, options);
  onTestFinished(() => worker.close());
  const take = (most = 1) => within("something to take", worker.take(most, NEVER), 20_000);
  const hold = async (count: number) => {
    const held: Delivery<EntryOf<Of>>[] = [];
    while (held.length < count) held.push(...deliveries(await take()));
    return held;
  };
  return { worker, states, take, hold };
}

/** A gap among them is an error. */
export function deliveries<Item extends Entry>(items: ReadonlyArray<Delivery<Item> | Gap>): Delivery<Item>[] {
  return items.map((item) => {
    if ("gap" in item) throw new Error(`a gap where an entry was to come: ${JSON.stringify(item)}`);
    return item;
  });
}

/** Event, key without `timmy:`, value and attempt: `["set a 1 1", "del a  1"]`. */
export function shownChanges(held: ReadonlyArray<Delivery<Change>>): string[] {
  return held.map(({ entry: { event, key, value }, attempt }) => {
    return `${event} ${key.slice("timmy:".length)} ${value ?? ""} ${attempt}`;
  });
}

/** Payload and attempt: `["0 1", "1 1"]`. */
export function shown(held: readonly Delivery[]): string[] {
  return held.map(({ entry, attempt }) => `${texts([entry])} ${attempt}`);
}

/** "0", "1", … on a channel, in this order; their ids. */
export async function send(
  store: RedisStore,
  count: number,
  channel = "timmy:c",
  from = 0,
): Promise<string[]> {
  const payloads = Array.from({ length: count }, (_, at) => bytes(String(from + at)));
  const results = await Promise.all(payloads.map((payload) => store.publish(channel, payload, "me")));
  return results.map(({ id }) => id);
}

/** Whether nothing is to be had now: asks, and gives up when the server has had its say twice. */
export async function isNothingLeft<Item extends Entry>(
  store: RedisStore,
  { worker }: Working<Item>,
): Promise<boolean> {
  const stop = new AbortController();
  const taking = worker.take(1, stop.signal);
  for (let round = 0; round < 3; round++) await store.status();
  stop.abort();
  return (await taking).length === 0;
}

/** A way to a server that can lose an answer: the request was carried out, and the connection is gone. */
export async function lossyLine(port: number): Promise<{ readonly port: number; loseNextAnswer(): void }> {
  let isLosing = false;
  const sockets = new Set<Socket>();
  const line = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    for (const socket of [near, far]) {
      sockets.add(socket.on("error", () => {}));
      socket.on("close", () => (socket === near ? far : near).destroy());
    }
    near.pipe(far);
    far.on("data", (answer) => {
      if (isLosing) near.destroy();
      else near.write(answer);
      isLosing = false;
    });
  });
  await new Promise<void>((resolve) => line.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    line.close();
  });
  const loseNextAnswer = () => {
    isLosing = true;
  };
  return { port: (line.address() as AddressInfo).port, loseNextAnswer };
}

/**
 * A process with a worker of the consumer "team" on `c`, or what else it is `of`: `consumer`, `board`, `say(line)`, and `told`,
 * which resolves when its stdin ends.
 */
export function inProcess(url: string, options: object, code: string, of: object = ["c"]): Started {
  const dir = tempDir("worker");
  const path = join(dir, "program.mjs");
  writeFileSync(
    path,
    `${prologue(url, options, of)}\n${code}\nawait consumer.close(); await board.close();\n`,
  );
  onTestFinished(killProcesses);
  return startProcess(process.execPath, [path], { env: {}, cwd: dir, input: "open", timeoutMs: 60_000 });
}

export function linesOf(child: Started): string[] {
  return child.stdout().toString().split("\n").slice(0, -1);
}

function prologue(url: string, options: object, of: object): string {
  return `
    import { openBlackboard } from ${JSON.stringify(LIBRARY)};
    const say = (line) => process.stdout.write(line + "\\n");
    const told = new Promise((resolve) => process.stdin.resume().once("end", resolve));
    const board = await openBlackboard({ backend: "redis", url: ${JSON.stringify(url)}, prefix: "timmy", agent: "child" });
    const consumer = await board.consume(${JSON.stringify(of)}, { consumer: "team", ...${JSON.stringify(options)} });
    say("ready");`;
}
