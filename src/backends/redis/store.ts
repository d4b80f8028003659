/** The redis store: the contract of `core/backend.ts` on a Redis or Valkey server. */
import type {
  Backend,
  BoardSettings,
  Capabilities,
  DelOptions,
  Follower,
  FollowOptions,
  SetOptions,
} from "../../core/backend.ts";
import { usageError } from "../../core/errors.ts";
import { numberToId } from "../../core/ids.ts";
import type { RedisAddress } from "../../core/redis-url.ts";
import type {
  AnySelection,
  BackendStatus,
  Bytes,
  ChannelFacts,
  ConsumerFacts,
  Entry,
  EntryOf,
  Gap,
  KeyFacts,
  PublishResult,
  Reading,
  SetResult,
} from "../../core/types.ts";
import { checkKept, type Worker, type WorkerOptions } from "../../core/worker.ts";
import { BoardScripts } from "./board-scripts.ts";
import { countRepeats, listChannels } from "./channels.ts";
import { chunks, KEYS_A_SCRIPT } from "./chunks.ts";
import { forgetConsumer, listConsumers } from "./consumers.ts";
import { deleteKeys } from "./deletion.ts";
import { Followers, sweepBy } from "./followers.ts";
import { provenance, toFacts, toReading } from "./key-facts.ts";
import { scanKeys } from "./keys.ts";
import { type Layout, layoutOf } from "./layout.ts";
import { Link } from "./link.ts";
import { membershipOf } from "./membership.ts";
import { asBytes, asList, asNumber, asText, type Reply } from "./replies.ts";
import { DESCRIBE, EXPIRE, INCREMENT, PUBLISH, SET } from "./scripts.ts";
import { readStatus } from "./status.ts";
import type { RunScript } from "./supply.ts";
import { RedisWorker, type WorkerPlace } from "./worker.ts";

export interface RedisOptions extends BoardSettings {
  /** With the password already in it. */
  readonly address: RedisAddress;
}

/** Redis's own limit of a string. */
const MAX_VALUE_BYTES = 512 * 1024 * 1024;
/** Bytes that no value has: it is left out. */
const NO_VALUES = -1;
/** Keys of one plain EXISTS. */
const KEYS_A_COMMAND = 1000;

export class RedisStore implements Backend {
  readonly capabilities: Capabilities = { maxValueBytes: MAX_VALUE_BYTES, foreignClients: true };
  readonly #options: RedisOptions;
  readonly #layout: Layout;
  readonly #link: Link;
  readonly #scripts: BoardScripts;
  readonly #followers: Followers;
  readonly #workers = new Set<RedisWorker>();

  /** Connects at the first operation, or by `connect`. */
  constructor(options: RedisOptions) {
    const { address, timeoutMs, history } = options;
    this.#options = options;
    this.#layout = layoutOf(options.prefix);
    this.#link = new Link({ address, layout: this.#layout, timeoutMs });
    this.#scripts = new BoardScripts(this.#link, this.#layout, { database: address.db, history });
    this.#followers = new Followers({ ...options, layout: this.#layout, link: this.#link }, this.#scripts);
  }

  /**
   * Makes sure that the server is there, and connects again if the connection was lost. What that takes is taken off the
   * time of the next operation, so that both together end within the store's bound.
   * @throws UnreachableError if nobody answers within the given milliseconds; other kinds if somebody refuses
   */
  async connect(withinMs: number): Promise<void> {
    await this.#link.open(withinMs);
  }

  async get(key: string): Promise<Buffer | null> {
    const value = await this.#link.command("read", "get", key);
    return value === null ? null : asBytes(value);
  }

