/**
 * The board through the real command with `--json`. Every answer is checked as well as read: JSON lines and nothing
 * else on stdout, nothing on stderr unless there is an error, one JSON error then, and the exit code of its kind.
 */
import type { Entry, Gap, StoreName } from "../../src/core/types.ts";
import { type CliOptions, runCli, startCli } from "../helpers/cli.ts";
import { until } from "../helpers/until.ts";
import {
  answerOf,
  changeItemIn,
  channelFactsIn,
  consumerIn,
  factsIn,
  inOrder,
  itemIn,
  knownIn,
  none,
  one,
  publishedIn,
  sameName,
  withoutNotices,
} from "./cli-answers.ts";
import { conditionWords, refused, refusedSet, valueCondition } from "./cli-conditions.ts";
import { CliLocks } from "./cli-locks.ts";
import { MISUSES } from "./cli-misuses.ts";
import { PlainCli } from "./cli-plain.ts";
import { CliSubscription } from "./cli-subscription.ts";
import { asWord, followWords, fromWords, waitWords, watchWords } from "./cli-words.ts";
import {
  type Board,
  type BoardSettings,
  type ClearOptions,
  type ConditionalAnswer,
  type Deed,
  Failure,
  type Followed,
  type FollowOptions,
  type Found,
  type ListOptions,
  type PlainBoard,
  type SetAnswer,
  type SetOptions,
  type WaitOptions,
  type WatchOptions,
} from "./driver.ts";
import { environmentOf } from "./environment.ts";
import type { BoardLocks } from "./locking.ts";
import { bytesIn, nameIn, numberIn, numberOrNull, type Row, storesIn, textIn } from "./rows.ts";

/** Longer arguments go through standard input. */
const MAX_ARGUMENT_BYTES = 65_536;

/** Tells how many followers a board has; the readiness of another process can only be seen from outside. */
export type CountFollowers = () => Promise<number>;

export function openCliBoard(settings: BoardSettings, countFollowers: CountFollowers): Board {
  return new CliBoard(settings, countFollowers);
}

/** How the command is run for a board: from an empty home, all settings in its environment. */
export function callOptions(settings: BoardSettings): CliOptions {
  return { env: environmentOf(settings), cwd: settings.place.home };
}

class CliBoard implements Board {
  readonly settings: BoardSettings;
  readonly plain: PlainBoard;
  readonly locks: BoardLocks;
  readonly #countFollowers: CountFollowers;
  readonly #subscriptions = new Set<{ close(): Promise<void> }>();

