/** Following both stores as one, so that a publisher that fell back is heard. */
import type { Follower } from "../../core/backend.ts";
import { reasonOf } from "../../core/errors.ts";
import { Queue } from "../../core/queue.ts";
import type { Message } from "../../core/types.ts";

/**
 * Messages of both followers as they come: in order within a store, in order of arrival between them.
 * Redis decides about failure (wrong credentials end it); a file that cannot be opened is only told.
 */
export function followBoth(
  redis: Follower,
  file: Promise<Follower>,
  onNotice: (notice: string) => void,
): Follower {
  const queue = new Queue<Message>();
  const heardFile = file.then(whenReady).catch((error: unknown) => {
    onNotice(`cannot follow the board file as well: ${reasonOf(error)}`);
    return null;
  });
  const close = async () => {
    await Promise.all([redis.close(), heardFile.then((follower) => follower?.close())]);
    queue.end();
  };
  void pour(redis, queue);
  void heardFile.then((follower) => follower && pour(follower, queue));
  return {
    ready: Promise.all([redis.ready, heardFile]).then(() => {}),
    close,
    async *[Symbol.asyncIterator]() {
      try {
        yield* queue;
      } finally {
        await close();
      }
    },
  };
}

async function whenReady(follower: Follower): Promise<Follower> {
  await follower.ready;
  return follower;
}

async function pour(follower: Follower, queue: Queue<Message>): Promise<void> {
  try {
    for await (const message of follower) queue.push(message);
  } catch (error) {
    queue.fail(error);
  }
}
