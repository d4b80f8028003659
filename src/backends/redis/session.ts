/** One connection of somebody who listens: subscribed, watched over, gone. */
import { setTimeout as sleep } from "node:timers/promises";
import type { RedisAddress } from "../../core/redis-url.ts";
import { newestNumbers, readClock } from "./channels.ts";
import type { Connection } from "./connection.ts";
import { listening } from "./connections.ts";
import { AbortedError, Deadline, DeadlineError } from "./deadline.ts";
import { dial } from "./dial.ts";
import {
  ConnectionLostError,
  closedError,
  noAnswerWithin,
  replyToError,
  ServerReplyError,
  UnreachableError,
} from "./errors.ts";
import type { Layout } from "./layout.ts";
import { asNumber } from "./replies.ts";
import type { Delivery, Source } from "./subscription.ts";

export interface SessionPlace {
  readonly address: RedisAddress;
  readonly layout: Layout;
  /** The number of the last entry seen before; infinite if nothing can have been missed. */
  readonly after: number;
}

/** What is listened to. */
export type Ear = Pick<Source, "channelArguments" | "patternArguments" | "restart" | "receive">;

/** The board just before a subscription was in force. */
type Moment = Pick<Session, "position" | "clock" | "newest">;

export class Session {
  /** The number of the last log entry before the subscription took hold. */
  readonly position: number;
  /** The server's clock then, as the first number of its millisecond. */
  readonly clock: number;
  /** The newest number of each channel of the board then, where it is greater than `place.after`. */
  readonly newest: ReadonlyMap<string, number>;
  readonly #connection: Connection;
  readonly #shown: string;

  private constructor(connection: Connection, shown: string, moment: Moment) {
    this.#connection = connection;
    this.#shown = shown;
    this.position = moment.position;
    this.clock = moment.clock;
    this.newest = moment.newest;
  }

  /**
   * Connects and subscribes, all by the given moment; then every delivery goes to `deliver`.
   * @throws UnreachableError, or another BlackboardError if the server refuses
   */
  static async open(
    place: SessionPlace,
    source: Ear,
    deliver: (delivery: Delivery) => void,
    deadline: Deadline,
  ): Promise<Session> {
    const connection = await dial(listening, place.address, place.layout, deadline);
    source.restart();
    connection.onMessage((...received) => source.receive(...received, deliver));
    const { shown } = place.address;
    try {
      return new Session(connection, shown, await deadline.race(subscribe(connection, place, source)));
    } catch (error) {
      connection.destroy();
      throw explain(error, shown, deadline);
    }
  }

  /**
   * Resolves when all that was sent before now has been delivered: an answer comes behind it.
   * @throws UnreachableError if none comes in time
   */
  async settled(deadline: Deadline): Promise<void> {
    try {
      await deadline.race(this.#connection.call("ping"));
    } catch (error) {
      throw explain(error, this.#shown, deadline);
    }
  }

  /** Asks the server every so often whether it is there, until the signal ends the session; why it ended. */
  async watch(everyMs: number, signal: AbortSignal): Promise<string> {
    const lost = new AbortController();
    void this.#connection.ended.then(() => lost.abort());
    const stop = AbortSignal.any([signal, lost.signal]);
    stop.addEventListener("abort", () => this.close(), { once: true }); // at once: nobody may count it as alive after that
    try {
      for (;;) {
        await sleep(everyMs, undefined, { signal: stop });
        await new Deadline(everyMs, stop).race(this.#connection.call("ping"));
      }
    } catch (error) {
      return error instanceof DeadlineError ? `no answer within ${everyMs} ms` : "the connection was lost";
    } finally {
      this.close();
    }
  }

  close(): void {
    this.#connection.destroy();
  }
}

/** All in one go: a subscriber connection takes no other commands afterwards. */
async function subscribe(
  connection: Connection,
  { layout, after }: SessionPlace,
  source: Ear,
): Promise<Moment> {
  const patterns = source.patternArguments;
  const [clock, id, newest] = await Promise.all([
    readClock(connection),
    connection.call("get", layout.id),
    newestNumbers(connection, layout, after),
    connection.call("subscribe", ...source.channelArguments),
    patterns.length === 0 ? null : connection.call("psubscribe", ...patterns),
  ]);
  return { position: id === null ? 0 : asNumber(id), clock, newest };
}

function explain(error: unknown, shown: string, deadline: Deadline): unknown {
  if (error instanceof AbortedError) return closedError();
  if (error instanceof ServerReplyError) return replyToError(error, shown);
  if (error instanceof DeadlineError) return new UnreachableError(shown, noAnswerWithin(deadline));
  if (error instanceof ConnectionLostError) return new UnreachableError(shown, "connection closed");
  return error;
}
