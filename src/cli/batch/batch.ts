/** A batch: commands from standard input, so many of them under way at once, and a reply to each, in their order. */
import type { Context } from "../command.ts";
import { wholeLines } from "../lines.ts";
import { Answers } from "../pipeline.ts";
import { ReaderGone, type Sink } from "../sink.ts";
import { Calls, type PartCall } from "./calls.ts";
import { noInput, untilAborted } from "./input.ts";
import { Part, type Whole } from "./part.ts";
import { endsAll, errorReply, notBegun, outcomeReply, type Reply } from "./replies.ts";
import { Tally } from "./tally.ts";
import { Turns } from "./turns.ts";
import { textLines, withoutMark, wordsOf } from "./words.ts";

/** The commands that are under way have about so many characters at most, and so have the replies that wait to be written: 16 Mi. */
const MOST_CHARACTERS = 16 * 1024 * 1024;
/** Replies are put together to so many at most: 1 Mi. */
const MOST_IN_A_WRITE = 1024 * 1024;
/** How soon it is forgotten how large the replies were. */
const FADING = 0.98;
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
  /** Characters of the replies that wait to be written. */
  #waiting = 0;
  /** Of a reply, as large as they are lately. */
  #usual = 0;
  /** Why replies are not written any more; thrown when all is done. */
  #failure: { readonly error: unknown } | null = null;

  constructor(context: Context, isStrict: boolean) {
    this.#whole = {
      context,
      input: noInput(context.input),
      turns: new Turns(() => this.#waiting > 0 && this.#waiting + this.#usual > MOST_CHARACTERS),
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
    for await (const replies of this.#answers)
      for (const some of together(replies)) await this.#write(out, some);
    if (this.#failure !== null) throw this.#failure.error;
    this.#tally.conclude();
  }

  async #readAll(): Promise<void> {
    const { signal } = this.#enough;
    let number = 0;
    for await (const block of wholeLines(untilAborted(this.#whole.context.input.chunks(), signal))) {
      for (const text of textLines(number === 0 ? withoutMark(block) : block)) {
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
      if (!this.#whole.turns.isOpen) await this.#open();
    } catch (error) {
      return this.#refuse(error, line);
    }
    if (!this.#enough.signal.aborted) await this.#begin(call, line);
  }

  async #open(): Promise<void> {
    const { context, turns } = this.#whole;
    const board = await context.board();
    board.keepOrder();
    turns.open(board);
  }

  async #refuse(error: unknown, { number, size }: Line): Promise<void> {
    await this.#answers.room(this.#isStrict ? 1 : Math.min(MOST_REPLIES, MOST_CHARACTERS / size));
    if (!this.#enough.signal.aborted) this.#add(number, Promise.resolve(this.#failed(error, number)));
  }

  #begin(call: PartCall, line: Line): Promise<void> | null {
    const most = this.#isStrict
      ? 1
      : Math.min(atOnce(call), MOST_CHARACTERS / Math.max(line.size, this.#usual));
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

  async #answer({ command, given }: PartCall, { number, size }: Line): Promise<Reply> {
    const part = new Part(this.#whole, size);
    try {
      const reply = outcomeReply(await command.run(part, given));
      return this.#counted(reply instanceof Promise ? await reply : reply);
    } catch (error) {
      return this.#failed(error, number);
    } finally {
      part.end();
    }
  }

  #counted(reply: Reply): Reply {
    this.#waiting += reply.size;
    this.#usual = Math.max(this.#usual * FADING, reply.size);
    return reply;
  }

  #failed(error: unknown, line: number): Reply {
    this.#tally.fail(line, error);
    if (endsAll(error)) this.#end(error);
    else if (this.#isStrict) this.#enough.abort();
    return errorReply(error);
  }

  /** Nothing more is begun, not even what only waits for its turn. */
  #end(error: unknown): void {
    this.#whole.turns.close(notBegun(error));
    this.#enough.abort();
  }

  async #write(out: Sink, replies: readonly Reply[]): Promise<void> {
    const isOut = await this.#put(out, replies);
    for (const { size, written } of replies) {
      this.#waiting -= size;
      try {
        await written?.(isOut);
      } catch (error) {
        this.#stop(error);
      }
    }
    this.#whole.turns.goOn();
  }

  /** Nobody has to read the replies: the commands are the work. But what cannot be written though somebody waits for it ends it all. */
  async #put(out: Sink, replies: readonly Reply[]): Promise<boolean> {
    if (this.#whole.isUnread) return false;
    try {
      await out.write(replies.length === 1 ? (replies[0]?.text ?? "") : joined(replies));
      return true;
    } catch (error) {
      this.#whole.isUnread = true;
      if (!(error instanceof ReaderGone)) this.#stop(error);
      return false;
    }
  }

  #stop(error: unknown): void {
    this.#failure ??= { error };
    this.#end(error);
  }
}

/** What reads a file is alone: what many had read would wait in memory. */
function atOnce({ command, given }: PartCall): number {
  if (given.text("file") !== undefined || given.text("ifValueFile") !== undefined) return 1;
  return (typeof command.atOnce === "function" ? command.atOnce(given) : command.atOnce) ?? 1;
}

function joined(replies: readonly Reply[]): string {
  let text = "";
  for (const reply of replies) text += reply.text;
  return text;
}

/** In parts that are not too much for one write. */
function* together(replies: readonly Reply[]): Generator<readonly Reply[]> {
  let some: Reply[] = [];
  let size = 0;
  for (const reply of replies) {
    if (size > 0 && size + reply.text.length > MOST_IN_A_WRITE) {
      yield some;
      some = [];
      size = 0;
    }
    some.push(reply);
    size += reply.text.length;
  }
  yield some;
}
