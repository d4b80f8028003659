/** Questions that do not wait for each other's answers. */
import { Queue } from "../core/queue.ts";

/**
 * The answers, in the order of the questions. So many may be under way at once; after the first failure nothing more
 * is asked, and it is thrown in its place.
 */
export async function* pipelined<Question, Answer>(
  questions: AsyncIterable<Question>,
  most: number,
  ask: (question: Question) => Promise<Answer>,
): AsyncGenerator<Answer, void, undefined> {
  const answers = new Queue<Promise<Answer>>();
  let open = 0;
  let isOver = false;
  let goOn = () => {};
  const end = () => {
    isOver = true;
    goOn();
  };
  const askAll = async () => {
    for await (const question of questions) {
      if (open >= most && !isOver) await new Promise<void>((resolve) => (goOn = resolve));
      if (isOver) return;
      const answer = ask(question);
      answer.catch(end);
      answers.push(answer);
      open++;
    }
  };
  askAll().then(
    () => answers.end(),
    (error: unknown) => answers.fail(error),
  );
  try {
    for await (const answer of answers) {
      yield await answer;
      open--;
      goOn();
    }
  } finally {
    end();
  }
}
