/** The redis store: the contract of `core/backend.ts` on a Redis or Valkey server. */
import type {
  Backend,
  BoardSettings,
  Capabilities,
  DelOptions,
  FollowOptions,
  SetOptions,
} from "../../core/backend.ts";
import { BlackboardError, usageError } from "../../core/errors.ts";
import { numberToId } from "../../core/ids.ts";
import type { RedisAddress } from "../../core/redis-url.ts";
import type {
  BackendStatus,
  Bytes,
  ChannelFacts,
  ConsumerFacts,
  KeyFacts,
  PublishResult,
  Selection,
  SetResult,
} from "../../core/types.ts";
import { checkKept, type WorkerOptions } from "../../core/worker.ts";
import { countRepeats, listChannels } from "./channels.ts";
import { chunks } from "./chunks.ts";
import type { Argument } from "./connection.ts";
import { forgetConsumer, listConsumers } from "./consumers.ts";
import type { Deadline } from "./deadline.ts";
import { type FollowStart, type RedisFollower, startFollower } from "./follow.ts";
import { provenance, toFacts } from "./key-facts.ts";
import { scanKeys } from "./keys.ts";
import { type Layout, layoutOf } from "./layout.ts";
import { evaluate, Link } from "./link.ts";
import { asBytes, asList, asNumber, asText } from "./replies.ts";
import { DELETE, DESCRIBE, EXPIRE, INCREMENT, PUBLISH, SET } from "./scripts.ts";
import { readStatus } from "./status.ts";
import { membershipOf, type RunScript } from "./supply.ts";
import { RedisWorker, type WorkerPlace } from "./worker.ts";

export interface RedisOptions extends BoardSettings {
  /** With the password already in it. */
  readonly address: RedisAddress;
}

/** Redis's own limit of a string. */
const MAX_VALUE_BYTES = 512 * 1024 * 1024;
/** Keys a script takes at once, so that it does not hold up other clients for more than a few milliseconds. */
const KEYS_A_SCRIPT = 100;
/** Keys of one plain EXISTS. */
const KEYS_A_COMMAND = 1000;

export class RedisStore implements Backend {
  readonly capabilities: Capabilities = { maxValueBytes: MAX_VALUE_BYTES, foreignClients: true };
  readonly #options: RedisOptions;
  readonly #layout: Layout;
  readonly #link: Link;
  readonly #followers = new Set<RedisFollower>();
  readonly #workers = new Set<RedisWorker>();

  /** Connects at the first operation, or by `connect`. */
  constructor(options: RedisOptions) {
    this.#options = options;
    this.#layout = layoutOf(options.prefix);
    this.#link = new Link({ address: options.address, layout: this.#layout, timeoutMs: options.timeoutMs });
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
    const reply = asList(
      await this.#link.script("write", SET, [this.#layout.id, key], this.#header(agent, args)),
    );
    if (reply[0] === 1) return { written: true, id: numberToId(asNumber(reply[1])) };
    return { written: false, ...provenance(reply[1], reply[2]) };
  }

