/** Shell code inside TypeScript: as it stands but for `\${` and `` \` ``, before which a template wants a backslash. */
export function shell({ raw }: TemplateStringsArray): string {
  return raw.join("").replaceAll("\\${", "${").replaceAll("\\`", "`").trimStart();
}

/** A program and its first words, as any shell reads them. */
export function quoted(words: readonly string[]): string {
  return words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
}

/**
 * Where the code says so, the program that printed it is called: the same one, whatever the PATH is by then. Comments, which stand on lines of
 * their own, are left out: zsh takes none at a prompt.
 */
export function withProgram(code: string, program: readonly string[]): string {
  return code.replaceAll(/^ *#.*\n|^\n/gm, "").replaceAll("@PROGRAM@", () => quoted(program));
}
