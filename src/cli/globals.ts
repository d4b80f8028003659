/** Options every command has, before or after its name. */
import type { Option } from "./command.ts";

export const GLOBAL_OPTIONS: readonly Option[] = [
  {
    flags: "-c, --config <file>",
    about: "the config file; else the nearest config.yaml with a blackboard section",
  },
  { flags: "--backend <store>", about: "auto, redis or memory" },
  { flags: "--url <url>", about: "where redis is: redis://host:port/db, rediss://…, unix:///socket" },
  { flags: "--prefix <prefix>", about: "the board's prefix: keys are stored as PREFIX:KEY" },
  { flags: "--agent <name>", about: "who writes; attribution, not authentication" },
  { flags: "--timeout <duration>", about: "the most a command may take, or a step of a long one" },
  { flags: "--json", about: "one JSON object a line; errors too, on stderr" },
  { flags: "-q, --quiet", about: "no notices on stderr, only errors" },
  { flags: "--color <when>", about: "auto, always or never" },
  { flags: "--debug", about: "stack traces with errors" },
];

/** What is understood instead of a call; for help and docs. */
export const QUESTIONS: readonly Option[] = [
  { flags: "-h, --help", about: "show help" },
  { flags: "-V, --version", about: "print the version" },
];

/** Whether a global option takes a value, by each of its spellings. */
export const TAKES_VALUE: ReadonlyMap<string, boolean> = new Map(
  GLOBAL_OPTIONS.flatMap(({ flags }) => {
    const [spellings = "", value] = flags.split(" <");
    return spellings.split(", ").map((spelling) => [spelling, value !== undefined] as const);
  }),
);
