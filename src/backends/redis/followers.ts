/** The followers of one store: of channels and of keys, and which of them run. */
import type { Follower } from "../../core/backend.ts";
import type { RedisAddress } from "../../core/redis-url.ts";
import type { AnySelection, Entry, EntryOf, FollowState, Gap } from "../../core/types.ts";
import type { BoardScripts } from "./board-scripts.ts";
import {
  type Followed,
  type FollowPlace,
  type FollowStart,
  type RedisFollower,
  startFollower,
} from "./follow.ts";
import type { Layout } from "./layout.ts";
import type { Link } from "./link.ts";
import { asNumber } from "./replies.ts";
import { PROBE, SWEEP } from "./scripts.ts";
import { Subscription } from "./subscription.ts";
import type { RunSweep } from "./sweeper.ts";
import { Watching, type WatchPlace } from "./watching.ts";

export type { FollowStart } from "./follow.ts";

export interface FollowersPlace {
  readonly address: RedisAddress;
  readonly layout: Layout;
  readonly link: Link;
  readonly timeoutMs: number;
  readonly history: { readonly maxAgeMs: number };
}

export class Followers {
  readonly #place: FollowPlace;
  readonly #watchPlace: WatchPlace;
  readonly #running = new Set<RedisFollower>();

  constructor({ address, layout, link, timeoutMs, history }: FollowersPlace, scripts: BoardScripts) {
    this.#place = { address, layout, link, timeoutMs, maxAgeMs: history.maxAgeMs };
    const run = { effect: "read", keys: [layout.test] } as const;
    this.#watchPlace = {
      layout,
      database: address.db,
      link,
      sweep: sweepBy(scripts),
      probe: (deadline) => scripts.run(PROBE, { ...run, deadline }),
    };
  }

  follow<Of extends AnySelection>(selection: Of, start: FollowStart): Follower<EntryOf<Of> | Gap> {
    const follower = startFollower(this.#place, this.#followed(selection, start.onState), start);
    this.#running.add(follower);
    void follower.ended.then(() => this.#running.delete(follower));
    return follower as Follower<Entry | Gap> as Follower<EntryOf<Of> | Gap>; // what is selected decides what comes
  }

  async close(): Promise<void> {
    await Promise.all([...this.#running].map((follower) => follower.close()));
  }

  #followed(selection: AnySelection, onState: (state: FollowState) => void): Followed {
    if ("keys" in selection) return new Watching(this.#watchPlace, selection, onState);
    const { layout, address } = this.#place;
    return { source: new Subscription(layout, address.db, selection), begun: async () => {} };
  }
}

/** The script `SWEEP`, as those who follow keys run it. */
export function sweepBy(scripts: BoardScripts): RunSweep {
  return async (expired, gone, deadline) => {
    const run = { effect: "read", keys: [...expired, ...gone], args: [expired.length], deadline } as const;
    const left = await scripts.book(SWEEP, run);
    return left === null ? null : asNumber(left);
  };
}
