/** Questions that do not wait for each other's answers. */
import { setImmediate as turn } from "node:timers/promises";

/** Where an answer goes, behind those of the questions before it. */
interface Place<Answer> {
  answer: { readonly is: Answer } | { readonly error: unknown } | null;
  next: Place<Answer> | null;
}

/** Answers in the order of their questions, for one loop: all that are there at a time. The first failure ends it, in its place. */
export class Answers<Answer> implements AsyncIterable<readonly Answer[]> {
  #first: Place<Answer> | null = null;
  #last: Place<Answer> | null = null;
  #ready: Answer[] = [];
  /** Questions whose answers the loop has not taken, or has not done with yet. */
  #untaken = 0;
  #isComplete = false;
  /** Nothing more is to be asked: an answer failed, or nobody takes them any more. */
  #isOver = false;
  #wakeTaker = () => {};
  #wakeAsker = () => {};

  get isOver(): boolean {
    return this.#isOver;
  }

  /** A question is under way. */
  add(answer: Promise<Answer>): void {
    const place: Place<Answer> = { answer: null, next: null };
    if (this.#last === null) this.#first = place;
    else this.#last.next = place;
    this.#last = place;
    this.#untaken++;
    answer.then(
      (is) => this.#settle(place, { is }),
      (error: unknown) => {
        this.stop();
        this.#settle(place, { error });
      },
    );
  }

  /** There are no more questions. */
  complete(): void {
    this.#isComplete = true;
    this.#wakeTaker();
  }

  stop(): void {
    this.#isOver = true;
    this.#wakeAsker();
  }

  /** Whether the answers to so many questions have not been dealt with yet. */
  isFull(most: number): boolean {
    return this.#untaken >= most;
  }

  /** Resolves when the answers to fewer questions are still to be dealt with, or all is over. */
  async room(most: number): Promise<void> {
    while (this.#untaken >= most && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#wakeAsker = resolve;
      });
    }
  }

  /** Those that come in one turn of the event loop are taken together; one that is waited for alone does not wait. */
  async *[Symbol.asyncIterator](): AsyncGenerator<readonly Answer[], void, undefined> {
    try {
      while (this.#untaken > 0 || !this.#isComplete) {
        if (this.#ready.length === 0) await this.#nextReady();
        if (this.#first !== null) await turn();
        const answers = this.#ready;
        this.#ready = [];
        if (answers.length > 0) yield answers;
        this.#untaken -= answers.length;
        this.#wakeAsker();
        this.#throwFailure();
      }
    } finally {
      this.stop();
    }
  }

  #settle(place: Place<Answer>, answer: NonNullable<Place<Answer>["answer"]>): void {
    place.answer = answer;
    if (place !== this.#first) return;
    let first: Place<Answer> | null = place;
    while (first !== null && first.answer !== null && "is" in first.answer) {
      this.#ready.push(first.answer.is);
      first = first.next;
    }
    this.#first = first;
    if (first === null) this.#last = null;
    this.#wakeTaker();
  }

  async #nextReady(): Promise<void> {
    if (this.#untaken === 0 && this.#isComplete) return;
    await new Promise<void>((resolve) => {
      this.#wakeTaker = resolve;
    });
  }

  #throwFailure(): void {
    const answer = this.#first?.answer ?? null;
    if (answer !== null && "error" in answer && this.#ready.length === 0) throw answer.error;
  }
}

/**
 * The answers, in the order of the questions. So many may be under way at once; after the first failure nothing more
 * is asked, and it is thrown in its place.
 */
export async function* pipelined<Question, Answer>(
  questions: AsyncIterable<readonly Question[]>,
  most: number,
  ask: (question: Question) => Promise<Answer>,
): AsyncGenerator<readonly Answer[], void, undefined> {
  const answers = new Answers<Answer>();
  askAll(answers, questions, most, ask).then(
    () => answers.complete(),
    (error: unknown) => {
      answers.add(Promise.reject(error));
      answers.complete();
    },
  );
  yield* answers;
}

async function askAll<Question, Answer>(
  answers: Answers<Answer>,
  questions: AsyncIterable<readonly Question[]>,
  most: number,
  ask: (question: Question) => Promise<Answer>,
): Promise<void> {
  for await (const some of questions) {
    for (const question of some) {
      if (answers.isFull(most)) await answers.room(most);
      if (answers.isOver) return;
      answers.add(ask(question));
    }
  }
}
