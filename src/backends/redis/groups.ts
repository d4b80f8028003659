/** Operations of one kind that are asked for in one go: they travel in one run of a script, and each has an outcome of its own. */
import type { GroupingLink } from "./grouping-link.ts";

/** Other clients are not to be held up for more than a few milliseconds; a script takes about 10 µs a step. */
const MOST_STEPS = 64;
/** What all of a group may bring along, in bytes. Whatever is larger goes by itself. */
const MOST_BYTES = 262_144;

/** Does each of the steps, in order. An outcome for each: an error for one that failed, the others notwithstanding. */
export type RunSteps<Step, Outcome> = (
  agent: string,
  steps: readonly Step[],
) => Promise<ReadonlyArray<Outcome | Error>>;

export class Groups<Step, Outcome> {
  readonly #link: GroupingLink;
  readonly #run: RunSteps<Step, Outcome>;
  /** The one that can be joined. */
  #open: Group<Step, Outcome> | null = null;

  constructor(link: GroupingLink, run: RunSteps<Step, Outcome>) {
    this.#link = link;
    this.#run = run;
  }

  /** @param bytes what the step brings along */
  join(agent: string, step: Step, bytes: number): Promise<Outcome> {
    const group = this.#open !== null && hasRoom(this.#open, agent, bytes) ? this.#open : this.#begin(agent);
    group.steps.push(step);
    group.bytes += bytes;
    return new Promise((resolve, reject) => group.waiting.push({ resolve, reject }));
  }

  #begin(agent: string): Group<Step, Outcome> {
    const group: Group<Step, Outcome> = { agent, steps: [], waiting: [], bytes: 0 };
    this.#link.gather(() => this.#leave(group)); // the one before leaves first
    this.#open = group;
    return group;
  }

  #leave({ agent, steps, waiting }: Group<Step, Outcome>): void {
    this.#open = null;
    this.#run(agent, steps).then(
      (outcomes) => tell(waiting, outcomes),
      (error: unknown) => {
        for (const { reject } of waiting) reject(error);
      },
    );
  }
}

interface Group<Step, Outcome> {
  readonly agent: string;
  readonly steps: Step[];
  readonly waiting: Array<Waiting<Outcome>>;
  bytes: number;
}

interface Waiting<Outcome> {
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (reason: unknown) => void;
}

function hasRoom(group: Group<unknown, never>, agent: string, bytes: number): boolean {
  return group.steps.length < MOST_STEPS && group.bytes + bytes <= MOST_BYTES && group.agent === agent;
}

function tell<Outcome>(
  waiting: ReadonlyArray<Waiting<Outcome>>,
  outcomes: ReadonlyArray<Outcome | Error>,
): void {
  waiting.forEach(({ resolve, reject }, at) => {
    const outcome = outcomes[at];
    if (outcome === undefined || outcome instanceof Error) reject(outcome);
    else resolve(outcome);
  });
}
