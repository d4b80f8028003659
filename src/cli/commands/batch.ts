import { usageError } from "../../core/errors.ts";
import type { Command } from "../command.ts";

export const batch: Command = {
  name: "batch",
  summary: "run many commands from standard input on one connection",
  promise:
    'Each line of standard input is a command: its words as a JSON array of strings, ["set","plan","ship it"], with {"base64":"…"} for bytes that are no text; or as a shell reads them, set plan \'ship it\'. ' +
    "Nothing is expanded or run: a line in which a shell would do that is refused. Blank lines and comments (#) are skipped. " +
    "For each command, in their order and as soon as it is known, one line of JSON: exit, and rows as the command prints them with --json, or error as it goes to stderr with --json. " +
    "Commands do not wait for the answers of those before, but their effects come in the order of the lines. One that fails does not keep the others from being done, unless --stop is given; a store that cannot be used ends it all. " +
    "Exits 0 if every command exited 0 or 1 (absent); else as the first that failed did, which is then told on stderr. " +
    "What follows, waits for others, asks, or reads standard input is no part of a batch.",
  args: [],
  options: [
    { flags: "--stop", about: "one command after the other, and none behind the first that exits over 1" },
    { flags: "--frames", about: "the other half of what timmy-bb shell-init makes a shell say" },
    {
      flags: "--shell <pid>",
      about: "with --frames: ends with this process, not with the one that started it",
    },
  ],
  examples: [
    {
      about: "a few commands at once",
      shell: `printf '%s\\n' "set plan 'ship it'" 'get plan' 'del nothing' | timmy-bb batch | tail -1`,
      prints: '{"exit":0,"rows":[{"deleted":0}]}\n',
    },
    {
      about: "many, made by a program",
      shell:
        'seq 1000 | awk \'{ printf "[\\"set\\",\\"n:%d\\",\\"%d\\"]\\n", $1, $1 * $1 }\' | timmy-bb batch > replies; timmy-bb get n:1000',
      prints: "1000000\n",
    },
    {
      about: "which failed",
      shell: "printf 'set n one\\nincr n\\nget n\\n' | timmy-bb batch 2> told | cut -c 1-9; head -n 1 told",
      prints:
        '{"exit":0\n{"exit":5\n{"exit":0\ntimmy-bb: one of the commands failed, in line 2: the value is not a 64-bit integer\n',
    },
  ],
  waits: () => true,
  async run(context, given) {
    if (given.flag("frames")) {
      if (given.flag("stop")) throw usageError("--frames and --stop cannot go together");
      const { serve } = await import("../batch/serve.ts");
      return { speak: (out) => serve(context, out, given.count("shell", 1)) };
    }
    if (given.text("shell") !== undefined) throw usageError("--shell goes with --frames");
    const { Batch } = await import("../batch/batch.ts");
    context.endsItself(2 * context.loaded.settings.timeoutMs); // what has begun, and its replies
    const batch = new Batch(context, given.flag("stop"));
    return { speak: (out) => batch.speak(out) };
  },
};
