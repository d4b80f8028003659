/** The same items; each is asked for while whoever takes them is still busy with the one before. */
export async function* ahead<Item>(items: AsyncIterable<Item>): AsyncGenerator<Item, void, undefined> {
  const iterator = items[Symbol.asyncIterator]();
  let next = iterator.next();
  try {
    for (;;) {
      const { done, value } = await next;
      if (done) return;
      next = iterator.next();
      next.catch(() => {}); // thrown when its turn comes
      yield value;
    }
  } finally {
    await iterator.return?.();
  }
}
