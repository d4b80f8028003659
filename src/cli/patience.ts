/** Standard input that is long in coming. It may be a pipe nobody will ever write to, so the wait is said aloud. */
import type { Input } from "./command.ts";

/** The same input, with a notice once its end has been waited for this long. Waiting goes on: it is the user's own pipe. */
export function sayingWhenWaiting(input: Input, afterMs: number, notice: (text: string) => void): Input {
  return {
    isTerminal: input.isTerminal,
    file: (path) => input.file(path),
    chunks: () => input.chunks(),
    async all() {
      const timer = setTimeout(() => notice("waiting for the end of standard input"), afterMs);
      try {
        return await input.all();
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
