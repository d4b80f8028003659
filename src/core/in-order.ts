/** Names in the order of their bytes, each once, in little memory. */
import { NameList } from "./name-list.ts";

const BATCH = 2000;
/** If only some are wanted, others are held until there are so many more. */
const ROOM = 10_000;

/** @param limit at most so many, the first in order */
export async function* inOrder(
  batches: AsyncIterable<readonly string[]>,
  limit: number,
): AsyncGenerator<readonly string[], void, undefined> {
  let names = new NameList();
  for await (const batch of batches) {
    for (const name of batch) names.addText(name);
    if (names.size > 2 * limit + ROOM) names = names.smallest(limit);
  }
  const order = names.distinct().subarray(0, limit);
  for (let at = 0; at < order.length; at += BATCH) yield names.texts(order.subarray(at, at + BATCH));
}
