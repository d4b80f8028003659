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
  let isClosed = false;
  return {
    ready,
    async close() {
      isClosed = true;
      await begun.then(
        ({ follower }) => follower?.close(),
        () => {}, // there is nothing to close
      );
    },
    async *[Symbol.asyncIterator]() {
      const { store, follower, position } = await begun;
      try {
        const read = new Map<string, number>();
        for await (const reading of presentIn(store, selection)) {
          if (isClosed) return;
          const number = reading.id === null ? 0 : (idToNumber(reading.id) ?? 0);
          if (number > position) read.set(reading.key, number);
          yield initialOf(reading);
        }
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

/** The selected keys that are there, each once. */
async function* presentIn(store: Backend, { keys, patterns }: KeySelection): AsyncGenerator<Reading> {
  const exact = new Set(keys);
  yield* readingsOf(store, [...exact]);
  const before: Matcher[] = [];
  for (const pattern of new Set(patterns)) {
    for await (const batch of store.keys(pattern)) {
      const isFresh = (key: string) => !exact.has(key) && !before.some((matches) => matches(encodeName(key)));
      yield* readingsOf(store, batch.filter(isFresh));
    }
    before.push(compileGlob(pattern));
  }
}

async function* readingsOf(store: Backend, keys: readonly string[]): AsyncGenerator<Reading> {
  for (let at = 0; at < keys.length; at += AT_ONCE) {
    const readings = await store.read(keys.slice(at, at + AT_ONCE), MAX_LOGGED_VALUE_BYTES);
    for (const reading of readings) if (reading !== null) yield reading;
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
