/** The board through the built library, `dist/index.js`, as a program uses it. */
import { collect } from "../../src/core/collect.ts";
import type { Conditional } from "../../src/core/conditional.ts";
import { compareNames } from "../../src/core/names.ts";
import type { Change, ConsumerFacts, Entry, Gap, Message, Reading } from "../../src/core/types.ts";
import type { Blackboard, Consumer } from "../../src/index.ts";
import { ROOT } from "../helpers/cli.ts";
import { LIBRARY, library } from "../helpers/library.ts";
import { start } from "../helpers/processes.ts";
import type {
  Board,
  BoardSettings,
  ClearOptions,
  ConditionalAnswer,
  Deed,
  Followed,
  FollowOptions,
  Found,
  Known,
  ListOptions,
  PlainBoard,
  SetAnswer,
  SetOptions,
  WaitOptions,
  WatchOptions,
} from "./driver.ts";
import { environmentOf } from "./environment.ts";
import { asked } from "./library-asked.ts";
import { LibraryLocks } from "./library-locks.ts";
import { misusesOf } from "./library-misuses.ts";
import { LibrarySubscription } from "./library-subscription.ts";
import type { BoardLocks } from "./locking.ts";

const PROGRAM = `${ROOT}test/helpers/library-program.js`;

/** Opens a board at once: the first call connects. */
export async function openLibraryBoard(settings: BoardSettings): Promise<Board> {
  const { place, ...rest } = settings;
  const opened = library.openBlackboard({
    backend: place.store,
    config: place.config,
    ...(place.url === undefined ? {} : { url: place.url }),
    ...(place.password === undefined ? {} : { password: place.password }),
    dataDir: place.dataDir ?? `${place.home}/none`, // not this machine's, of which redis boards tell, too
    ...rest,
    onNotice: (notice) => {
      throw new Error(`unexpected notice: ${notice}`);
    },
  });
  return new LibraryBoard(settings, await asked(opened));
}

/** The board itself, for a test that needs more of it than `Board` has. */
export function blackboardOf(board: Board): Blackboard {
  if (board instanceof LibraryBoard) return board.blackboard;
  throw new Error("not a library board");
}

class LibraryBoard implements Board {
  readonly settings: BoardSettings;
  readonly blackboard: Blackboard;
  readonly plain: PlainBoard;
  readonly locks: BoardLocks;

  constructor(settings: BoardSettings, blackboard: Blackboard) {
    this.settings = settings;
    this.blackboard = blackboard;
    this.locks = new LibraryLocks(blackboard);
    this.plain = plainFormOf(this);
  }

  get(key: string) {
    return asked(this.blackboard.get(key));
  }

  async read(key: string) {
    return knownOf(await asked(this.blackboard.read(key)));
  }

  async set(key: string, value: string | Uint8Array, options: SetOptions = {}): Promise<SetAnswer> {
    const result = await asked(this.blackboard.set(key, value, options));
    return result.written ? result : { ...result, told: JSON.stringify(result) };
  }

  del(...keys: string[]) {
    return asked(this.blackboard.del(keys));
  }

  async delIf(key: string, value: string | Uint8Array) {
    return withAllTold(await asked(this.blackboard.deleteIf(key, value)));
  }

  async take(keys: readonly string[], waitMs?: number) {
    const limit = waitMs === undefined ? {} : { timeoutMs: waitMs };
    return knownOf(await asked(this.blackboard.take(keys, limit)));
  }

  exists(...keys: string[]) {
    return asked(this.blackboard.exists(keys));
  }

  async keys(pattern?: string, limit?: number) {
    return (await asked(collect(this.blackboard.keys(pattern)))).sort(compareNames).slice(0, limit);
  }

  async list(pattern?: string, options: ListOptions = {}) {
    const { staleMs, ...by } = options;
    const age = staleMs === undefined ? {} : { unwrittenForMs: staleMs };
    const facts = await asked(collect(this.blackboard.list(pattern, { ...age, ...by })));
    return facts.sort((left, right) => compareNames(left.key, right.key));
  }

  ttl(key: string) {
    return asked(this.blackboard.ttl(key));
  }

  expire(key: string, ttlMs: number) {
    return asked(this.blackboard.expire(key, ttlMs));
  }

  async expireIf(key: string, value: string | Uint8Array, ttlMs: number) {
    return withAllTold(await asked(this.blackboard.expireIf(key, value, ttlMs)));
  }

  persist(key: string) {
    return asked(this.blackboard.persist(key));
  }

  async incr(key: string, by?: bigint) {
    return BigInt(await asked(this.blackboard.incr(key, by)));
  }

  publish(channel: string, payload: string | Uint8Array) {
    return asked(this.blackboard.publish(channel, payload));
  }

  async publishAll(channel: string, payloads: readonly string[]) {
    const results = [];
    for (const payload of payloads) results.push(await this.publish(channel, payload));
    return results;
  }

  subscribe(channels: readonly string[], options: FollowOptions = {}) {
    return LibrarySubscription.start<Message>(options, {
      follow: (how) => this.blackboard.subscribe(channels, how),
      consume: (how) => this.blackboard.consume(channels, how),
    });
  }

