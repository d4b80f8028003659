/**
 * The words of a line as a shell would read it. Nothing is ever expanded or run: where a shell would do that, the line is refused, so
 * that it either means what it means to a shell, or nothing.
 */
import { usageError } from "../../core/errors.ts";

/** What a piece of a line may be, each from where the last one ended. Patterns keep to their characters, so they take linear time. */
const PIECE =
  /(?<blank>[ \t]+)|'(?<single>[^']*)'|"(?<double>(?:[^"\\$`]|\\[\s\S])*)"|\\(?<escaped>[\s\S])|(?<plain>[^ '"\\$`;|&<>()\0-\x1f\x7f]+)/y;

/** A line of nothing but plain words and blanks, as most are. */
const PLAIN = /^[^'"\\$`;|&<>()#~\0-\x08\x0a-\x1f\x7f]*$/;

/** Of a backslash between double quotes, what it takes its meaning from; else it stands for itself. */
const ESCAPED = /\\([\\"$`])/g;

/** @throws BlackboardError `usage` */
export function shellWords(line: string): string[] {
  if (PLAIN.test(line)) return line.split(/[ \t]+/).filter(Boolean);
  const words: string[] = [];
  let word: string | null = null;
  PIECE.lastIndex = 0;
  for (let at = 0; at < line.length; at = PIECE.lastIndex) {
    if (word === null && line[at] === "#") break;
    const { blank, single, double, escaped, plain } = PIECE.exec(line)?.groups ?? {};
    const piece = single ?? double?.replace(ESCAPED, "$1") ?? escaped ?? plain;
    if (piece === undefined && blank === undefined) throw refusal(line, at);
    if (word === null && plain?.startsWith("~")) throw expansion("~ at the beginning of a word");
    if (piece !== undefined) word = (word ?? "") + piece;
    else if (word !== null) {
      words.push(word);
      word = null;
    }
  }
  if (word !== null) words.push(word);
  return words;
}

/** The character is one of these few, so that the message holds nothing of a value. */
function refusal(line: string, at: number): Error {
  const character = line[at] ?? "";
  switch (character) {
    case "'":
      return usageError("a ' is not closed", JSON_WAY);
    case '"':
      return /^"(?:[^"\\]|\\.)*"/s.test(line.slice(at))
        ? expansion("$ or ` between double quotes")
        : usageError('a " is not closed', JSON_WAY);
    case "\\":
      return usageError("the line ends with a \\", JSON_WAY);
    case "\r":
      return usageError(
        "a carriage return stands in the line",
        "it may stand at the end, in front of the line feed, or in quotes",
      );
    default:
      return /[$`;|&<>()]/.test(character)
        ? expansion(`${character} without quotes`)
        : usageError("a control character stands in the line", "quote it, or give a JSON array of words");
  }
}

const JSON_WAY = "a word with a line break can be given in a JSON array of words";

function expansion(what: string): Error {
  return usageError(
    `${what}: nothing is expanded or run here`,
    "put it in single quotes, or give a JSON array of words",
  );
}
