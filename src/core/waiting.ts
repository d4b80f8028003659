/**
 * Waiting for keys. It follows them first and looks then, so that no change can come between the look and the wait; and it looks
 * again whenever something happened to one of them, or the store is back: what counts is how things are, not what was heard.
 */
import { setAlarm } from "./alarm.ts";
import type { Backend, Follower } from "./backend.ts";
import { formatDuration } from "./duration.ts";
import { BlackboardError } from "./errors.ts";
import type { Change, FollowState, Gap, Reading } from "./types.ts";
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

class Wait {
  readonly #store: Pick<Backend, "follow" | "read">;
  readonly #keys: readonly string[];
  readonly #condition: Condition;
  readonly #follower: Follower<Change | Gap>;
  /** Keys of which a change has come. */
  readonly #changed = new Set<string>();
  readonly #end = new AbortController();
  #isNews = false;
  #wake: () => void = () => {};

  constructor(
    store: Pick<Backend, "follow" | "read">,
    keys: readonly string[],
    condition: Condition,
    { onState }: WaitOptions,
  ) {
    this.#store = store;
    this.#keys = [...new Set(keys)];
    this.#condition = condition;
    const told = (state: FollowState) => {
      onState(state);
      if (state.state === "back") this.#tell(); // foreign clients may have done something meanwhile
    };
    const selection = { keys: this.#keys, patterns: [] };
    this.#follower = store.follow(selection, { from: condition.from, live: true, onState: told });
  }

  async run({ signal, timeoutMs }: WaitOptions): Promise<readonly Found[]> {
    let callOff = () => {};
    const over = new Promise<never>((_, reject) => {
      signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
      if (timeoutMs !== undefined) callOff = setAlarm(timeoutMs, () => reject(late(timeoutMs)));
    });
    try {
      return await Promise.race([this.#untilFound(), this.#hear(), over]);
    } finally {
      callOff();
      this.#end.abort();
      await this.#follower.close();
    }
  }

  async #untilFound(): Promise<readonly Found[]> {
    await this.#follower.ready;
    for (;;) {
      this.#isNews = false;
      const found = await this.#look();
      const enough = this.#condition.isAnyEnough ? found.length > 0 : found.length === this.#keys.length;
      if (enough) return found;
      if (!this.#isNews) await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** As long as it is waited. @throws what following fails with */
  async #hear(): Promise<never> {
    for await (const item of this.#follower) {
      // Of what retention has dropped nobody knows: to look once too often is better than to wait for ever.
      for (const key of "gap" in item ? this.#keys : [item.key]) this.#changed.add(key);
      this.#tell();
    }
    return new Promise(() => {}); // it was closed, and whoever closed it says why
  }

  #tell(): void {
    this.#isNews = true;
    this.#wake();
  }

  async #look(): Promise<readonly Found[]> {
    const keys =
      this.#condition.until === "changed" ? this.#keys.filter((key) => this.#changed.has(key)) : this.#keys;
    const readings = await readPatiently(this.#store, keys, this.#end.signal);
    return keys
      .map((key, at) => ({ key, reading: readings[at] ?? null }))
      .filter(({ reading }) => this.#holds(reading));
  }

  #holds(reading: Reading | null): boolean {
    const { until } = this.#condition;
    if (until === "changed") return true;
    if (until === "absent") return reading === null;
    if (reading === null || until === "present") return reading !== null;
    return reading.value?.equals(until.value) ?? false;
  }
}

function late(timeoutMs: number): BlackboardError {
  return new BlackboardError("timeout", `timed out after ${formatDuration(timeoutMs)}`);
}
