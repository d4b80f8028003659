/** A live follower as other processes know it: a row in the registry, which publishers count and retention waits for. */
import { BlackboardError } from "../../core/errors.ts";
import type { AnySelection, FollowState } from "../../core/types.ts";
import type { Board } from "./board.ts";
import type { Channels } from "./channels.ts";
import type { Expiries } from "./expiries.ts";
import { Lockout } from "./lockout.ts";
import type { Reader } from "./reader.ts";
import { BEAT_MS } from "./registry.ts";

/** How long after an entry the row learns that it was read, in milliseconds; each time costs a small write. */
const SAVE_MS = 1000;

/** What followers of a store work with. */
export interface Surroundings {
  readonly board: Board;
  readonly channels: Channels;
  readonly expiries: Expiries;
}

/** Whom it tells what. */
export interface Told {
  readonly onState: (state: FollowState) => void;
  /** It can show no sign of life any more. */
  readonly onFailure: (error: unknown) => void;
}

export class Presence {
  readonly #around: Surroundings;
  readonly #selection: AnySelection;
  readonly #reader: Reader;
  readonly #onFailure: (error: unknown) => void;
  readonly #lockout: Lockout;
  readonly #beat: NodeJS.Timeout;
  #save: NodeJS.Timeout | null = null;
  /** Another one if it was taken for dead. */
  #row: number;
  /** How far the row says it has read. */
  #saved: number;

  /** Part of the transaction that finds out where the reader begins: from there on nothing can go unnoticed. */
  constructor(around: Surroundings, selection: AnySelection, reader: Reader, { onState, onFailure }: Told) {
    this.#around = around;
    this.#selection = selection;
    this.#reader = reader;
    this.#onFailure = onFailure;
    this.#lockout = new Lockout(around.board.db, onState);
    this.#saved = reader.position;
    this.#row = around.board.registry.insert(selection, this.#saved);
    reader.waitedForBy(this.#row);
    this.#beat = setInterval(this.#tell, BEAT_MS).unref();
  }

  /** Something is being read. */
  saveSoon(): void {
    this.#save ??= setTimeout(this.#tell, SAVE_MS).unref();
  }

  /** A row that cannot be removed now, in a locked or lost file, is removed when it shows no life any more. */
  end(): void {
    clearInterval(this.#beat);
    clearTimeout(this.#save ?? undefined);
    const leave = () => {
      this.#around.board.registry.remove(this.#row);
      this.#trim();
    };
    unlessAway(() => this.#lockout.quietly(() => this.#around.board.db.write(leave)));
  }

  /** A sign of life, and how far it has read. */
  readonly #tell = (): void => {
    this.#save = null;
    try {
      const update = () => this.#update();
      unlessAway(() => this.#lockout.attempt(() => this.#around.board.db.write(update)));
    } catch (error) {
      this.#onFailure(error);
    }
    if (this.#lockout.isOn) this.saveSoon();
  };

  #update(): void {
    const { position } = this.#reader;
    if (!this.#around.board.registry.beat(this.#row, position)) {
      this.#row = this.#around.board.registry.insert(this.#selection, position);
      this.#reader.waitedForBy(this.#row);
    }
    this.#trim();
    this.#saved = position;
  }

  /** What only waited to be read can go. */
  #trim(): void {
    this.#around.channels.trim(this.#reader.streamsReadSince(this.#saved));
  }
}

/** What fails now is tried again at the next beat; if the file is gone for good, the loop's own reading says so. */
function unlessAway(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof BlackboardError) || error.kind !== "unavailable") throw error;
  }
}