  constructor(settings: BoardSettings, countFollowers: CountFollowers) {
    this.settings = settings;
    this.#countFollowers = countFollowers;
    this.plain = new PlainCli(callOptions(settings));
    this.locks = new CliLocks((words, args) => this.#call(words, args), callOptions(settings));
  }

  async get(key: string) {
    const { exit, rows } = await this.#call(["get"], [key]);
    if (exit === "absent") return none(rows, null);
    return sameName(one(rows), "key", key) && bytesIn(one(rows), "value");
  }

  async read(key: string) {
    const { exit, rows } = await this.#call(["get"], [key]);
    if (exit === "absent") return none(rows, null);
    return sameName(one(rows), "key", key) && knownIn(one(rows));
  }

  async set(key: string, value: string | Uint8Array, options: SetOptions = {}): Promise<SetAnswer> {
    const input = inputOf(value);
    const words = ["set", ...ttlWords(options), ...conditionWords(options)];
    try {
      const { rows } = await this.#call(words, [key, ...input.words], input.bytes);
      return { written: true, id: sameName(one(rows), "key", key) && textIn(one(rows), "id") };
    } catch (error) {
      return refusedSet(error);
    }
  }

  async del(...keys: string[]) {
    return numberIn(one((await this.#call(["del"], keys)).rows), "deleted");
  }

  async delIf(key: string, value: string | Uint8Array): Promise<ConditionalAnswer> {
    try {
      const { rows } = await this.#call(["del", valueCondition(value)], [key]);
      if (numberIn(one(rows), "deleted") === 1) return { done: true };
    } catch (error) {
      return refused(error, "not deleted");
    }
    throw new Error("neither deleted nor refused");
  }

  async take(keys: readonly string[], waitMs?: number) {
    const limit = waitMs === undefined ? [] : waitWords({ waitMs });
    const words = ["take", ...limit, ...this.#globals, "--", ...keys];
    try {
      const { exit, rows } = answerOf(withoutNotices(await runCli(words, callOptions(this.settings))));
      if (exit === "absent" && waitMs === undefined) return none(rows, null);
      return knownIn(one(rows));
    } catch (error) {
      if (error instanceof Failure && error.kind === "timeout" && waitMs !== undefined) return null;
      throw error;
    }
  }

  async exists(...keys: string[]) {
    const { exit, rows } = await this.#call(["exists"], keys);
    const existing = numberIn(one(rows), "existing");
    if ((exit === "done") !== (existing === keys.length))
      throw new Error(`exit ${exit} for ${existing} keys`);
    return existing;
  }

  async keys(pattern?: string, limit?: number) {
    const words = limit === undefined ? [] : [`--limit=${limit}`];
    const { rows } = await this.#call(["keys", ...words], optional(pattern));
    return inOrder(rows.map((row) => nameIn(row, "key")));
  }

  async list(pattern?: string, options: ListOptions = {}) {
    const stale = options.staleMs === undefined ? [] : [`--stale=${options.staleMs}ms`];
    const by = options.by === undefined ? [] : [`--by=${options.by}`];
    const { rows } = await this.#call(["keys", "--long", ...stale, ...by], optional(pattern));
    inOrder(rows.map((row) => nameIn(row, "key")));
    return rows.map(factsIn);
  }

  async ttl(key: string) {
    const { exit, rows } = await this.#call(["ttl"], [key]);
    if (exit === "absent") return none(rows, undefined);
    const ttlMs = numberOrNull(one(rows), "ttl_ms");
    const seconds = ttlMs === null ? -1 : Math.ceil(ttlMs / 1000);
    if (numberIn(one(rows), "ttl") !== seconds) throw new Error("ttl and ttl_ms disagree");
    return ttlMs;
  }

  async expire(key: string, ttlMs: number) {
    return this.#whetherPresent(["expire"], [key, `${ttlMs}ms`], ttlMs);
  }

  async expireIf(key: string, value: string | Uint8Array, ttlMs: number): Promise<ConditionalAnswer> {
    try {
      const words = ["expire", valueCondition(value)];
      if (await this.#whetherPresent(words, [key, `${ttlMs}ms`], ttlMs)) return { done: true };
      throw new Error("expire exited 1: under a condition an absent key is a refusal");
    } catch (error) {
      return refused(error, "not changed");
    }
  }

  async persist(key: string) {
    return this.#whetherPresent(["persist"], [key], null);
  }

  async incr(key: string, by?: bigint) {
    const { rows } = await this.#call(["incr"], [key, ...(by === undefined ? [] : [String(by)])]);
    const value = one(rows).value;
    if (typeof value !== "number" && typeof value !== "string") throw new Error("no value");
    return BigInt(value);
  }

  async publish(channel: string, payload: string | Uint8Array) {
    const input = inputOf(payload);
    const { rows } = await this.#call(["publish"], [channel, ...input.words], input.bytes);
    return sameName(one(rows), "channel", channel) && publishedIn(one(rows));
  }

  async publishAll(channel: string, payloads: readonly string[]) {
    const { rows } = await this.#call(["publish", "--lines"], [channel], Buffer.from(payloads.join("\n")));
    return rows.map(publishedIn);
  }

  subscribe(channels: readonly string[], options: FollowOptions = {}) {
    const words = ["subscribe", ...followWords(options), ...channels.map(asWord)];
    return this.#follow(words, itemIn, options.live !== false);
  }

  watch(keys: readonly string[], options: WatchOptions = {}) {
    const words = ["watch", ...watchWords(options), ...keys.map(asWord)];
    return this.#follow(words, changeItemIn, options.live !== false);
  }

  async wait(keys: readonly string[], options: WaitOptions = {}): Promise<Found[]> {
    const words = ["wait", ...waitWords(options), ...this.#globals, "--", ...keys];
    const { exit, rows } = answerOf(withoutNotices(await runCli(words, callOptions(this.settings))));
    if (exit === "absent") throw new Error("a wait has no answer `absent`");
    return rows.map((row) => ({ key: nameIn(row, "key"), known: knownIn(row) }));
  }

  async history(key: string, from: Pick<FollowOptions, "last" | "since"> = {}) {
    const { exit, rows } = await this.#call(["history", ...fromWords(from)], [key]);
    const items = rows.map(changeItemIn);
    if ((exit === "absent") !== items.every((item) => "gap" in item)) throw new Error(`exit ${exit}`);
    return items;
  }

  async consumers() {
    const { rows } = await this.#call(["consumers", "list"], []);
    const shown = rows.map((row) => this.#call(["consumers", "show"], [nameIn(row, "consumer")]));
    return (await Promise.all(shown)).map((answer) => consumerIn(one(answer.rows)));
  }

  async deleteConsumer(consumer: string) {
    const { exit, rows } = await this.#call(["consumers", "delete"], [consumer]);
    const deleted = numberIn(one(rows), "deleted");
    if ((exit === "done") === (deleted === 1)) return deleted === 1;
    throw new Error(`exit ${exit} for ${deleted} deleted`);
  }

  async failAtOne(of: Followed, consumer: string, retries: number) {
    const start = typeof of === "string" ? ["subscribe", of] : ["watch", of.keys];
    const words = [...start, "--consumer", consumer, "--retries", String(retries), "--", "false"];
    const { exitCode, stdout } = await runCli(words, callOptions(this.settings));
    if (exitCode !== 1 || stdout.length > 0) throw new Error(`exit ${exitCode}, ${stdout}`);
  }

  async channels(pattern?: string) {
    const { rows } = await this.#call(["channels"], optional(pattern));
    inOrder(rows.map((row) => nameIn(row, "channel")));
    return rows.map(channelFactsIn);
  }

  async clear(pattern?: string, { olderThanMs, max, dryRun, yes }: ClearOptions = {}) {
    const words = [
      "clear",
      ...(olderThanMs === undefined ? [] : [`--older-than=${olderThanMs}ms`]),
      ...(max === undefined ? [] : [`--max=${max}`]),
      ...(dryRun ? ["--dry-run"] : []),
      ...(yes ? ["--yes"] : []),
    ];
    const { rows } = await this.#call(words, optional(pattern));
    return numberIn(one(rows), dryRun ? "would_delete" : "deleted");
  }

  async status() {
    const row = one((await this.#call(["status"], [])).rows);
    const store: StoreName = textIn(row, "store") === "redis" ? "redis" : "memory";
    return { store, why: textIn(row, "why"), stores: storesIn(row) };
  }

  async toldStatus() {
    const { told } = await this.#call(["status"], []);
    const { stdout, stderr } = await runCli(["status", "--debug"], callOptions(this.settings));
    return `${told}\n${stdout}\n${stderr}`;
  }

  get misuses() {
    return MISUSES.map((words) => ({
      what: words.join(" "),
      call: async () => answerOf(await runCli(["--json", ...words], callOptions(this.settings))),
    }));
  }

  async elsewhere(deed: Deed) {
    if (deed.do === "publish") await this.publish(deed.channel, deed.payload);
    else for (let count = 0; count < deed.times; count++) await this.incr(deed.key);
  }

  async close() {
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.close()));
  }

  /** An empty variable counts as none, so an empty prefix needs the flag. */
  get #globals(): string[] {
    return this.settings.prefix === "" ? ["--json", "--prefix="] : ["--json"];
  }

  /** Resolves when it is ready. */
  async #follow<Item extends Entry>(
    words: readonly string[],
    read: (row: Row) => Item | Gap,
    isLive: boolean,
  ): Promise<CliSubscription<Item>> {
    const before = await this.#countFollowers();
    const started = startCli([...words, ...this.#globals], callOptions(this.settings));
    const subscription = new CliSubscription(started, read);
    this.#subscriptions.add(subscription);
    if (!isLive) return subscription;
    const isReady = async () => subscription.isOver || (await this.#countFollowers()) > before;
    await until("a subscriber", isReady);
    if (subscription.isOver) await subscription.ended; // with its error, if there was one
    return subscription;
  }

  async #whetherPresent(
    words: readonly string[],
    args: readonly [key: string, ...string[]],
    ttlMs: number | null,
  ) {
    const { exit, rows } = await this.#call(words, args);
    if (exit === "absent") return none(rows, false);
    if (numberOrNull(one(rows), "ttl_ms") !== ttlMs) throw new Error(`${words[0]} tells another ttl`);
    return sameName(one(rows), "key", args[0]);
  }

  /** Options first, then `--`, so that any key or value can follow. */
  async #call(words: readonly string[], args: readonly string[], input?: Uint8Array) {
    const options = { ...callOptions(this.settings), ...(input === undefined ? {} : { input }) };
    return answerOf(await runCli([...words, ...this.#globals, "--", ...args], options));
  }
}

function ttlWords({ ttlMs }: SetOptions): string[] {
  if (ttlMs === undefined) return [];
  if (ttlMs === "keep") return ["--keep-ttl"];
  return [ttlMs === null ? "--no-ttl" : `--ttl=${ttlMs}ms`];
}

/** A value as a word, or as standard input where it cannot be one. */
function inputOf(value: string | Uint8Array): { words: string[]; bytes?: Uint8Array } {
  const bytes = Buffer.from(value);
  const text = bytes.toString("utf8");
  const isWord = bytes.length <= MAX_ARGUMENT_BYTES && !bytes.includes(0) && text !== "-";
  return isWord && Buffer.from(text).equals(bytes) ? { words: [text] } : { words: [], bytes };
}

function optional(word: string | undefined): string[] {
  return word === undefined ? [] : [word];
}
