/** The board of a process that answers calls for hours: kept open between them, but not for long, and not if it had anything to say. */
import { statSync } from "node:fs";
import type { Blackboard } from "../../blackboard.ts";
import type { LoadedSettings } from "../../config/index.ts";
import { openWith } from "../../open.ts";

/** So long it waits for the next call. Later the server might have ended the connection, or somebody replaced the file. */
const IDLE_MS = 3000;

export class Keeper {
  readonly #loaded: LoadedSettings;
  #board: Promise<Blackboard> | null = null;
  #isSound = true;
  /** The board's file when it was opened; empty if there was none, as on a server. */
  #file = "";
  #tell: (notice: string) => void = () => {};
  #timer: NodeJS.Timeout | null = null;

  constructor(loaded: LoadedSettings) {
    this.#loaded = loaded;
  }

  /** For the call that is running; it is told what the board has to say. */
  async board(tell: (notice: string) => void): Promise<Blackboard> {
    this.#tell = tell;
    if (this.#board !== null && this.#file !== "" && this.#file !== this.#fileNow()) await this.close();
    this.#board ??= this.#open();
    return this.#board;
  }

  async #open(): Promise<Blackboard> {
    const board = await openWith(this.#loaded, (notice) => {
      this.doubt(); // the next call is to be told, too
      this.#tell(notice);
    });
    this.#file = this.#fileNow();
    return board;
  }

  /** Who has removed or replaced the board's file between two calls finds the next on a file that is there, as with a command. */
  #fileNow(): string {
    try {
      const { dev, ino } = statSync(this.#loaded.settings.memoryPath);
      return `${dev} ${ino}`;
    } catch {
      return ""; // who opens it will say why
    }
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
