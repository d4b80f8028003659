/** One connection of a follower: subscribed, watched over, gone. */
import { setTimeout as sleep } from "node:timers/promises";
import { msToNumber } from "../../core/ids.ts";
import type { RedisAddress } from "../../core/redis-url.ts";
import type { Connection } from "./connection.ts";
import { Deadline, DeadlineError } from "./deadline.ts";
import { dial } from "./dial.ts";
import { ConnectionLostError, replyToError, ServerReplyError, UnreachableError } from "./errors.ts";
import type { Layout } from "./layout.ts";
import { asList, asNumber } from "./replies.ts";
import type { Delivery, Subscription } from "./subscription.ts";

export interface SessionPlace {
  readonly address: RedisAddress;
  readonly layout: Layout;
  readonly timeoutMs: number;
}

export class Session {
  /** The number of the last log entry before the subscription took hold. */
  readonly position: number;
  /** The server's clock then, as the first number of its millisecond. */
  readonly clock: number;
  readonly #connection: Connection;
  #silent = false;

  private constructor(connection: Connection, position: number, clock: number) {
    this.#connection = connection;
    this.position = position;
    this.clock = clock;
  }

  /**
   * Connects and subscribes, within twice the bound of an operation; then every delivery goes to `deliver`.
   * @throws UnreachableError, or another BlackboardError if the server refuses
   */
  static async open(
    place: SessionPlace,
    subscription: Subscription,
    deliver: (delivery: Delivery) => void,
  ): Promise<Session> {
    const connection = await dial(place.address, place.layout, place.timeoutMs);
    subscription.restart();
    connection.onMessage((...received) => {
      const delivery = subscription.read(...received);
      if (delivery !== null) deliver(delivery);
    });
    try {
      return await new Deadline(place.timeoutMs).race(subscribe(connection, place.layout, subscription));
    } catch (error) {
      connection.destroy();
      throw explain(error, place);
    }
  }

  /** For `open`. */
  static started(connection: Connection, position: number, clock: number): Session {
    return new Session(connection, position, clock);
  }

  /** Asks the server every so often whether it is there; resolves with why the connection ended. */
  async watch(everyMs: number): Promise<string> {
    const stop = new AbortController();
    const beat = this.#beat(everyMs, stop.signal);
    await this.#connection.ended;
    stop.abort();
    await beat;
    return this.#silent ? `no answer within ${everyMs} ms` : "the connection was lost";
  }

  close(): void {
    this.#connection.destroy();
  }

  async #beat(everyMs: number, signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        await sleep(everyMs, undefined, { signal });
        await new Deadline(everyMs).race(this.#connection.call("ping"));
      }
    } catch (error) {
      if (signal.aborted) return;
      this.#silent = error instanceof DeadlineError;
      this.#connection.destroy();
    }
  }
}

/** All in one go: a subscriber connection takes no other commands afterwards. */
async function subscribe(
  connection: Connection,
  layout: Layout,
  subscription: Subscription,
): Promise<Session> {
  const patterns = subscription.patternArguments;
  const [time, id] = await Promise.all([
    connection.call("time"),
    connection.call("get", layout.id),
    connection.call("subscribe", ...subscription.channelArguments),
    patterns.length === 0 ? null : connection.call("psubscribe", ...patterns),
  ]);
  const [seconds, micros] = asList(time);
  const nowMs = asNumber(seconds) * 1000 + Math.floor(asNumber(micros) / 1000);
  return Session.started(connection, id === null ? 0 : asNumber(id), msToNumber(nowMs));
}

function explain(error: unknown, { address, timeoutMs }: SessionPlace): unknown {
  if (error instanceof ServerReplyError) return replyToError(error, address.shown);
  if (error instanceof DeadlineError)
    return new UnreachableError(address.shown, `no answer within ${timeoutMs} ms`);
  if (error instanceof ConnectionLostError) return new UnreachableError(address.shown, "connection closed");
  return error;
}
