/** What the workers of a consumer select: how it is heard of, and how it is read. */
import type { AnySelection } from "../../core/types.ts";
import { ChangeSubscription } from "./change-subscription.ts";
import type { Followed } from "./follow.ts";
import type { SubscriberPlace } from "./sessions.ts";
import { Subscription } from "./subscription.ts";
import { type RunSweep, Sweeper } from "./sweeper.ts";

export interface SelectedPlace extends SubscriberPlace {
  readonly sweep: RunSweep;
}

/** A worker of changes logs what expires, like everybody who follows keys. What foreign clients do is nothing to it. */
export function selected(place: SelectedPlace, selection: AnySelection): Followed {
  const { layout, address, link, sweep } = place;
  if ("channels" in selection) {
    return { source: new Subscription(layout, address.db, selection), begun: async () => {} };
  }
  const asides = { onDue: (ms: number) => sweeper.hear(ms), onGone: null, onSettled: () => {} };
  const source = new ChangeSubscription(layout, address.db, selection, asides);
  const sweeper = new Sweeper(link, sweep, source.giveUp);
  return {
    source,
    begun: async (session, signal) => {
      if (session !== null) await sweeper.begin(signal);
    },
  };
}
