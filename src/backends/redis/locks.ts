/** The locks of one board, and who stands in line for them. */
import type { Grant, LockFacts, LockPatience, LockRequest, RefreshOptions } from "../../core/lock.ts";
import type { BoardScripts, Run } from "./board-scripts.ts";
import type { Connection } from "./connection.ts";
import { Deadline, DeadlineError } from "./deadline.ts";
import { noAnswerWithin, RefusedError } from "./errors.ts";
import { type Effect, noAnswer } from "./link.ts";
import { listLocks, writeClaimant } from "./lock-facts.ts";
import { ACQUIRE, REFRESH, RELEASE } from "./lock-scripts.ts";
import { asList, asNumber, type Reply } from "./replies.ts";
import type { Script } from "./scripts.ts";
import type { SubscriberPlace } from "./sessions.ts";
import { type Ask, Waiter } from "./waiter.ts";

/** How long whoever stops waiting tries to say so. If it cannot, the server sees it by the connection that is gone. */
const LEAVING_MS = 1000;

export class Locks {
  readonly #place: SubscriberPlace;
  readonly #scripts: BoardScripts;
  readonly #closing = new AbortController();

  constructor(place: SubscriberPlace, scripts: BoardScripts) {
    this.#place = place;
    this.#scripts = scripts;
  }

  async try(lock: string, request: LockRequest): Promise<Grant | null> {
    return grantOf(await this.#ask(ACQUIRE, acquisition("write", "try", lock, request)));
  }

  async await(lock: string, request: LockRequest, { signal, onState }: LockPatience): Promise<Grant | null> {
    const { link } = this.#place;
    link.checkOpen();
    const stop = AbortSignal.any([signal, this.#closing.signal]);
    // "read", because it asks again with the same token if no answer comes: nothing is left unknown.
    const asking = acquisition("read", "wait", lock, request);
    const question = new Question();
    const ask: Ask = (deadline) => question.put((sent) => this.#ask(ACQUIRE, asking, deadline, sent));
    const grant = await new Waiter(this.#place, request.token, ask).wait(stop, onState);
    if (grant !== null && !stop.aborted) return grant;
    link.checkOpen();
    const hasLeft = await this.#leave(lock, request.token);
    if (hasLeft || (grant === null && !question.isOpen)) return null;
    throw noAnswer("write", this.#place.address.shown, "nor when the waiting was over");
  }

  async refresh(lock: string, token: string, { ttlMs, withinMs }: RefreshOptions): Promise<Grant | null> {
    const deadline = this.#place.link.deadline();
    const run: Run = { effect: "write", args: [lock, token, ttlMs ?? ""] };
    const refreshing = this.#ask(REFRESH, run, deadline);
    return grantOf(await (withinMs < deadline.leftMs ? this.#within(withinMs, refreshing) : refreshing));
  }

  async release(lock: string, token: string): Promise<boolean> {
    return asNumber(await this.#scripts.run(RELEASE, { effect: "write", args: [lock, token] })) === 1;
  }

  list(lock: string | null): Promise<readonly LockFacts[]> {
    const { link, layout } = this.#place;
    return listLocks(link, layout, this.#scripts, lock);
  }

  /** Whoever waits is told that the board is closed. */
  close(): void {
    this.#closing.abort();
  }

  /** Whether the server knows. */
  #leave(lock: string, token: string): Promise<boolean> {
    const bound = new Deadline(Math.min(LEAVING_MS, this.#place.timeoutMs));
    return bound.race(this.release(lock, token)).then(
      () => true,
      () => false, // see LEAVING_MS
    );
  }

  /** A shorter bound than the store's. The connection is not given up at its end: others use it, too. */
  async #within<Result>(ms: number, work: Promise<Result>): Promise<Result> {
    const bound = new Deadline(ms);
    try {
      return await bound.race(work);
    } catch (error) {
      if (!(error instanceof DeadlineError)) throw error;
      throw noAnswer("write", this.#place.address.shown, noAnswerWithin(bound));
    }
  }

  #ask(
    script: Script,
    run: Run,
    deadline = this.#place.link.deadline(),
    sent = () => {},
  ): Promise<Grant | number> {
    const send = async (connection: Connection): Promise<Grant | number> => {
      sent();
      const askedAt = performance.now();
      return toAnswer(await this.#scripts.runOn(connection, script, run), askedAt);
    };
    return this.#place.link.run(run.effect, send, deadline);
  }
}

/** A question that is put again and again. What was granted without the asker hearing of it, a later answer would tell. */
class Question {
  /** Whether the last one that was sent had no answer: a server that stood still may give it yet. */
  isOpen = false;

  async put<Answer>(ask: (sent: () => void) => Promise<Answer>): Promise<Answer> {
    try {
      const answer = await ask(() => {
        this.isOpen = true;
      });
      this.isOpen = false;
      return answer;
    } catch (error) {
      if (error instanceof RefusedError) this.isOpen = false;
      throw error;
    }
  }
}

function acquisition(effect: Effect, how: "try" | "wait", lock: string, request: LockRequest): Run {
  const { token, ttlMs, slots, owner } = request;
  return { effect, agent: owner, args: [lock, token, ttlMs, slots, how, writeClaimant(request)] };
}

/** A grant, or the number that there is instead. */
function toAnswer(reply: Reply, askedAt: number): Grant | number {
  if (typeof reply === "number") return reply;
  const [fence, ends, ttl] = asList(reply);
  return { fence: asNumber(fence), expiresAt: asNumber(ends), ttlMs: asNumber(ttl), askedAt };
}

function grantOf(answer: Grant | number): Grant | null {
  return typeof answer === "number" ? null : answer;
}
