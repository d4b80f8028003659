/** Exit codes: the one table. Help, docs and errors are made from it or checked against it. */
import { BlackboardError, type ErrorKind } from "../core/errors.ts";

export interface Exit {
  readonly code: number;
  readonly meaning: string;
}

export const EXITS = {
  done: { code: 0, meaning: "done; also when the reader of the output went away" },
  absent: {
    code: 1,
    meaning: "absent: no such key, no history of it, no such consumer, nobody holds the lock",
  },
  usage: { code: 2, meaning: "wrong usage or configuration" },
  timeout: { code: 3, meaning: "timed out waiting for what was asked" },
  unavailable: { code: 4, meaning: "store unavailable, or the outcome is unknown" },
  conflict: {
    code: 5,
    meaning:
      "conflict: condition or fence refused, lock held or lost, wrong type, over --max, consumer deleted",
  },
  bug: { code: 70, meaning: "a fault of timmy-bb itself" },
  hungUp: { code: 129, meaning: "the terminal was closed (SIGHUP)" },
  interrupted: { code: 130, meaning: "interrupted (SIGINT)" },
  quit: { code: 131, meaning: "quit from the keyboard (SIGQUIT)" },
  terminated: { code: 143, meaning: "terminated (SIGTERM)" },
} as const satisfies Record<string, Exit>;

export type ExitName = keyof typeof EXITS;

/** Which exit an error of a kind leads to. */
export const EXIT_OF_KIND: Readonly<Record<ErrorKind, ExitName>> = {
  usage: "usage",
  config: "usage",
  timeout: "timeout",
  unavailable: "unavailable",
  unknown: "unavailable",
  conflict: "conflict",
  internal: "bug",
};

/** How a program ends that was told to stop. */
export const EXIT_OF_SIGNAL = {
  SIGHUP: "hungUp",
  SIGINT: "interrupted",
  SIGQUIT: "quit",
  SIGTERM: "terminated",
} as const satisfies Record<string, ExitName>;

export type StopSignal = keyof typeof EXIT_OF_SIGNAL;

export function isStopSignal(word: unknown): word is StopSignal {
  return typeof word === "string" && word in EXIT_OF_SIGNAL;
}

/** A command behind `--` that cannot be started. The exits are those of every shell. */
export class CannotRun extends BlackboardError {
  /** 127: it is not there; 126: it is no program, or may not be run. */
  readonly status: 126 | 127;

  constructor(status: 126 | 127, message: string, options: { cause: unknown; hint?: string }) {
    super("usage", message, options);
    this.status = status;
  }
}
