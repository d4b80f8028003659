/**
 * Text that is safe on a terminal: stored data can carry escape sequences that move the cursor, rename the window or
 * worse, so every control character is shown, not sent.
 */

/** C0 but line break and TAB, DEL, and C1 (which some terminals obey in UTF-8 too); bidirectional overrides. */
const UNSAFE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** `ESC` becomes `^[`, `CR` `^M`, U+009B `\u009b`; line breaks and TABs stay. */
export function escapeControls(text: string): string {
  return text.replace(UNSAFE, (character) => {
    const code = character.charCodeAt(0);
    if (code < 0x20) return `^${String.fromCharCode(code + 64)}`;
    if (code === 0x7f) return "^?";
    return `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/** JSON text that is safe on a terminal, too: JSON itself escapes only C0. The value it stands for is the same. */
export function escapeJson(json: string): string {
  return json.replace(UNSAFE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** The same for a name or a table cell, where a line break or TAB would break the layout. */
export function escapeAll(text: string): string {
  return escapeControls(text).replace(/\n/g, "^J").replace(/\t/g, "^I");
}

/** A name in a line of its own: line breaks, which only foreign clients write, are shown. */
export function oneLine(text: string): string {
  return /[\n\r]/.test(text) ? text.replace(/\n/g, "\\n").replace(/\r/g, "\\r") : text;
}

/** The same for a name with something behind it, from which a TAB parts it. */
export function oneCell(name: string): string {
  return oneLine(name).replace(/\t/g, "\\t");
}

/** The same for a payload: one record a line. `--json` has the exact bytes. */
export function oneLineBytes(payload: Uint8Array): Uint8Array {
  if (!payload.includes(10) && !payload.includes(13)) return payload;
  return Buffer.from(oneLine(Buffer.from(payload).toString("latin1")), "latin1");
}
