/** Records on their way out: each leaves at once, together with those that are there by then. */
import { setImmediate as turn } from "node:timers/promises";
import type { Sink } from "./sink.ts";

/** So much waits at most while a write is under way; then the maker of the records waits, too. */
const FULL_BYTES = 65_536;

type Written = ((isOut: boolean) => void) | undefined;

export class RecordStream {
  /** What a write failed with; from then on nothing goes out. */
  failure: Error | null = null;
  readonly #out: Sink;
  readonly #onFailure: (error: Error) => void;
  #waiting: Uint8Array[] = [];
  #size = 0;
  #callbacks: Written[] = [];
  #writing: Promise<void> | null = null;

  constructor(out: Sink, onFailure: (error: Error) => void) {
    this.#out = out;
    this.#onFailure = onFailure;
  }

  /** True: enough is waiting, no more should be added before `drained`. */
  add(bytes: Uint8Array, written?: Written): boolean {
    this.#waiting.push(bytes);
    this.#size += bytes.length;
    if (written !== undefined) this.#callbacks.push(written);
    this.#writing ??= this.#write();
    return this.#size >= FULL_BYTES;
  }

  /** Resolves when nothing is waiting any more. */
  async drained(): Promise<void> {
    await this.#writing;
  }

  /** The turn of the event loop lets records join that are ready now, and signals and timers have their say. */
  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      await turn();
      const [block, callbacks] = [Buffer.concat(this.#waiting), this.#callbacks];
      this.#waiting = [];
      this.#callbacks = [];
      this.#size = 0;
      await this.#send(block);
      for (const written of callbacks) written?.(this.failure === null);
    }
    this.#writing = null;
  }

  async #send(block: Uint8Array): Promise<void> {
    if (this.failure !== null) return;
    try {
      await this.#out.write(block);
    } catch (error) {
      this.failure = error instanceof Error ? error : new Error(String(error));
      this.#onFailure(this.failure);
    }
  }
}
