// What the tools of the bulk bench are given, line by line or command by command.
import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";

const VALUE = "v".repeat(100);
const AT_ONCE = 1000;

/** By name: the text of each number. */
export const INPUTS = {
  json: (number) => `["set","k${number}","${VALUE}"]\n`,
  shell: (number) => `set k${number} ${VALUE}\n`,
  lines: () => `${VALUE}\n`,
  set: (number) => resp("SET", `timmy:k${number}`, VALUE),
  publish: () => resp("PUBLISH", "timmy:c", VALUE),
};

export async function writeInput(path, textOf, count) {
  await pipeline(texts(textOf, count), createWriteStream(path));
}

function* texts(textOf, count) {
  for (let at = 0; at < count; at += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - at) }, (_, more) => textOf(at + more));
    yield some.join("");
  }
}

function resp(...words) {
  return [`*${words.length}\r\n`, ...words.map((word) => `$${word.length}\r\n${word}\r\n`)].join("");
}
