/**
 * Waiting for keys. It looks, and if that is not enough it follows them and looks again, so that no change can come between the look and
 * the wait; and then whenever something happened to one of them, or the store is back: what counts is how things are, not what was heard.
 */
import { setAlarm } from "./alarm.ts";
import type { Backend, Follower } from "./backend.ts";
import { formatDuration } from "./duration.ts";
import { BlackboardError } from "./errors.ts";
import { idToNumber } from "./ids.ts";
import type { Change, FollowState, Gap, KeySelection, Reading, Start } from "./types.ts";
import type { Condition } from "./watch-options.ts";
import { readPatiently } from "./watching.ts";

/** A key that is as it was waited for. */
export interface Found {
  readonly key: string;
  /** What is there; `null`: it is absent. */
  readonly reading: Reading | null;
}

export interface WaitOptions {
  /** Ends it: the promise is rejected with the signal's reason. */
  readonly signal: AbortSignal | undefined;
  readonly onState: (state: FollowState) => void;
  readonly timeoutMs: number | undefined;
}

/** The keys (whole names) that fulfil the condition, in the order given, once that is enough. @throws BlackboardError `timeout` */
export async function waitFor(
  store: Pick<Backend, "follow" | "read">,
  keys: readonly string[],
  condition: Condition,
  options: WaitOptions,
): Promise<readonly Found[]> {
  options.signal?.throwIfAborted();
  const wait = new Wait(store, keys, condition, options);
  return wait.run(options);
}

type Read = Backend["read"];

