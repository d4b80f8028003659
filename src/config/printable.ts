/** Names from files and the environment, made safe for a message. */

/** At most 40 characters, those that do not print escaped. */
export function printable(text: string): string {
  const characters = Array.from(text);
  const escaped = characters.slice(0, 40).map(escapeUnprintable).join("");
  return characters.length > 40 ? `${escaped}…` : escaped;
}

/** Controls, formats (text direction), lone surrogates and odd spaces. */
function escapeUnprintable(character: string): string {
  if (character === " " || !/[\p{C}\p{Z}]/u.test(character)) return character;
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}
