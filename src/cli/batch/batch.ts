/** A batch: commands from standard input, so many of them under way at once, and a reply to each, in their order. */
import type { Context } from "../command.ts";
import { wholeLines } from "../lines.ts";
import { Answers } from "../pipeline.ts";
import { ReaderGone, type Sink } from "../sink.ts";
import { Calls, type PartCall } from "./calls.ts";
import { untilAborted } from "./input.ts";
import { noInput, Part, type Whole } from "./part.ts";
import { endsAll, errorReply, outcomeReply, type Reply } from "./replies.ts";
import { Tally } from "./tally.ts";
import { Turns } from "./turns.ts";
import { textLines, wordsOf } from "./words.ts";

/** The commands that are under way have about so many characters at most: 16 Mi. */
const MOST_CHARACTERS = 16 * 1024 * 1024;
/** And so many replies may wait to be written. */
const MOST_REPLIES = 1000;

/** A line, and where it stood. */
interface Line {
  readonly number: number;
  readonly size: number;
}

export class Batch {
  /** One after the other, and none behind one that failed. */
  readonly #isStrict: boolean;
  readonly #calls = new Calls();
  readonly #answers = new Answers<Reply>();
  readonly #tally = new Tally();
  /** Aborted when nothing more is to be begun. */
  readonly #enough = new AbortController();
  readonly #whole: Whole;

  constructor(context: Context, isStrict: boolean) {
    this.#whole = {
      context,
      input: noInput(context.input),
      turns: new Turns(),
      signal: new AbortController().signal,
      isUnread: false,
    };
    this.#isStrict = isStrict;
    context.signal.addEventListener("abort", () => this.#enough.abort(), { once: true });
  }

  /** @throws BlackboardError of the kind of the first failure, when all is done that was to be done */
  async speak(out: Sink): Promise<void> {
    this.#readAll().then(
      () => this.#answers.complete(),
      (error: unknown) => {
        this.#answers.add(Promise.reject(error));
        this.#answers.complete();
      },
    );
    for await (const replies of this.#answers) await this.#write(out, replies);
    this.#tally.conclude();
  }

  async #readAll(): Promise<void> {
    const { signal } = this.#enough;
    let number = 0;
    for await (const block of wholeLines(untilAborted(this.#whole.context.input.chunks(), signal))) {
      for (const text of textLines(block)) {
        const later = this.#take(text, ++number);
        if (later !== null) await later;
        if (signal.aborted) return this.#tally.stop();
      }
    }
  }

  /** What is returned is to be waited for before the next is taken. */
  #take(text: string, number: number): Promise<void> | null {
    const line = { number, size: text.length };
    try {
      const words = wordsOf(text);
      if (words.length === 0) return null;
      const call = this.#whole.turns.isOpen ? this.#calls.known(words) : null;
      return call === null ? this.#read(words, line) : this.#begin(call, line);
    } catch (error) {
      return this.#refuse(error, line);
    }
  }

  async #read(words: readonly string[], line: Line): Promise<void> {
    let call: PartCall;
    try {
      call = await this.#calls.read(words);
      const { context, turns } = this.#whole;
      if (!turns.isOpen) turns.open(await context.board());
    } catch (error) {
      return this.#refuse(error, line);
    }
    await this.#begin(call, line);
  }

  async #refuse(error: unknown, { number }: Line): Promise<void> {
    await this.#answers.room(this.#isStrict ? 1 : MOST_REPLIES);
    if (!this.#enough.signal.aborted) this.#add(number, Promise.resolve(this.#failed(error, number)));
  }

  #begin(call: PartCall, line: Line): Promise<void> | null {
    const most = this.#isStrict ? 1 : Math.min(call.command.atOnce ?? 1, MOST_CHARACTERS / line.size);
    if (most <= 1 || this.#answers.isFull(most)) return this.#beginLater(call, line, most);
    this.#add(line.number, this.#answer(call, line));
    return null;
  }

  async #beginLater(call: PartCall, line: Line, most: number): Promise<void> {
    await this.#answers.room(most);
    if (this.#enough.signal.aborted) return;
    this.#add(line.number, this.#answer(call, line));
    if (most <= 1) await this.#answers.room(1);
  }

  #add(line: number, reply: Promise<Reply>): void {
    this.#tally.begun = line;
    this.#answers.add(reply);
  }

  async #answer({ command, given }: PartCall, { number }: Line): Promise<Reply> {
    const part = new Part(this.#whole);
    try {
      const reply = outcomeReply(await command.run(part, given));
      return reply instanceof Promise ? await reply : reply;
    } catch (error) {
      return this.#failed(error, number);
    } finally {
      part.end();
    }
  }

  #failed(error: unknown, line: number): Reply {
    this.#tally.fail(line, error);
    if (this.#isStrict || endsAll(error)) this.#enough.abort();
    return errorReply(error);
  }

  async #write(out: Sink, replies: readonly Reply[]): Promise<void> {
    let text = "";
    for (const reply of replies) text += reply.text;
    const isOut = !this.#whole.isUnread && (await this.#put(out, text));
    for (const { written } of replies) await written?.(isOut);
  }

  /** Nobody has to read the replies: the commands are the work. */
  async #put(out: Sink, text: string): Promise<boolean> {
    try {
      await out.write(text);
      return true;
    } catch (error) {
      if (!(error instanceof ReaderGone)) throw error;
      this.#whole.isUnread = true;
      return false;
    }
  }
}
