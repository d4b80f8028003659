/**
 * How far a follower has come, and what it knows that it has not got.
 *
 * As long as it hears everything, one number is enough: nothing up to the last id handed on is missing. While it reads
 * the log, each channel has a number of its own. What is missing shows in two ways: an entry of the log names the
 * channel's message before it; and of what no log holds (any more), the follower knows the number, because it was the
 * channel's newest before the subscription was in force, or came by the subscription when there was no room for it.
 */
import { numberToId } from "../../core/ids.ts";
import type { Gap } from "../../core/types.ts";
import { CHANGES } from "./layout.ts";

export class Progress {
  #last = 0;
  /** Nothing is missing up to here, in any channel; `null`: up to the last. */
  #base: number | null = null;
  /** Where channels have come to since. */
  readonly #lastOf = new Map<string, number>();
  /** The newest message of a channel that exists and was not handed on when it came. */
  readonly #missed = new Map<string, number>();

  /** The number of the last message handed on, or where reading begins. */
  get last(): number {
    return this.#last;
  }

  /** Forgets everything and begins behind a number. @param base up to where nothing was asked for, if that is later */
  start(last: number, base = last): void {
    this.settle();
    this.#last = last;
    this.#base = base;
  }

  /** Nothing is missing any more up to the last message handed on, or that was told. */
  settle(): void {
    this.#base = null;
    this.#lastOf.clear();
    this.#missed.clear();
  }

  /** Handed on, or known not to be there: all up to this number. */
  advance(number: number): void {
    this.#last = number;
  }

  /** A message of this number exists, and must be read from the log. */
  miss(channel: string, number: number): void {
    this.#base ??= this.#last;
    if (number > (this.#missed.get(channel) ?? 0)) this.#missed.set(channel, number);
  }

  /** A message is handed on: the gap that stands before it, if there is one. `before`: the channel's one before it. */
  take(channel: string, number: number, before: number): Gap | null {
    this.#base ??= this.#last;
    const missed = this.#missed.get(channel) ?? 0;
    const after = this.#lastOf.get(channel) ?? this.#base;
    this.#lastOf.set(channel, number);
    this.#last = number;
    if (Math.max(before, missed < number ? missed : 0) <= after) return null;
    return gap(channel, after, number);
  }

  /** The gaps behind which nothing is there, of what was missed up to a number. */
  rest(upTo: number): Gap[] {
    const gaps: Gap[] = [];
    for (const [channel, number] of this.#missed) {
      if (number > upTo) continue;
      this.#missed.delete(channel);
      const after = this.#lastOf.get(channel) ?? this.#base ?? this.#last;
      if (number <= after) continue;
      this.#lastOf.set(channel, number);
      gaps.push(gap(channel, after, null));
    }
    return gaps;
  }
}

function gap(channel: string, after: number, next: number | null): Gap {
  return {
    gap: {
      channel: channel === CHANGES ? null : channel,
      after: numberToId(after),
      next: next === null ? null : numberToId(next),
    },
  };
}
