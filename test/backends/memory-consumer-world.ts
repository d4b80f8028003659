/** Workers for the tests of the memory store's consumers. */
import { DatabaseSync } from "@photostructure/sqlite";
import type { Backend } from "../../src/core/backend.ts";
import type { Gap, Selection } from "../../src/core/types.ts";
import type { Delivery, Worker, WorkerOptions } from "../../src/core/worker.ts";
import { within } from "../helpers/until.ts";
import { bytes, channels } from "./memory-world.ts";

export const NEVER = new AbortController().signal;

export const OPTIONS: WorkerOptions = {
  begin: "start",
  ackTimeoutMs: 30_000,
  agent: "tester",
  onState: () => {},
};

/** A worker of the consumer `w`, of the channel `t:c` unless told otherwise. */
export function work(
  backend: Backend,
  more: Partial<WorkerOptions> = {},
  selection: Selection = channels("t:c"),
): Promise<Worker> {
  return backend.work("w", selection, { ...OPTIONS, ...more });
}

/** Texts sent to a channel; their ids. */
export async function send(backend: Backend, channel: string, ...texts: string[]): Promise<string[]> {
  const ids = [];
  for (const text of texts) ids.push((await backend.publish(channel, bytes(text), "sender")).id);
  return ids;
}

/** So many messages, and the gaps between them, however many calls it takes. */
export async function takeAll(worker: Worker, count: number, most = count): Promise<Array<Delivery | Gap>> {
  const items: Array<Delivery | Gap> = [];
  while (items.filter((item) => "entry" in item).length < count) {
    items.push(...(await within("a message", worker.take(most, NEVER))));
  }
  return items;
}

/** The next message, with nothing lost before it. */
export async function takeOne(worker: Worker): Promise<Delivery> {
  const [item] = await within("a message", worker.take(1, NEVER));
  if (item === undefined || "gap" in item) throw new Error(`no message but ${JSON.stringify(item)}`);
  return item;
}

/** What there is now; a take that would wait gives nothing. */
export async function takeNow(worker: Worker, most = 100): Promise<ReadonlyArray<Delivery | Gap>> {
  const stop = new AbortController();
  const items = worker.take(most, stop.signal);
  stop.abort();
  return items;
}

/** Messages by their text, gaps as they are. */
export function shown(items: ReadonlyArray<Delivery | Gap>): unknown[] {
  return items.map((item) => ("gap" in item ? item.gap : item.entry.payload.toString()));
}

/** `0`, `1`, … */
export function numbers(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, i) => String(from + i));
}

/** The same in every process that `inProcess` runs: a worker that says what it does. */
export function workerCode(ackTimeoutMs: number, begin = "start"): string {
  return `
    const NEVER = new AbortController().signal;
    const worker = await backend.work("w", { channels: ["t:c"], patterns: [] },
      { begin: "${begin}", ackTimeoutMs: ${ackTimeoutMs}, agent: "child", onState() {} });`;
}

/** Keeps every other connection from writing, until it is released. */
export function lockFile(path: string): { release(): void } {
  const connection = new DatabaseSync(path);
  connection.exec("BEGIN IMMEDIATE");
  return { release: () => connection.close() };
}
