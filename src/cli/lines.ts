/** Lines of standard input: many at a time, because there may be millions. */
import { checkSize } from "./stdin.ts";

const LINE_BREAK = 10;

/** What comes, in blocks of whole lines; a last line may have no line break. */
export async function* wholeLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  let begun: Buffer[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    const end = chunk.lastIndexOf(LINE_BREAK) + 1;
    if (end > 0) {
      const whole = chunk.subarray(0, end);
      yield begun.length === 0 ? whole : Buffer.concat([...begun, whole]);
      begun = [];
      size = 0;
    }
    if (end === chunk.length) continue;
    size = checkSize("a line of standard input", size + chunk.length - end);
    begun.push(chunk.subarray(end));
  }
  if (size > 0) yield Buffer.concat(begun);
}

/** The lines of such a block, without their line breaks. */
export function linesIn(block: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  let start = 0;
  for (let end = block.indexOf(LINE_BREAK); end >= 0; end = block.indexOf(LINE_BREAK, start)) {
    lines.push(block.subarray(start, end));
    start = end + 1;
  }
  if (start < block.length) lines.push(block.subarray(start));
  return lines;
}
