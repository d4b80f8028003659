/** A worker's ear: sessions one after the other. It hears which channels have something for it, not what. */
import { decodeName } from "../../core/names.ts";
import type { Entry, FollowState } from "../../core/types.ts";
import type { Deadline } from "./deadline.ts";
import type { Followed } from "./follow.ts";
import { type Layout, nudgeOf, workerOf } from "./layout.ts";
import { Session } from "./session.ts";
import { Sessions, type Subscriber, type SubscriberPlace } from "./sessions.ts";
import type { Delivery, Fields, Source } from "./subscription.ts";

/** Who is present, and whom to tell what. */
export interface PresenceOptions {
  readonly consumer: string;
  readonly member: string;
  readonly followed: Followed;
  /** Something was sent to a channel. */
  readonly onNews: (channel: string) => void;
  /** A channel has something again; the empty name: the changes have, or the consumer was deleted. */
  readonly onNudge: (channel: string) => void;
  readonly onState: (state: FollowState) => void;
  /** It hears again; what was sent meanwhile it has not heard. */
  readonly onReturn: () => void;
  /** It will not hear anything any more. */
  readonly onFailure: (error: unknown) => void;
}

export class Presence {
  /** Resolves when nothing of it runs any more. */
  readonly ended: Promise<void>;
  readonly #stop = new AbortController();

  private constructor(
    place: SubscriberPlace,
    options: PresenceOptions,
    open: (deadline: Deadline) => Promise<Session>,
    first: Session,
  ) {
    this.ended = this.#run(place, options, open, first);
  }

  /**
   * Hears everything that is sent from when it is there.
   * @throws UnreachableError, or another BlackboardError if the server refuses
   */
  static async enter(
    place: SubscriberPlace,
    options: PresenceOptions,
    deadline: Deadline,
  ): Promise<Presence> {
    const source = new WorkerSource(place.layout, options);
    const deliver = ({ number, channel }: Delivery): void => {
      if (number !== null) options.onNews(channel); // a foreign client's is in no log
    };
    const open = (within: Deadline) => Session.open({ ...place, after: Infinity }, source, deliver, within);
    return new Presence(place, options, open, await open(deadline));
  }

  close(): void {
    this.#stop.abort();
  }

  async #run(
    place: SubscriberPlace,
    { followed, onState, onReturn, onFailure }: PresenceOptions,
    open: (deadline: Deadline) => Promise<Session>,
    first: Session,
  ): Promise<void> {
    const subscriber: Subscriber = {
      ...place,
      patient: false,
      onState: (state) => {
        onState(state);
        if (state.state === "back") onReturn();
      },
      open,
      catchUp: async (session, _, signal) => {
        await followed.begun(session, signal);
        return 0;
      },
      goOn: async () => {},
    };
    await new Sessions(subscriber, this.#stop.signal).run(first).catch(onFailure);
  }
}

/** A follower's, so that it counts as one; and two channels of a worker's own. */
class WorkerSource implements Source {
  readonly #source: Source;
  readonly #own: readonly string[];
  readonly #nudge: string;
  readonly #onNudge: (channel: string) => void;

  constructor(layout: Layout, { followed, consumer, member, onNudge }: PresenceOptions) {
    this.#source = followed.source;
    this.#nudge = nudgeOf(layout, consumer);
    this.#own = [this.#nudge, workerOf(layout, consumer, member)];
    this.#onNudge = onNudge;
  }

  get channelArguments(): readonly string[] {
    return [...this.#source.channelArguments, ...this.#own];
  }

  get patternArguments(): readonly string[] {
    return this.#source.patternArguments;
  }

  matches(channel: string): boolean {
    return this.#source.matches(channel);
  }

  restart(): void {
    this.#source.restart();
  }

  receive(
    pattern: string | null,
    channel: Buffer,
    payload: Buffer,
    deliver: (delivery: Delivery) => void,
  ): void {
    const isNudge = pattern === null && decodeName(channel) === this.#nudge;
    if (isNudge) this.#onNudge(decodeName(payload));
    else this.#source.receive(pattern, channel, payload, deliver);
  }

  entryOf(channel: string, number: number, fields: Fields): Entry | null {
    return this.#source.entryOf(channel, number, fields);
  }
}
