/** The board of a process that answers calls for hours: kept open between them, but not for long, and not if it had anything to say. */
import type { Blackboard } from "../../blackboard.ts";
import type { LoadedSettings } from "../../config/index.ts";
import { openWith } from "../../open.ts";

/** So long it waits for the next call. Later the server might have ended the connection, or somebody replaced the file. */
const IDLE_MS = 3000;

export class Keeper {
  readonly #loaded: LoadedSettings;
  #board: Promise<Blackboard> | null = null;
  #isSound = true;
  #tell: (notice: string) => void = () => {};
  #timer: NodeJS.Timeout | null = null;

  constructor(loaded: LoadedSettings) {
    this.#loaded = loaded;
  }

  /** For the call that is running; it is told what the board has to say. */
  board(tell: (notice: string) => void): Promise<Blackboard> {
    this.#tell = tell;
    this.#board ??= openWith(this.#loaded, (notice) => {
      this.doubt(); // the next call is to be told, too
      this.#tell(notice);
    });
    return this.#board;
  }

  /** The next call shall look anew. */
  doubt(): void {
    this.#isSound = false;
  }

  /** The call has ended. */
  async rest(): Promise<void> {
    if (!this.#isSound) await this.close();
    else if (this.#timer !== null) this.#timer.refresh();
    else this.#timer = setTimeout(() => void this.close(), IDLE_MS).unref();
  }

  async close(): Promise<void> {
    const board = this.#board;
    this.#board = null;
    this.#isSound = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    await board?.then(
      (opened) => opened.close(),
      () => {}, // it could not be opened, as the call has been told
    );
  }
}
