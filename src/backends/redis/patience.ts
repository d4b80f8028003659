/** Trying again while the store is away. */
import { setTimeout as sleep } from "node:timers/promises";
import { BlackboardError } from "../../core/errors.ts";
import type { Absence } from "./absence.ts";
import type { Deadline } from "./deadline.ts";
import { RefusedError } from "./errors.ts";
import type { Link } from "./link.ts";

/** Pauses between attempts, in milliseconds; doubled each time, and cut by up to half at random. */
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1000;

interface Trying {
  readonly work: unknown;
  /** By the process's clock. */
  readonly begun: number;
  readonly boundMs: number;
}

/** What is tried again may have happened before: it must be something that may happen twice. */
export class Patience {
  readonly #link: Link;
  readonly #absence: Absence;
  readonly #stop = new AbortController();
  #last: Deadline | null = null;

  /** @param absence told of a server that says no for longer than the store's bound: no connection is lost, so nobody else says it */
  constructor(link: Link, absence: Absence) {
    this.#link = link;
    this.#absence = absence;
  }

  /**
   * Tries until it is done, each time within the store's bound.
   * @throws BlackboardError `unknown` if it was ended; or what another attempt would not mend
   */
  async run<Result>(work: (deadline: Deadline) => Promise<Result>): Promise<Result> {
    const begun = performance.now();
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      const last = this.#last;
      const deadline = last ?? this.#link.deadline();
      try {
        const result = await work(deadline);
        this.#absence.end(work);
        return result;
      } catch (error) {
        if (last !== null) throw inVain(error);
        this.#tell(error, { work, begun, boundMs: deadline.withinMs });
        if (!isPassing(error)) throw error;
      }
      await this.#pause(pauseMs);
    }
  }

  /** Whatever is being tried gets one more attempt, all of them together the store's bound. */
  end(): void {
    this.#last ??= this.#link.deadline();
    this.#stop.abort();
  }

  /** What is tried no more stands in nobody's way. */
  #tell(error: unknown, { work, begun, boundMs }: Trying): void {
    if (!isPassing(error)) this.#absence.end(work);
    else if (error instanceof RefusedError && performance.now() - begun >= boundMs) {
      this.#absence.begin(work, error.message, begun);
    }
  }

  async #pause(ms: number): Promise<void> {
    const { signal } = this.#stop;
    if (signal.aborted) return;
    await sleep(ms * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => undefined); // aborted: ended
  }
}

function isPassing(error: unknown): boolean {
  return error instanceof BlackboardError && (error.kind === "unavailable" || error.kind === "unknown");
}

function inVain(cause: unknown): BlackboardError {
  const message = "the store could not be told before the worker was closed";
  return new BlackboardError("unknown", message, {
    hint: "the message may come to another worker again",
    cause,
  });
}
