/** Input that can be given up while nothing comes. */

/** What comes until the signal is aborted. */
export async function* untilAborted(
  chunks: AsyncIterable<Buffer>,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  const iterator = chunks[Symbol.asyncIterator]();
  let giveUp = () => {};
  signal.addEventListener("abort", () => giveUp(), { once: true });
  while (!signal.aborted) {
    const step = await new Promise<IteratorResult<Buffer, unknown> | null>((resolve, reject) => {
      giveUp = () => resolve(null);
      iterator.next().then(resolve, reject);
    });
    if (step === null || step.done) return;
    yield step.value;
  }
}