  watch(keys: readonly string[], options: WatchOptions = {}) {
    return LibrarySubscription.start<Change>(options, {
      follow: (how) => this.blackboard.watch(keys, how),
      consume: (how) => this.blackboard.consume({ keys }, how),
    });
  }

  async wait(keys: readonly string[], { waitMs, ...options }: WaitOptions = {}): Promise<Found[]> {
    const limit = waitMs === undefined ? {} : { timeoutMs: waitMs };
    const found = await asked(this.blackboard.wait(keys, { ...options, ...limit }));
    return found.map(({ key, reading }) => ({ key, known: knownOf(reading) }));
  }

  async history(key: string, from: Pick<FollowOptions, "last" | "since"> = {}) {
    const items: (Change | Gap)[] = [];
    const changes = this.blackboard.history(key, { ...from, onGap: (gap) => void items.push({ gap }) });
    const read = async () => {
      for await (const change of changes) items.push(change);
    };
    await asked(read());
    return items;
  }

  async consumers() {
    const facts = await asked(this.blackboard.consumers());
    return facts.sort((left, right) => compareNames(left.consumer, right.consumer)).map(inOrder);
  }

  deleteConsumer(consumer: string) {
    return asked(this.blackboard.deleteConsumer(consumer));
  }

  async failAtOne(of: Followed, consumer: string, retries: number) {
    const how = { consumer, retries };
    if (typeof of === "string") await failAtOne<Message>(await asked(this.blackboard.consume(of, how)));
    else await failAtOne<Change>(await asked(this.blackboard.consume(of, how)));
  }

  async channels(pattern?: string) {
    const facts = await asked(this.blackboard.channels(pattern));
    return facts.sort((left, right) => compareNames(left.channel, right.channel));
  }

  clear(pattern?: string, { olderThanMs, yes: _, ...options }: ClearOptions = {}) {
    const age = olderThanMs === undefined ? {} : { unwrittenForMs: olderThanMs };
    return asked(this.blackboard.clear(pattern, { ...options, ...age }));
  }

  status() {
    return asked(this.blackboard.status());
  }

  async toldStatus() {
    return JSON.stringify(await this.status());
  }

  get misuses() {
    return misusesOf(this.blackboard, this.settings);
  }

  elsewhere(deed: Deed) {
    return runProgram(this.settings, deed);
  }

  close() {
    return this.blackboard.close();
  }
}

/** A program of its own that uses the library; it must end by itself, well, and say nothing. */
export async function runProgram(
  settings: BoardSettings,
  deed: Deed | { readonly do: "everything" },
): Promise<void> {
  const { stdout, stderr, exitCode } = await start(
    process.execPath,
    [PROGRAM, LIBRARY, JSON.stringify(deed)],
    { env: { ...environmentOf(settings), HOME: settings.place.home }, cwd: settings.place.home },
  ).ended;
  if (exitCode === 0 && stderr === "" && stdout.length === 0) return;
  throw new Error(`the program exited ${exitCode}, saying: ${stderr}${stdout.toString()}`);
}

async function failAtOne<Item extends Entry>(worker: Consumer<Item>): Promise<void> {
  let delivery = await worker.next();
  while (delivery !== null) {
    const after = await worker.fail(delivery, "exited 1");
    delivery = typeof after === "string" ? null : after;
  }
  await worker.close();
}

function knownOf(reading: Reading | null): Known | null {
  if (reading === null) return null;
  const { key, value, id, by, at, ttlMs } = reading;
  return { key, value, id, by, at, ttlMs };
}

function withAllTold(result: Conditional): ConditionalAnswer {
  return result.done ? result : { ...result, told: JSON.stringify(result) };
}

function inOrder(facts: ConsumerFacts): ConsumerFacts {
  const channels = [...facts.channels].sort((left, right) =>
    compareNames(left.channel ?? "", right.channel ?? ""),
  );
  return { ...facts, channels };
}

function plainFormOf(board: LibraryBoard): PlainBoard {
  return {
    get: (key) => board.get(key),
    set: async (key, value) => void (await board.set(key, value)),
    del: (...keys) => board.del(...keys),
    exists: (...keys) => board.exists(...keys),
    keys: (pattern) => board.keys(pattern),
    list: async (pattern) =>
      (await board.list(pattern)).map(({ key, size, by }) => ({ key, size: size ?? -1, by: by ?? "?" })),
    async ttlSeconds(key) {
      const ttlMs = await board.ttl(key);
      if (ttlMs === undefined) return null;
      return ttlMs === null ? -1 : Math.ceil(ttlMs / 1000);
    },
    incr: (key, by) => board.incr(key, by),
    publish: async (channel, payload) => (await board.publish(channel, payload)).receivers,
    async hear(channels, meanwhile) {
      const subscription = await board.subscribe(channels, { count: 1 });
      await meanwhile();
      const [message] = await subscription.take(1);
      return { channel: message?.channel ?? "", payload: message?.payload ?? Buffer.alloc(0) };
    },
    channels: async (pattern) => (await board.channels(pattern)).map(({ lastId: _, ...rest }) => rest),
    clear: (pattern) => board.clear(pattern),
  };
}
