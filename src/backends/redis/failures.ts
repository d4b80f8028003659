/** What a worker tells the store of entries it could not handle. All of it may be told twice. */
import { contentOf, nameOf } from "../../core/entry.ts";
import { failureOf, writeFailure } from "../../core/failure.ts";
import type { RedisAddress } from "../../core/redis-url.ts";
import type { Entry } from "../../core/types.ts";
import { type Delivery, failedChannelOf } from "../../core/worker.ts";
import type { Argument } from "./connection.ts";
import type { Place } from "./holdings.ts";
import type { Membership } from "./membership.ts";
import type { Patience } from "./patience.ts";
import { asNumber } from "./replies.ts";
import type { Script } from "./scripts.ts";
import type { RunScript } from "./supply.ts";
import { GIVE_UP, RETRY } from "./worker-scripts.ts";

export interface FailuresPlace {
  readonly address: RedisAddress;
  readonly run: RunScript;
}

export class Failures {
  readonly #place: FailuresPlace;
  readonly #membership: Membership;
  readonly #patience: Patience;

  constructor(place: FailuresPlace, membership: Membership, patience: Patience) {
    this.#place = place;
    this.#membership = membership;
    this.#patience = patience;
  }

  /** Whether it is still the worker's; then this is one attempt more. */
  async tryAgain({ channel, id }: Place): Promise<boolean> {
    return (await this.#tell(RETRY, [channel, id])) === 1;
  }

  /** Passes it on to where failed ones go. False if it is another worker's. */
  async giveUp(
    { channel, id }: Place,
    { entry, attempt }: Delivery<Entry>,
    reason: string,
  ): Promise<boolean> {
    const { consumer } = this.#membership;
    const failure = writeFailure(failureOf(entry, { consumer, attempts: attempt, reason }));
    const { db } = this.#place.address;
    const args = [channel, id, failedChannelOf(nameOf(entry)), contentOf(entry), db, failure];
    let isSent = false;
    const outcome = await this.#tell(GIVE_UP, args, () => {
      isSent = true;
    });
    // Acknowledged already, after an attempt that was not answered: that was ours.
    return outcome === 1 || (outcome === -1 && isSent);
  }

  #tell(script: Script, args: readonly Argument[], onLost = () => {}): Promise<number> {
    const { consumer, member } = this.#membership;
    return this.#patience.run(async (deadline) => {
      try {
        return asNumber(await this.#place.run(script, [consumer, member, ...args], deadline));
      } catch (error) {
        onLost();
        throw error;
      }
    });
  }
}
