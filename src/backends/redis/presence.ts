/** A worker's ear: sessions one after the other. It hears which channels have something for it, not what. */
import { decodeName } from "../../core/names.ts";
import type { FollowState, Selection } from "../../core/types.ts";
import type { Deadline } from "./deadline.ts";
import { nudgeOf, workerOf } from "./layout.ts";
import { Session } from "./session.ts";
import { Sessions, type Subscriber, type SubscriberPlace } from "./sessions.ts";
import { type Delivery, Subscription } from "./subscription.ts";

/** Who is present, and whom to tell what. */
export interface PresenceOptions {
  readonly consumer: string;
  readonly member: string;
  readonly selection: Selection;
  /** Something was sent to a channel. */
  readonly onNews: (channel: string) => void;
  /** A channel has something again; `""`: the consumer was deleted. */
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
  readonly #subscription: WorkerSubscription;
  readonly #stop = new AbortController();

  private constructor(
    place: SubscriberPlace,
    options: PresenceOptions,
    subscription: WorkerSubscription,
    first: Session,
  ) {
    this.#subscription = subscription;
    this.ended = this.#run(place, options, first);
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
    const subscription = new WorkerSubscription(place, options);
    return new Presence(place, options, subscription, await subscription.open(deadline));
  }

  /** Whether a channel is one of the selection. */
  selects(channel: string): boolean {
    return this.#subscription.matches(channel);
  }

  close(): void {
    this.#stop.abort();
  }

  async #run(place: SubscriberPlace, options: PresenceOptions, first: Session): Promise<void> {
    const { onState, onReturn, onFailure } = options;
    const subscriber: Subscriber = {
      ...place,
      patient: false,
      onState: (state) => {
        onState(state);
        if (state.state === "back") onReturn();
      },
      open: (deadline) => this.#subscription.open(deadline),
      catchUp: async () => 0,
      goOn: async () => {},
    };
    await new Sessions(subscriber, this.#stop.signal).run(first).catch(onFailure);
  }
}

/** A follower's, so that it counts as one; and two channels of a worker's own. */
class WorkerSubscription extends Subscription {
  readonly #place: SubscriberPlace;
  readonly #options: PresenceOptions;
  readonly #nudge: string;

  constructor(place: SubscriberPlace, options: PresenceOptions) {
    super(place.layout, place.address.db, options.selection);
    this.#place = place;
    this.#options = options;
    this.#nudge = nudgeOf(place.layout, options.consumer);
  }

  open(deadline: Deadline): Promise<Session> {
    const deliver = ({ number, message }: Delivery): void => {
      if (number !== null) this.#options.onNews(message.channel); // a foreign client's is in no log
    };
    return Session.open({ ...this.#place, after: Infinity }, this, deliver, deadline);
  }

  override get channelArguments(): readonly string[] {
    const { consumer, member } = this.#options;
    return [...super.channelArguments, this.#nudge, workerOf(this.#place.layout, consumer, member)];
  }

  override read(pattern: string | null, channel: Buffer, payload: Buffer): Delivery | null {
    if (pattern !== null || decodeName(channel) !== this.#nudge) return super.read(pattern, channel, payload);
    this.#options.onNudge(decodeName(payload));
    return null;
  }
}