  async set(key: string, value: Bytes, options: SetOptions): Promise<SetResult> {
    checkSize("value", value);
    const { ttlMs, condition, agent } = options;
    const ttl = ttlMs === null ? "none" : String(ttlMs);
    const expected = condition?.if === "value" ? condition.value : "";
    const args = [value, ttl, condition?.if ?? "", expected];
    const reply = asList(await this.#scripts.book(SET, { effect: "write", agent, keys: [key], args }));
    if (reply[0] === 1) return { written: true, id: numberToId(asNumber(reply[1])) };
    return { written: false, ...provenance(reply[1], reply[2]) };
  }

  del(keys: readonly string[], options: DelOptions): Promise<number> {
    return deleteKeys(this.#scripts, keys, options, this.#link.deadline());
  }

  async exists(keys: readonly string[]): Promise<number> {
    const deadline = this.#link.deadline();
    let found = 0;
    for (const some of chunks(keys, KEYS_A_COMMAND)) {
      found += asNumber(
        await this.#link.run("read", (connection) => connection.call("exists", ...some), deadline),
      );
    }
    return found;
  }

  keys(pattern: string): AsyncIterable<readonly string[]> {
    return scanKeys(this.#link, pattern);
  }

  describe(keys: readonly string[]): Promise<ReadonlyArray<KeyFacts | null>> {
    return this.#describe(keys, NO_VALUES, toFacts);
  }

  read(keys: readonly string[], mostBytes: number): Promise<ReadonlyArray<Reading | null>> {
    return this.#describe(keys, Math.min(mostBytes, MAX_VALUE_BYTES), toReading);
  }

  async ttl(key: string): Promise<number | null | undefined> {
    const left = asNumber(await this.#link.command("read", "pttl", key));
    if (left === -2) return undefined;
    return left === -1 ? null : Math.max(left, 1);
  }

  async expire(key: string, ttlMs: number | null): Promise<boolean> {
    const args = [ttlMs === null ? "none" : String(ttlMs)];
    return asNumber(await this.#scripts.book(EXPIRE, { effect: "write", keys: [key], args })) === 1;
  }

  async incr(key: string, by: bigint, agent: string): Promise<bigint> {
    const args = [by.toString()];
    return BigInt(asText(await this.#scripts.book(INCREMENT, { effect: "write", agent, keys: [key], args })));
  }

  async publish(channel: string, payload: Bytes, agent: string): Promise<PublishResult> {
    checkSize("payload", payload);
    const run = { effect: "write", agent, args: [channel, payload] } as const;
    return this.#link.run("write", async (connection) => {
      const reply = asList(await this.#scripts.bookOn(connection, PUBLISH, run));
      const twice = asNumber(reply[2]) === 0 ? 0 : await countRepeats(connection, this.#layout, channel);
      return { receivers: Math.max(asNumber(reply[0]) - twice, 0), id: numberToId(asNumber(reply[1])) };
    });
  }

  async position(): Promise<number> {
    return asNumber((await this.#link.command("read", "get", this.#layout.id)) ?? 0);
  }

  follow<Of extends AnySelection>(selection: Of, options: FollowOptions): Follower<EntryOf<Of> | Gap> {
    return this.#followers.follow(selection, { ...options, patient: false });
  }

  /** The same, but a server that is away at the start is waited for, instead of failing `ready`. */
  followPatiently<Of extends AnySelection>(
    selection: Of,
    options: FollowOptions,
  ): Follower<EntryOf<Of> | Gap> {
    return this.#followers.follow(selection, { ...options, patient: true });
  }

  async work<Of extends AnySelection>(
    consumer: string,
    selection: Of,
    options: WorkerOptions,
  ): Promise<Worker<EntryOf<Of>>> {
    checkKept(selection, this.#options.history);
    const membership = membershipOf(consumer, selection, options);
    const worker = await RedisWorker.join(this.#place(options.agent), membership);
    this.#workers.add(worker);
    worker.onEnd(() => this.#workers.delete(worker));
    return worker as Worker<Entry> as Worker<EntryOf<Of>>; // what is selected decides what comes
  }

  consumers(): Promise<readonly ConsumerFacts[]> {
    return listConsumers(this.#place(""));
  }

  deleteConsumer(consumer: string): Promise<boolean> {
    return forgetConsumer(this.#place(""), consumer);
  }

  channels(pattern: string): Promise<readonly ChannelFacts[]> {
    return listChannels(this.#link, this.#layout, this.#options.history.maxAgeMs, pattern);
  }

  async status(): Promise<BackendStatus> {
    const store = await readStatus(this.#link, this.#layout, this.#options);
    return { store: "redis", why: "the backend is redis", stores: [store] };
  }

  async pin(): Promise<Backend> {
    return this;
  }

  async close(): Promise<void> {
    for (const worker of this.#workers) worker.abandon();
    await this.#followers.close();
    this.#link.close();
  }

  #place(agent: string): WorkerPlace {
    const { address, timeoutMs } = this.#options;
    const run: RunScript = (script, args, deadline, effect = "write") =>
      this.#scripts.run(script, { effect, agent, args, ...(deadline && { deadline }) });
    const sweep = sweepBy(this.#scripts);
    return { address, layout: this.#layout, link: this.#link, timeoutMs, run, sweep };
  }

  async #describe<Facts>(
    keys: readonly string[],
    mostBytes: number,
    factsOf: (key: string, reply: Reply, now: number) => Facts | null,
  ): Promise<ReadonlyArray<Facts | null>> {
    const deadline = this.#link.deadline();
    const facts: Array<Facts | null> = [];
    for (const some of chunks(keys, KEYS_A_SCRIPT)) {
      const run = { effect: "read", keys: some, args: [mostBytes], deadline } as const;
      const [now, ...replies] = asList(await this.#scripts.book(DESCRIBE, run));
      facts.push(...some.map((key, at) => factsOf(key, replies[at] ?? null, asNumber(now))));
    }
    return facts;
  }
}

function checkSize(what: string, bytes: Bytes): void {
  if (bytes.length <= MAX_VALUE_BYTES) return;
  throw usageError(`the ${what} is ${bytes.length} bytes long; the limit is ${MAX_VALUE_BYTES}`);
}
