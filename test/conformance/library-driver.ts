/** The board through the built library, `dist/index.js`, as a program uses it. */
import { pathToFileURL } from "node:url";
import { collect } from "../../src/core/collect.ts";
import { compareNames } from "../../src/core/names.ts";
import type { ConsumerFacts, Gap, Message } from "../../src/core/types.ts";
import type { Blackboard, Consumer, Delivery } from "../../src/index.ts";
import { ROOT } from "../helpers/cli.ts";
import { start } from "../helpers/processes.ts";
import { until, within } from "../helpers/until.ts";
import {
  type Board,
  type BoardSettings,
  type ClearOptions,
  type Deed,
  type Ending,
  Failure,
  type FollowOptions,
  isMessage,
  type ListOptions,
  type Misuse,
  type PlainBoard,
  type SetAnswer,
  type SetOptions,
  type Subscription,
} from "./driver.ts";
import { environmentOf } from "./environment.ts";

export const LIBRARY = `${ROOT}dist/index.js`;
const PROGRAM = `${ROOT}test/helpers/library-program.js`;

/** The library's types are those of its source; what runs is what was built. */
const library = (await import(pathToFileURL(LIBRARY).href)) as typeof import("../../src/index.ts");

/** Opens a board at once: the first call connects. */
export async function openLibraryBoard(settings: BoardSettings): Promise<Board> {
  const { place, ...rest } = settings;
  const opened = library.openBlackboard({
    backend: place.store,
    config: place.config,
    ...(place.url === undefined ? {} : { url: place.url }),
    ...(place.password === undefined ? {} : { password: place.password }),
    ...(place.dataDir === undefined ? {} : { dataDir: place.dataDir }),
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

  constructor(settings: BoardSettings, blackboard: Blackboard) {
    this.settings = settings;
    this.blackboard = blackboard;
    this.plain = plainFormOf(this);
  }

  get(key: string) {
    return asked(this.blackboard.get(key));
  }

  async set(key: string, value: string | Uint8Array, options: SetOptions = {}): Promise<SetAnswer> {
    const result = await asked(this.blackboard.set(key, value, options));
    if (result.written) return result;
    return { written: false, by: result.by, told: JSON.stringify(result) };
  }

  del(...keys: string[]) {
    return asked(this.blackboard.del(keys));
  }

  exists(...keys: string[]) {
    return asked(this.blackboard.exists(keys));
  }

  async keys(pattern?: string, limit?: number) {
    return (await asked(collect(this.blackboard.keys(pattern)))).sort(compareNames).slice(0, limit);
  }

  async list(pattern?: string, options: ListOptions = {}) {
    const age = options.staleMs === undefined ? {} : { unwrittenForMs: options.staleMs };
    const facts = await asked(collect(this.blackboard.list(pattern, age)));
    return facts.sort((left, right) => compareNames(left.key, right.key));
  }

  ttl(key: string) {
    return asked(this.blackboard.ttl(key));
  }

  expire(key: string, ttlMs: number) {
    return asked(this.blackboard.expire(key, ttlMs));
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

  async subscribe(channels: readonly string[], options: FollowOptions = {}): Promise<Subscription> {
    const subscription = new LibrarySubscription(options);
    await asked(subscription.start(this.blackboard, channels));
    return subscription;
  }

  async consumers() {
    const facts = await asked(this.blackboard.consumers());
    return facts.sort((left, right) => compareNames(left.consumer, right.consumer)).map(inOrder);
  }

  deleteConsumer(consumer: string) {
    return asked(this.blackboard.deleteConsumer(consumer));
  }

  async failAtOne(channel: string, consumer: string, retries: number) {
    const worker = await asked(this.blackboard.consume(channel, { consumer, retries }));
    let delivery: Delivery | string | null = await worker.next();
    while (delivery !== null && typeof delivery !== "string")
      delivery = await worker.fail(delivery, "exited 1");
    await worker.close();
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

class LibrarySubscription implements Subscription {
  ended: Promise<Ending> = Promise.resolve("closed");
  readonly #options: FollowOptions;
  readonly #items: (Message | Gap)[] = [];
  readonly #stop = new AbortController();
  #over = false;

  constructor(options: FollowOptions) {
    this.#options = options;
  }

  /** Resolves when it is ready. */
  async start(board: Blackboard, channels: readonly string[]): Promise<void> {
    const messages = await this.#messages(board, channels);
    this.ended = asked(this.#run(messages)).finally(() => {
      this.#over = true;
    });
    this.ended.catch(() => {}); // whoever awaits it is told
  }

  async take(count: number) {
    await until(`${count} messages`, () => this.seen().length >= count || this.#over);
    if (this.seen().length < count) {
      await this.ended; // with its error, if there was one
      throw new Error(`it ended after ${this.seen().length} messages`);
    }
    return this.seen().slice(0, count);
  }

  seen() {
    return this.#items.filter(isMessage);
  }

  items() {
    return this.#items;
  }

  async close() {
    this.#stop.abort();
    await within(
      "the end of a subscription",
      this.ended.catch(() => {}),
    );
  }

  async #messages(board: Blackboard, channels: readonly string[]): Promise<AsyncIterable<Message>> {
    const { count: _, waitMs: __, consumer, begin, ...from } = this.#options;
    const how = { signal: this.#stop.signal, onGap: (gap: Gap["gap"]) => void this.#items.push({ gap }) };
    if (consumer === undefined) {
      const follower = board.subscribe(channels, { ...how, ...from });
      await follower.ready;
      return follower;
    }
    return acknowledged(
      await board.consume(channels, { ...how, consumer, ...(begin === undefined ? {} : { begin }) }),
    );
  }

  async #run(messages: AsyncIterable<Message>): Promise<Ending> {
    const { count, waitMs, live } = this.#options;
    let late = false;
    const giveUp = () => {
      late = true;
      this.#stop.abort();
    };
    const timer = waitMs === undefined ? undefined : setTimeout(giveUp, waitMs);
    try {
      for await (const message of messages) {
        this.#items.push(message);
        if (this.seen().length === count) return "done";
      }
      if (live === false) return "done";
      return late ? "timeout" : "closed";
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Each message is acknowledged when it was handed on; what is asked for next comes after that. */
async function* acknowledged(consumer: Consumer): AsyncGenerator<Message> {
  for await (const delivery of consumer) {
    await consumer.ack(delivery);
    yield delivery.message;
  }
}

function inOrder(facts: ConsumerFacts): ConsumerFacts {
  const channels = [...facts.channels].sort((left, right) => compareNames(left.channel, right.channel));
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

/** What a program without types can hand in. */
function misusesOf(board: Blackboard, settings: BoardSettings): Misuse[] {
  const loose = board as unknown as Record<string, (...args: readonly unknown[]) => unknown>;
  const call = (name: string, ...args: readonly unknown[]): Misuse => ({
    what: `${name}(${args.map((arg) => typeof arg).join(", ")})`,
    call: () => asked((async () => loose[name]?.(...args))()),
  });
  const open = (options: object): Misuse => ({
    what: `open with ${Object.keys(options)}`,
    call: () => asked(library.openBlackboard({ config: settings.place.config, ...options })),
  });
  return [
    call("get"),
    call("get", 5),
    call("set", null, "secret"),
    call("set", "key", undefined),
    call("set", "key", () => "secret"),
    call("set", "key", "secret", { ttlMs: "soon" }),
    call("set", "key", "secret", { ttlMs: 1.5 }),
    call("expire", "key", Number.NaN),
    call("del", [undefined]),
    call("incr", "key", 1.5),
    call("incr", "key", Number.MAX_SAFE_INTEGER + 1),
    call("publish", "channel", undefined),
    call("publish", undefined, "secret"),
    call("subscribe", []),
    call("subscribe", "channel", { last: -1 }),
    call("subscribe", "channel", { last: 1, since: 1 }),
    call("subscribe", "channel", { since: "secret" }),
    call("subscribe", "channel", { since: new Date("secret") }),
    call("subscribe", "channel", { live: false }),
    call("subscribe", "channel", { lsat: 5 }),
    call("consume", "channel", {}),
    call("consume", "channel", { consumer: "" }),
    call("consume", "channel", { consumer: "c", begin: "secret" }),
    call("consume", "channel", { consumer: "c", ackTimeoutMs: 0 }),
    call("consume", "channel", { consumer: "c", retries: -1 }),
    call("deleteConsumer"),
    call("channels", ""),
    open({ backend: "secret" }),
    open({ backend: settings.place.store, prefix: "a\nb", dataDir: settings.place.dataDir ?? "/nowhere" }),
    open({ backend: "redis", url: "http://secret" }),
    open({ timeoutMs: -1 }),
    open({ ttlSeconds: "soon" }),
  ];
}

/** The library's errors as the drivers' own. Anything else the library throws is a fault. */
async function asked<Value>(call: Promise<Value>): Promise<Value> {
  try {
    return await call;
  } catch (error) {
    if (!(error instanceof library.BlackboardError)) throw error;
    throw new Failure(
      error.kind,
      error.message,
      `${error.message}\n${error.hint ?? ""}\n${error.stack ?? ""}`,
    );
  }
}
