/** How much a test does. */

/** The short number in every run; the long one, which the promise speaks of, where `SOAK=1` asks for it. */
export function scaled(short: number, long: number): number {
  return process.env.SOAK ? long : short;
}
