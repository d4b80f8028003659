/**
 * Watching that begins with what is there. The follower begins first, at a known entry of the log; then the keys are listed and read, each
 * with the entry that wrote it; then the follower goes on, without what was read already. So nothing is missed between the two, and nothing
 * comes twice. What is remembered for that are the keys written while they were listed, not all.
 */
import { type Backend, type Follower, type FollowOptions, MAX_LOGGED_VALUE_BYTES } from "./backend.ts";
import { compileGlob, type Matcher } from "./glob.ts";
import { idToNumber } from "./ids.ts";
import { encodeName } from "./names.ts";
import type { Change, Gap, KeySelection, Reading } from "./types.ts";
import { readPatiently } from "./watching.ts";

type Item = Change | Gap;

/** Keys read at once: with values that the log would hold, so 6 MiB at most. */
const AT_ONCE = 100;

/** What is there, then, if it is `live`, what changes. */
export function watchInitially(
  backend: Backend,
  selection: KeySelection,
  { live, onState }: Pick<FollowOptions, "live" | "onState">,
): Follower<Item> {
  const begun = begin(backend, selection, { live, onState });
  const ready = begun.then(() => {});
  ready.catch(() => {}); // the loop throws it, too: nobody has to look at `ready`
  const stop = new AbortController();
  return {
    ready,
    async close() {
      stop.abort();
      await begun.then(
        ({ follower }) => follower?.close(),
        () => {}, // there is nothing to close
      );
    },
    async *[Symbol.asyncIterator]() {
      const { store, follower, position } = await begun;
      try {
        const read = new Map<string, number>();
        for await (const { reading, upTo } of presentIn(store, selection, stop.signal)) {
          if (upTo > position) read.set(reading.key, upTo);
          yield initialOf(reading);
        }
        if (stop.signal.aborted) return;
        if (follower !== null) yield* withoutRead(follower, read);
      } finally {
        await follower?.close();
      }
    },
  };
}

async function begin(
  backend: Backend,
  selection: KeySelection,
  { live, onState }: Pick<FollowOptions, "live" | "onState">,
) {
  const store = await backend.pin();
  const position = await store.position();
  const follower = live ? backend.follow(selection, { live, onState, from: { after: position } }) : null;
  await follower?.ready;
  return { store, follower, position };
}

/** What is there, and up to which log entry that is known. */
interface Present {
  readonly reading: Reading;
  readonly upTo: number;
}

/** The selected keys that are there, each once. */
async function* presentIn(
  store: Backend,
  { keys, patterns }: KeySelection,
  stop: AbortSignal,
): AsyncGenerator<Present> {
  const exact = new Set(keys);
  yield* readingsOf(store, [...exact], stop);
  const before: Matcher[] = [];
  for (const pattern of new Set(patterns)) {
    for await (const batch of store.keys(pattern)) {
      const isFresh = (key: string) => !exact.has(key) && !before.some((matches) => matches(encodeName(key)));
      yield* readingsOf(store, batch.filter(isFresh), stop);
      if (stop.aborted) return;
    }
    before.push(compileGlob(pattern));
  }
}

async function* readingsOf(
  store: Backend,
  keys: readonly string[],
  stop: AbortSignal,
): AsyncGenerator<Present> {
  for (let at = 0; at < keys.length; at += AT_ONCE) {
    const some = keys.slice(at, at + AT_ONCE);
    const readings = await readPatiently(store, some, stop, { mostBytes: MAX_LOGGED_VALUE_BYTES });
    const found = readings.filter((reading) => reading !== null);
    // A foreign client's value is in no log: whatever is in there by now came before it was read.
    const isForeign = found.some(({ id }) => id === null);
    const position = isForeign ? await store.position() : 0;
    for (const reading of found) yield { reading, upTo: (reading.id && idToNumber(reading.id)) || position };
  }
}

/** What the follower brings, but for what was read already. */
async function* withoutRead(follower: Follower<Item>, read: Map<string, number>): AsyncGenerator<Item> {
  const newest = [...read.values()].reduce((most, number) => Math.max(most, number), 0);
  for await (const item of follower) {
    const number = "gap" in item || item.id === null ? null : idToNumber(item.id);
    if (number !== null && number > newest) read.clear();
    if (number === null || "gap" in item || number > (read.get(item.key) ?? 0)) yield item;
  }
}

/** A foreign client's value has no time; it is the time at which it was read. */
function initialOf({ key, value, size, id, by, at }: Reading): Change {
  return { event: "set", key, value, size, id, by, at: at ?? Date.now(), isInitial: true };
}
