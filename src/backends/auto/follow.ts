/** Reading both stores as one, so that a publisher that fell back is heard. */
import type { Follower } from "../../core/backend.ts";
import { reasonOf } from "../../core/errors.ts";
import { Queue } from "../../core/queue.ts";
import type { Entry, Gap } from "../../core/types.ts";

type Item = Entry | Gap;

/** Items held between the stores and the loop; more wait in the stores. */
const MOST_HELD = 100;

/**
 * Messages of both followers as they come: in order within a store, in order of arrival between them.
 * Redis decides about failure (wrong credentials end it); a file that cannot be opened is only told.
 * @param away resolves when redis is known to be away: from then on publishers use the file, and what redis gets once
 * it is back is caught up with, so that following the file is enough to miss nothing
 */
export function followBoth(
  redis: Follower<Item>,
  file: Promise<Follower<Item>>,
  away: Promise<void>,
  onNotice: (notice: string) => void,
): Follower<Item> {
  const queue = new Queue<Item>();
  const heardFile = file.then(whenReady).catch((error: unknown) => {
    onNotice(`cannot follow the board file as well: ${reasonOf(error)}`);
    return null;
  });
  const close = async () => {
    await Promise.all([redis.close(), heardFile.then((follower) => follower?.close())]);
  };
  const pouring = [pour(redis, queue), heardFile.then((follower) => follower && pour(follower, queue))];
  void Promise.all(pouring).then(() => queue.end()); // a closed follower ends after what has already arrived
  const ready = heardFile.then((follower) => (follower ? Promise.race([redis.ready, away]) : redis.ready));
  ready.catch(() => {}); // the loop throws it, too: nobody has to look at `ready`
  return {
    ready,
    close,
    async *[Symbol.asyncIterator]() {
      try {
        yield* queue;
      } finally {
        queue.end(); // nobody takes the rest
        await close();
      }
    },
  };
}

async function whenReady(follower: Follower<Item>): Promise<Follower<Item>> {
  await follower.ready;
  return follower;
}

async function pour(follower: Follower<Item>, queue: Queue<Item>): Promise<void> {
  try {
    for await (const item of follower) {
      queue.push(item);
      await queue.room(MOST_HELD);
    }
  } catch (error) {
    queue.fail(error);
  }
}