class Wait {
  readonly #store: Pick<Backend, "follow" | "read">;
  readonly #keys: readonly string[];
  readonly #condition: Condition;
  readonly #onState: (state: FollowState) => void;
  #follower: Follower<Change | Gap> | null = null;
  /** Keys of which a change has come. */
  readonly #changed = new Set<string>();
  /** Changes were dropped before they came, nobody knows of which keys: to be woken once too often is better than never. */
  #isUnsure = false;
  readonly #end = new AbortController();
  readonly #begun = performance.now();
  #isNews = false;
  #wake: () => void = () => {};
  #markLooked: () => void = () => {};
  /** However short the time, it is looked once, unless the store is away. */
  readonly #looked = new Promise<void>((resolve) => {
    this.#markLooked = resolve;
  });

  constructor(
    store: Pick<Backend, "follow" | "read">,
    keys: readonly string[],
    condition: Condition,
    { onState }: WaitOptions,
  ) {
    this.#store = store;
    this.#keys = [...new Set(keys)];
    this.#condition = condition;
    this.#onState = onState;
  }

  async run({ signal, timeoutMs }: WaitOptions): Promise<readonly Found[]> {
    let stop = () => {};
    const over = new Promise<never>((_, reject) => {
      stop = () => reject(signal?.reason);
      if (timeoutMs === undefined) return;
      const callOff = setAlarm(timeoutMs, () => void this.#looked.then(() => reject(late(timeoutMs))));
      this.#end.signal.addEventListener("abort", callOff);
    });
    signal?.addEventListener("abort", stop);
    try {
      return await Promise.race([this.#untilFound(), over]);
    } finally {
      signal?.removeEventListener("abort", stop);
      this.#end.abort();
      await this.#follower?.close();
    }
  }

  /** What is so already needs no following. */
  async #untilFound(): Promise<readonly Found[]> {
    await this.#replay();
    const found = await this.#find(this.#store.read.bind(this.#store));
    if (found !== null) return found;
    this.#markLooked();
    if (this.#end.signal.aborted) return []; // nobody waits any more
    const options = { from: null, live: true, onState: this.#hearState };
    const follower = this.#store.follow(this.#selection, options);
    this.#follower = follower;
    await follower.ready;
    return Promise.race([this.#following(), this.#hear(follower)]);
  }

  async #following(): Promise<readonly Found[]> {
    await this.#replay();
    const read: Read = (keys, mostBytes) =>
      readPatiently(this.#store, keys, this.#end.signal, { mostBytes, onFailure: this.#markLooked });
    for (;;) {
      this.#isNews = false;
      const found = await this.#find(read);
      if (found !== null) return found;
      if (!this.#isNews) await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** What has changed already counts, too. */
  async #replay(): Promise<void> {
    const { from } = this.#condition;
    if (from === null) return;
    const past = this.#store.follow(this.#selection, { from, live: false, onState: () => {} });
    this.#end.signal.addEventListener("abort", () => void past.close().catch(() => {}));
    for await (const item of past) this.#note(item);
  }

  /** As long as it is waited. @throws what following fails with */
  async #hear(follower: Follower<Change | Gap>): Promise<never> {
    for await (const item of follower) {
      this.#note(item);
      this.#tell();
    }
    if (!this.#end.signal.aborted) throw new BlackboardError("unavailable", "the store was closed");
    return new Promise(() => {}); // it was closed here, and why is known
  }

  readonly #hearState = (state: FollowState): void => {
    this.#onState(state);
    if (state.state === "away") this.#markLooked();
    if (state.state === "back") this.#tell(); // foreign clients may have done something meanwhile
  };

  #note(item: Change | Gap): void {
    if ("gap" in item) this.#isUnsure = true;
    else this.#changed.add(item.key);
  }

  get #selection(): KeySelection {
    return { keys: this.#keys, patterns: [] };
  }

  #tell(): void {
    this.#isNews = true;
    this.#wake();
  }

  /** `null`: it is not enough. Values may be large: they are read when they are wanted. */
  async #find(read: Read): Promise<readonly Found[] | null> {
    if (typeof this.#condition.until !== "object" && !this.#isEnough(await this.#look(read, 0))) return null;
    const found = await this.#look(read, Number.POSITIVE_INFINITY);
    return this.#isEnough(found) ? found : null;
  }

  #isEnough(found: readonly Found[]): boolean {
    return this.#condition.isAnyEnough ? found.length > 0 : found.length === this.#keys.length;
  }

  async #look(read: Read, mostBytes: number): Promise<readonly Found[]> {
    const { until, from } = this.#condition;
    const isHeardOf = until === "changed" && from === null && !this.#isUnsure;
    const keys = isHeardOf ? this.#keys.filter((key) => this.#changed.has(key)) : this.#keys;
    const readings = await read(keys, mostBytes);
    return keys.map((key, at) => ({ key, reading: readings[at] ?? null })).filter((one) => this.#holds(one));
  }

  #holds({ key, reading }: Found): boolean {
    const { until } = this.#condition;
    if (until === "changed") return this.#changed.has(key) || this.#mayHaveChanged(reading);
    if (until === "absent") return reading === null;
    if (reading === null || until === "present") return reading !== null;
    return reading.value?.equals(until.value) ?? false;
  }

  /** In no log: a foreign client wrote it, or the change was dropped. */
  #mayHaveChanged(reading: Reading | null): boolean {
    const { from } = this.#condition;
    if (from !== null && reading !== null && reading.id === null) return true;
    return this.#isUnsure && !isOlder(reading, from, performance.now() - this.#begun);
  }
}

/**
 * Whether a key was certainly written last before changes count. Of what retention has dropped only this tells.
 * @param waitedMs since the waiting began
 */
function isOlder(reading: Reading | null, from: Start | null, waitedMs: number): boolean {
  if (reading === null || reading.id === null || from === null) return false;
  if ("after" in from) return (idToNumber(reading.id) ?? 0) <= from.after;
  if ("sinceMs" in from) return (reading.at ?? 0) < from.sinceMs;
  return "agoMs" in from && (reading.ageMs ?? 0) - waitedMs > from.agoMs;
}

function late(timeoutMs: number): BlackboardError {
  return new BlackboardError("timeout", `timed out after ${formatDuration(timeoutMs)}`);
}
