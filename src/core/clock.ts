/** Milliseconds from some moment on, never back. Not `performance.now()`: Node takes a millisecond to load that. */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}
