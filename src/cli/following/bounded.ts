/** Once its term is over, a command waits for the store no longer than for one operation: an absence may last for ever. */
import { setAlarm } from "../../core/alarm.ts";
import { BlackboardError } from "../../core/errors.ts";
import type { Feed } from "./feed.ts";
import type { Words } from "./words.ts";

/**
 * The same feed; what the store is told of an entry fails with `unknown` if it takes longer than that after the end of
 * the term, or, begun later, in all.
 */
export function boundedAfter(term: AbortSignal, timeoutMs: number, feed: Feed, words: Words): Feed {
  const begun = new Set<() => void>();
  const startAll = () => {
    for (const startClock of begun) startClock();
  };
  term.addEventListener("abort", startAll, { once: true });
  const bounded = <Result>(work: Promise<Result>) =>
    new Promise<Result>((resolve, reject) => {
      let callOff = () => {};
      const startClock = () => {
        callOff = setAlarm(timeoutMs, () => reject(notTold(words)));
      };
      if (term.aborted) startClock();
      else begun.add(startClock);
      const end = () => {
        begun.delete(startClock);
        callOff();
      };
      work.then(resolve, reject).finally(end);
    });
  return {
    next: () => feed.next(),
    ack: (taken) => bounded(feed.ack(taken)),
    fail: (taken, reason) => bounded(feed.fail(taken, reason)),
    release: (taken) => bounded(feed.release(taken)),
    close: () => feed.close(),
  };
}

function notTold({ entry }: Words): BlackboardError {
  return new BlackboardError("unknown", `the store is away and could not be told what became of a ${entry}`, {
    hint: "it may be handled once more",
  });
}
