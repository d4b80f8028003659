/**
 * Board files for the tests of the memory store: in temporary directories, looked at through a connection of their
 * own, and used by real other processes, which run the store bundled on the fly because Node 20 runs no TypeScript.
 */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DatabaseSync } from "@photostructure/sqlite";
import { build } from "esbuild";
import { expect } from "vitest";
import { type MemoryOptions, openMemory } from "../../src/backends/memory/index.ts";
import type { Backend, Follower, FollowOptions, SetOptions } from "../../src/core/backend.ts";
import { collect } from "../../src/core/collect.ts";
import { encodeName } from "../../src/core/names.ts";
import type { Change, Gap, KeySelection, Message, Selection, Start } from "../../src/core/types.ts";
import { killProcesses, type Started, start } from "../helpers/processes.ts";
import { scaled } from "../helpers/scale.ts";
import { removeTempDirs, tempDir } from "../helpers/temp.ts";
import { until, within } from "../helpers/until.ts";

const CACHE = fileURLToPath(new URL("../../node_modules/.cache/timmy-bb-tests/", import.meta.url));
const bundles = join(CACHE, `memory-${process.pid}-${Date.now()}`);
const opened = new Set<Backend>();
/** Of a process, and of a test that has one do much. */
export const DEADLINE_MS = scaled(60_000, 600_000);

/** The store as a module other processes can import; below node_modules, where it finds its driver. */
export async function bundleStore(): Promise<void> {
  mkdirSync(bundles, { recursive: true });
  await build({
    entryPoints: [fileURLToPath(new URL("../../src/backends/memory/index.ts", import.meta.url))],
    outfile: join(bundles, "memory.mjs"),
    bundle: true,
    platform: "node",
    format: "esm",
    external: ["@photostructure/sqlite"],
  });
}

export function removeBundle(): void {
  rmSync(bundles, { recursive: true, force: true });
}

/** A path for a board file in a new directory. */
export function newPath(): string {
  return join(tempDir("memory"), "board.db");
}

export function settings(path: string, more: Partial<MemoryOptions> = {}): MemoryOptions {
  const history = { messagesPerChannel: 1000, changes: 10_000, maxAgeMs: 604_800_000 };
  return { path, prefix: "t", timeoutMs: 5000, durability: "normal", flagUnsynced: false, history, ...more };
}

/** Opens a board that `cleanUp` closes. */
export async function open(path: string, more: Partial<MemoryOptions> = {}): Promise<Backend> {
  const backend = await openMemory(settings(path, more));
  opened.add(backend);
  return backend;
}

/** Closes, kills and removes whatever a test left. */
export async function cleanUp(): Promise<void> {
  killProcesses();
  for (const backend of opened) await backend.close();
  opened.clear();
  removeTempDirs();
}

/**
 * Runs statements of a module in another process. They see `backend`, `options`, `openMemory`, `bytes(text)`, `PLAIN`
 * (options of a plain set), `LIVE` (of a plain follow), `say(line)` and `told`, which resolves when something is written to their stdin.
 */
export function inProcess(path: string, code: string, more: Partial<MemoryOptions> = {}): Started {
  const options = JSON.stringify(settings(path, more));
  const text = `
    import { openMemory } from ${JSON.stringify(join(bundles, "memory.mjs"))};
    import { writeSync } from "node:fs";
    const options = ${options};
    const bytes = (text) => Buffer.from(text);
    const say = (line) => writeSync(1, line + "\\n");
    const LIVE = { onState() {}, from: null, live: true };
    const PLAIN = { ttlMs: null, condition: null, fence: null, agent: "child" };
    const told = new Promise((resolve) => process.stdin.once("data", resolve));
    const backend = await openMemory(options);
    ${code}
    await backend.close();
    process.stdin.destroy();
  `;
  const env = { PATH: process.env.PATH ?? "" };
  const args = ["--input-type=module", "-e", text];
  return start(process.execPath, args, { env, cwd: join(path, ".."), input: "open", timeoutMs: DEADLINE_MS });
}

