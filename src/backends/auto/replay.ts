/** What is retained in several stores, as one: by id, and with an end. */
import type { Follower } from "../../core/backend.ts";
import { idToNumber } from "../../core/ids.ts";
import type { Entry, Gap, Start } from "../../core/types.ts";

type Item = Entry | Gap;

/** The next item of a store, and where the ones behind it come from. */
interface Head {
  readonly item: Item;
  readonly source: AsyncIterator<Item>;
}

/** Of each store, none of them live. */
export function replayAll(followers: Promise<readonly Follower<Item>[]>): Follower<Item> {
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
        yield* mergeById(await followers);
      } finally {
        await close();
      }
    },
  };
}

/**
 * Where the newest so many messages of several stores together begin. They are read for that, and not kept: each store's
 * newest may be many.
 */
export async function newestOfAll(followers: readonly Follower<Item>[], last: number): Promise<Start> {
  const numbers: number[] = [];
  for await (const item of mergeById(followers)) {
    if (!("gap" in item)) numbers.push(numberOf(item));
  }
  const first = numbers.length > last ? numbers.at(-last) : numbers[0];
  return first === undefined || last === 0 ? { last: 0 } : { after: first - 1 };
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
