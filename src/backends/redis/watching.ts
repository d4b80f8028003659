/** Following keys: what a follower of changes does beside listening and reading the log. */
import type { FollowState, KeySelection } from "../../core/types.ts";
import { ChangeSubscription } from "./change-subscription.ts";
import type { Deadline } from "./deadline.ts";
import { RefusedError } from "./errors.ts";
import type { Followed } from "./follow.ts";
import { foreignChanges, lacking, NOT_SEEN } from "./keyspace-events.ts";
import type { Layout } from "./layout.ts";
import type { Link } from "./link.ts";
import type { Session } from "./session.ts";
import { type RunSweep, Sweeper } from "./sweeper.ts";

export interface WatchPlace {
  readonly layout: Layout;
  readonly database: number;
  readonly link: Link;
  readonly sweep: RunSweep;
  /** Runs the script `PROBE`. */
  readonly probe: (deadline: Deadline) => Promise<unknown>;
}

/** What the server must tell of, by the letters of its setting. */
const WANTED: ReadonlyArray<readonly [event: string, letter: string]> = [
  ["set", "$"],
  ["del", "g"],
];

export class Watching implements Followed {
  readonly source: ChangeSubscription;
  readonly #place: WatchPlace;
  readonly #sweeper: Sweeper;
  readonly #onState: (state: FollowState) => void;
  #hasTold = false;

  constructor(place: WatchPlace, selection: KeySelection, onState: (state: FollowState) => void) {
    this.#place = place;
    this.#onState = onState;
    const asides = {
      onDue: (ms: number) => this.#sweeper.hear(ms),
      onGone: (key: string, event: "expired" | "del") => this.#sweeper.ask(key, event),
      onSettled: (key: string) => this.#sweeper.settle(key),
    };
    this.source = new ChangeSubscription(place.layout, place.database, selection, asides);
    this.#sweeper = new Sweeper(place.link, place.sweep, this.source.giveUp);
  }

  /** A server that takes no writes can be followed all the same. */
  readonly begun = async (session: Session | null, signal: AbortSignal): Promise<void> => {
    if (session === null) await this.#unlessRefused(this.#sweeper.once(signal));
    else {
      const work = [this.#sweeper.begin(signal), this.#listen(session, signal)];
      await Promise.all(work.map((part) => this.#unlessRefused(part)));
    }
  };

  async #unlessRefused(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      if (!isRefused(error)) throw error;
      this.#tell(error.message);
    }
  }

  /** Finds out whether the server tells what foreign clients do: by doing something, for not everybody may ask for its settings. */
  async #listen(session: Session, signal: AbortSignal): Promise<void> {
    const { link, probe } = this.#place;
    await probe(link.deadline(signal));
    await session.settled(link.deadline(signal));
    const missing = WANTED.filter(([event]) => !this.source.told.has(event)).map(([, letter]) => letter);
    if (missing.length > 0) return this.#tell(lacking(`K${missing.join("")}`));
    const setting = await foreignChanges(link, link.deadline(signal)); // expiries cannot be tried out
    if (setting.startsWith(NOT_SEEN)) this.#tell(setting.slice(NOT_SEEN.length));
  }

  #tell(reason: string): void {
    if (this.#hasTold) return;
    this.#hasTold = true;
    this.#onState({ state: "partial", store: "redis", reason });
  }
}

/** The server is there, and does not do it. */
function isRefused(error: unknown): error is RefusedError {
  if (!(error instanceof RefusedError)) return false;
  return error.kind === "config" || error.kind === "unavailable";
}
