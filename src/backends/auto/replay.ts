/** What is retained in several stores, as one: by id, and with an end. */
import type { Follower } from "../../core/backend.ts";
import { idToNumber } from "../../core/ids.ts";
import type { Gap, Message } from "../../core/types.ts";

type Item = Message | Gap;

/** The next item of a store, and where the ones behind it come from. */
interface Head {
  readonly item: Item;
  readonly source: AsyncIterator<Item>;
}

/**
 * @param followers of each store, none of them live
 * @param most only the newest so many messages
 */
export function replayAll(followers: Promise<readonly Follower<Item>[]>, most: number): Follower<Item> {
  const close = async () => {
    const all = await followers.catch(() => []); // there is nothing to close
    await Promise.all(all.map((follower) => follower.close()));
  };
  const ready = followers.then(async (all) => {
    await Promise.all(all.map((follower) => follower.ready));
  });
  ready.catch(() => {}); // the loop throws it, too: nobody has to look at `ready`
  return {
    ready,
    close,
    async *[Symbol.asyncIterator]() {
      try {
        yield* newest(mergeById(await followers), most);
      } finally {
        await close();
      }
    },
  };
}

async function* mergeById(followers: readonly Follower<Item>[]): AsyncGenerator<Item, void, undefined> {
  const sources = followers.map((follower) => follower[Symbol.asyncIterator]());
  let heads = (await Promise.all(sources.map(advance))).filter((head) => head !== null);
  for (;;) {
    const [first, ...others] = heads.sort((left, right) => numberOf(left.item) - numberOf(right.item));
    if (first === undefined) return;
    yield first.item;
    const next = await advance(first.source);
    heads = next === null ? others : [next, ...others];
  }
}

async function advance(source: AsyncIterator<Item>): Promise<Head | null> {
  const { done, value } = await source.next();
  return done ? null : { item: value, source };
}

/** A gap stands with the message behind it; one without stands at the end. */
function numberOf(item: Item): number {
  const id = "gap" in item ? item.gap.next : item.id;
  return (id === null ? null : idToNumber(id)) ?? Number.POSITIVE_INFINITY;
}

/** Each store gave its newest; of all together there may be more than were asked for. */
async function* newest(items: AsyncIterable<Item>, most: number): AsyncGenerator<Item, void, undefined> {
  if (most === Number.POSITIVE_INFINITY) return yield* items;
  const kept: Item[] = [];
  for await (const item of items) {
    kept.push(item);
    if (kept.length > most) kept.shift();
  }
  yield* kept;
}
