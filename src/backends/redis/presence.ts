/** A worker's ear: sessions one after the other. It hears which channels have something for it, not what. */
import { decodeName, encodeName } from "../../core/names.ts";
import type { FollowState, Selection } from "../../core/types.ts";
import type { Deadline } from "./deadline.ts";
import { closedError } from "./errors.ts";
import { nudgeOf, workerOf } from "./layout.ts";
import type { Patience } from "./patience.ts";
import { Session, type SessionPlace } from "./session.ts";
import { type Delivery, Subscription } from "./subscription.ts";

export interface PresencePlace extends Omit<SessionPlace, "after"> {
  /** How long the server may be silent. */
  readonly timeoutMs: number;
}

/** Who is present, and whom to tell what. */
export interface Attendance {
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
  readonly #place: PresencePlace;
  readonly #attendance: Attendance;
  readonly #patience: Patience;
  readonly #subscription: WorkerSubscription;
  #session: Session;
  #isClosed = false;

  private constructor(place: PresencePlace, attendance: Attendance, patience: Patience, opened: Opened) {
    this.#place = place;
    this.#attendance = attendance;
    this.#patience = patience;
    this.#subscription = opened.subscription;
    this.#session = opened.session;
    this.ended = this.#run();
  }

  /**
   * Hears everything that is sent from when it is there.
   * @param patience for coming back
   * @throws UnreachableError, or another BlackboardError if the server refuses
   */
  static async enter(
    place: PresencePlace,
    attendance: Attendance,
    patience: Patience,
    deadline: Deadline,
  ): Promise<Presence> {
    const subscription = new WorkerSubscription(place, attendance);
    const session = await subscription.open(deadline);
    return new Presence(place, attendance, patience, { subscription, session });
  }

  /** Whether a channel is one of the selection. */
  selects(channel: string): boolean {
    return this.#subscription.matches(channel);
  }

  close(): void {
    this.#isClosed = true;
    this.#session.close();
  }

  async #run(): Promise<void> {
    try {
      for (;;) {
        const reason = await this.#session.watch(this.#place.timeoutMs);
        if (this.#isClosed) return;
        await this.#comeBack(reason);
      }
    } catch (error) {
      if (!this.#isClosed) this.#attendance.onFailure(error);
    }
  }

  async #comeBack(reason: string): Promise<void> {
    const { onState, onReturn } = this.#attendance;
    const since = performance.now();
    onState({ state: "away", store: "redis", reason });
    this.#session = await this.#patience.run((deadline) => this.#reopen(deadline));
    if (this.#isClosed) return this.#session.close();
    onState({ state: "back", store: "redis", awayMs: Math.round(performance.now() - since), recovered: 0 });
    onReturn();
  }

  #reopen(deadline: Deadline): Promise<Session> {
    if (this.#isClosed) throw closedError();
    return this.#subscription.open(deadline);
  }
}

interface Opened {
  readonly subscription: WorkerSubscription;
  readonly session: Session;
}

/** A follower's, so that it counts as one; and two channels of a worker's own. */
class WorkerSubscription extends Subscription {
  readonly #place: PresencePlace;
  readonly #onNews: (channel: string) => void;
  readonly #onNudge: (channel: string) => void;
  readonly #nudge: string;
  readonly #nudgeBytes: Buffer;
  readonly #worker: string;

  constructor(place: PresencePlace, { consumer, member, selection, onNews, onNudge }: Attendance) {
    super(place.layout, place.address.db, selection);
    this.#place = place;
    this.#onNews = onNews;
    this.#onNudge = onNudge;
    this.#nudge = nudgeOf(place.layout, consumer);
    this.#nudgeBytes = encodeName(this.#nudge);
    this.#worker = workerOf(place.layout, consumer, member);
  }

  open(deadline: Deadline): Promise<Session> {
    const deliver = ({ number, message }: Delivery): void => {
      if (number !== null) this.#onNews(message.channel); // a foreign client's is in no log
    };
    return Session.open({ ...this.#place, after: Infinity }, this, deliver, deadline);
  }

  override get channelArguments(): readonly string[] {
    return [...super.channelArguments, this.#nudge, this.#worker];
  }

  override read(pattern: string | null, channel: Buffer, payload: Buffer): Delivery | null {
    if (pattern !== null || !channel.equals(this.#nudgeBytes)) return super.read(pattern, channel, payload);
    this.#onNudge(decodeName(payload));
    return null;
  }
}