/** The lines a process has written to stdout. */
export function linesOf(child: Started): string[] {
  return child.stdout().toString().split("\n").slice(0, -1);
}

export function plain(more: Partial<SetOptions> = {}): SetOptions {
  return { ttlMs: null, condition: null, fence: null, agent: "tester", ...more };
}

export function bytes(text: string): Buffer {
  return Buffer.from(text);
}

/** Only these channels, exactly. */
export function channels(...names: string[]): Selection {
  return { channels: names, patterns: [] };
}

/** Only these keys, exactly. */
export function keys(...names: string[]): KeySelection {
  return { keys: names, patterns: [] };
}

/** Rows as another program sees them. */
export function query(path: string, sql: string, ...parameters: unknown[]): Record<string, unknown>[] {
  const connection = new DatabaseSync(path, { timeout: 5000 });
  try {
    return connection.prepare(sql).all(...parameters) as Record<string, unknown>[];
  } finally {
    connection.close();
  }
}

/** What the log says of a key: its kinds, oldest first. */
export function kindsOf(path: string, key: string): unknown[] {
  return query(path, "SELECT kind FROM log WHERE name = ? ORDER BY n", encodeName(key)).map(
    ({ kind }) => kind,
  );
}

/** The next messages of a follower, without closing it; a gap among them is an error. */
export async function take(iterator: AsyncIterator<Message | Gap>, count: number): Promise<Message[]> {
  return messagesOf(await takeAny(iterator, count));
}

/** The next messages and gaps of a follower, without closing it. */
export async function takeAny<Item>(iterator: AsyncIterator<Item>, count: number): Promise<Item[]> {
  const items: Item[] = [];
  while (items.length < count) {
    const next = await within(`item ${items.length + 1} of ${count}`, iterator.next());
    if (next.done === true) throw new Error(`the follower ended after ${items.length} of ${count} items`);
    items.push(next.value);
  }
  return items;
}

/** With what comes from now on. */
export const LIVE: FollowOptions = { onState: () => {}, from: null, live: true };

/** From some start on. */
export function since(from: Start, live = false): FollowOptions {
  return { ...LIVE, from, live };
}

/** All of a follower that ends. */
export async function all<Item>(follower: Follower<Item>): Promise<Item[]> {
  return within("the follower to end", collect(follower), 20_000);
}

/** What came, for people: payloads, and gaps as `gap <what is behind it>`. */
export function texts(items: ReadonlyArray<Message | Gap>): string[] {
  return items.map((item) => ("gap" in item ? `gap ${item.gap.next ?? "end"}` : item.payload.toString()));
}

/** What happened, for people: `set t:k v`, `del t:k`, and gaps as `gap <what is behind it>`. */
export function events(items: ReadonlyArray<Change | Gap>): string[] {
  return items.map((item) => {
    if ("gap" in item) return `gap ${item.gap.next ?? "end"}`;
    const { event, key, value } = item;
    return value === null ? `${event} ${key}` : `${event} ${key} ${value}`;
  });
}

/** Only messages; a gap among them is an error. */
export function messagesOf(items: ReadonlyArray<Message | Gap>): Message[] {
  return items.map((item) => {
    if ("gap" in item) throw new Error(`a gap where a message was to come: ${JSON.stringify(item)}`);
    return item;
  });
}

/** Several processes with the same code, held at a line until all are there. */
export async function together(count: number, path: string, code: string): Promise<Started[]> {
  const children = Array.from({ length: count }, () => inProcess(path, `say("here"); await told; ${code}`));
  await until("all processes run", () => children.every((child) => linesOf(child).includes("here")), 20_000);
  for (const child of children) child.process.stdin?.write("go\n");
  return children;
}

/** Waits for their ends, which must be good ones. */
export async function succeed(children: readonly Started[]): Promise<void> {
  for (const child of children) expect(await child.ended).toMatchObject({ exitCode: 0, stderr: "" });
}
