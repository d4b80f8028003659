/**
 * How a worker that came alone goes on in order. In each channel it begins with what its predecessors hold: until that is taken
 * over, acknowledged or given back, it asks for nothing newer. That is over in a channel once nobody else holds
 * anything there, and in all of them as soon as the consumer has another worker.
 */
import { setAlarm } from "../../core/alarm.ts";
import type { FollowState } from "../../core/types.ts";

/** What others hold in a channel and may not be taken over yet. */
export interface Wait {
  readonly channel: string;
  readonly held: number;
  /** Until the first of them, and until all of them may be taken over. */
  readonly nextMs: number;
  readonly atMostMs: number;
}

/** What an answer to channels in which it goes in order says. */
export interface Progress {
  /** Whether the consumer has no other worker. */
  readonly isAlone: boolean;
  /** Channels where nobody else holds anything. */
  readonly free: readonly string[];
  readonly waits: readonly Wait[];
}

export class Succession {
  readonly #onDue: (channel: string) => void;
  readonly #free = new Set<string>();
  readonly #waits = new Map<string, Wait & { readonly cancel: () => void }>();
  #isOn = false;
  #isTold = false;

  /** @param onDue called when it is time to ask for a channel again */
  constructor(onDue: (channel: string) => void) {
    this.#onDue = onDue;
  }

  begin(): void {
    this.#isOn = true;
  }

  /** Whether there is nothing to be had in a channel yet, whatever is sent. */
  waitsIn(channel: string): boolean {
    return this.#waits.has(channel);
  }

  /** Whether it goes in order in a channel. It is being asked for: from now on what is heard of it counts again. */
  ask(channel: string): boolean {
    this.#waits.get(channel)?.cancel();
    this.#waits.delete(channel);
    return this.#isOn && !this.#free.has(channel);
  }

  learn({ isAlone, free, waits }: Progress): void {
    if (!isAlone) this.end();
    if (!this.#isOn) return;
    for (const channel of free) this.#free.add(channel);
    for (const wait of waits) {
      const cancel = setAlarm(wait.nextMs, () => this.#onDue(wait.channel));
      this.#waits.set(wait.channel, { ...wait, cancel });
    }
    if (this.#waits.size === 0) this.#isTold = false;
  }

  /** Says what is being waited for, once. */
  tell(onState: (state: FollowState) => void): void {
    if (this.#isTold || this.#waits.size === 0) return;
    this.#isTold = true;
    const waits = [...this.#waits.values()];
    const held = waits.reduce((sum, wait) => sum + wait.held, 0);
    const atMostMs = waits.reduce((most, wait) => Math.max(most, wait.atMostMs), 0);
    onState({ state: "waiting", store: "redis", held, atMostMs });
  }

  /** For good: what is there may be asked for. */
  end(): void {
    this.#isOn = false;
    const waiting = [...this.#waits.keys()];
    for (const { cancel } of this.#waits.values()) cancel();
    this.#waits.clear();
    for (const channel of waiting) this.#onDue(channel);
  }
}