  async del(keys: readonly string[], options: DelOptions): Promise<number> {
    const deadline = this.#link.deadline();
    let deleted = 0;
    for (const some of chunks([...new Set(keys)], KEYS_A_SCRIPT)) {
      deleted += await this.#delSome(some, options, deadline, deleted);
    }
    return deleted;
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

  async describe(keys: readonly string[]): Promise<ReadonlyArray<KeyFacts | null>> {
    const deadline = this.#link.deadline();
    const facts: Array<KeyFacts | null> = [];
    for (const some of chunks(keys, KEYS_A_SCRIPT)) {
      const [now, ...replies] = asList(
        await this.#link.script("read", DESCRIBE, [this.#layout.id, ...some], this.#header("", []), deadline),
      );
      some.forEach((key, at) => {
        facts.push(toFacts(key, replies[at] ?? null, asNumber(now)));
      });
    }
    return facts;
  }

  async ttl(key: string): Promise<number | null | undefined> {
    const left = asNumber(await this.#link.command("read", "pttl", key));
    if (left === -2) return undefined;
    return left === -1 ? null : Math.max(left, 1);
  }

  async expire(key: string, ttlMs: number | null): Promise<boolean> {
    const args = this.#header("", [ttlMs === null ? "none" : String(ttlMs)]);
    return asNumber(await this.#link.script("write", EXPIRE, [this.#layout.id, key], args)) === 1;
  }

  async incr(key: string, by: bigint, agent: string): Promise<bigint> {
    const args = this.#header(agent, [by.toString()]);
    return BigInt(asText(await this.#link.script("write", INCREMENT, [this.#layout.id, key], args)));
  }

  async publish(channel: string, payload: Bytes, agent: string): Promise<PublishResult> {
    checkSize("payload", payload);
    const args = this.#header(agent, [channel, payload, this.#options.address.db]);
    return this.#link.run("write", async (connection) => {
      const reply = asList(await evaluate(connection, PUBLISH, [this.#layout.id], args));
      const twice = asNumber(reply[2]) === 0 ? 0 : await countRepeats(connection, this.#layout, channel);
      return { receivers: Math.max(asNumber(reply[0]) - twice, 0), id: numberToId(asNumber(reply[1])) };
    });
  }

  follow(selection: Selection, options: FollowOptions): RedisFollower {
    return this.#follow(selection, { ...options, patient: false });
  }

  /** The same, but a server that is away at the start is waited for, instead of failing `ready`. */
  followPatiently(selection: Selection, options: FollowOptions): RedisFollower {
    return this.#follow(selection, { ...options, patient: true });
  }

  async work(consumer: string, selection: Selection, options: WorkerOptions): Promise<RedisWorker> {
    checkKept(this.#options.history.messagesPerChannel);
    const membership = membershipOf(consumer, selection, options);
    const worker = await RedisWorker.join(this.#place(options.agent), membership);
    this.#workers.add(worker);
    worker.onEnd(() => this.#workers.delete(worker));
    return worker;
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
    await Promise.all([...this.#followers].map((follower) => follower.close()));
    this.#link.close();
  }

  #follow(selection: Selection, start: FollowStart): RedisFollower {
    const { address, timeoutMs, history } = this.#options;
    const { maxAgeMs } = history;
    const place = { address, layout: this.#layout, link: this.#link, timeoutMs, maxAgeMs };
    const follower = startFollower(place, selection, start);
    this.#followers.add(follower);
    void follower.ended.then(() => this.#followers.delete(follower));
    return follower;
  }

  #place(agent: string): WorkerPlace {
    const { address, timeoutMs } = this.#options;
    const run: RunScript = (script, args, deadline, effect = "write") =>
      this.#link.script(effect, script, [this.#layout.id], this.#header(agent, args), deadline);
    return { address, layout: this.#layout, link: this.#link, timeoutMs, run };
  }

  /** Once some are gone, "nothing was changed" would be a lie, and falling back to another store a fault. */
  async #delSome(
    keys: readonly string[],
    options: DelOptions,
    deadline: Deadline,
    before: number,
  ): Promise<number> {
    const args = this.#header(options.agent, [options.unwrittenForMs ?? ""]);
    try {
      return asNumber(await this.#link.script("write", DELETE, [this.#layout.id, ...keys], args, deadline));
    } catch (error) {
      if (before === 0 || !(error instanceof BlackboardError) || error.kind !== "unavailable") throw error;
      throw new BlackboardError("unknown", `${error.message}, after ${before} keys were deleted`);
    }
  }

  #header(agent: string, args: readonly Argument[]): readonly Argument[] {
    const { changes, messagesPerChannel, maxAgeMs } = this.#options.history;
    return [this.#layout.root, agent, changes, messagesPerChannel, maxAgeMs, ...args];
  }
}

function checkSize(what: string, bytes: Bytes): void {
  if (bytes.length <= MAX_VALUE_BYTES) return;
  throw usageError(`the ${what} is ${bytes.length} bytes long; the limit is ${MAX_VALUE_BYTES}`);
}
