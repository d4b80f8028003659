/** What the process knows of its surroundings. The only place that reads the environment. */
import { readFileSync } from "node:fs";
import { homedir, hostname } from "node:os";
import type { Surroundings } from "./config/index.ts";
import { decodeName } from "./core/names.ts";
import { userName } from "./runtime.ts";

export function surroundings(): Surroundings {
  return {
    env: process.env,
    cwd: process.cwd(),
    home: homeOf(),
    get userAtHost() {
      return `${userName()}@${hostname()}`;
    },
  };
}

/** Where this program runs, as others may know it. */
export const thisProgram = {
  get host(): string {
    return hostname();
  },
  get pid(): number {
    return process.pid;
  },
};

/** Cron and containers run without HOME, and under numeric users that no password file knows. */
function homeOf(): string {
  try {
    return process.env.HOME ?? homedir(); // an empty one is none: Bun's homedir would go on looking
  } catch {
    return "";
  }
}

/** The environment for commands that are run: what needs a password reads it from the config file. */
export function withoutPasswords(env: Surroundings["env"]): Readonly<Record<string, string>> {
  const { TIMMY_BB_REDIS_PASSWORD: _, TIMMY_BB_URL: url, ...rest } = env;
  const shown = url === undefined ? {} : { TIMMY_BB_URL: withoutPassword(url) };
  const given = Object.entries({ ...rest, ...shown }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as Record<string, string>;
}

/** Up to the last `@` are user and password, as `parseRedisUrl` reads it; a socket's path may have one of its own. */
function withoutPassword(url: string): string {
  const parts = /^(\w+:\/\/|(?!\w+:\/\/))(?!\/)(.*)@(.*)$/s.exec(url);
  if (parts === null) return url;
  const [, scheme = "", login = "", place = ""] = parts;
  const user = login.replace(/:.*$/s, "");
  return scheme + (user === "" ? "" : `${user}@`) + place;
}

/**
 * The words of the command line, names that are not UTF-8 included. Node turns their bytes into U+FFFD; where that
 * shows, the words are read again from the kernel.
 */
export function commandWords(words: readonly string[]): readonly string[] {
  for (const word of words) if (word.includes("\ufffd")) return wordsOfKernel(words);
  return words;
}

function wordsOfKernel(words: readonly string[]): readonly string[] {
  try {
    const raw = splitAtNul(readFileSync("/proc/self/cmdline"));
    return raw.slice(raw.length - words.length).map(decodeName);
  } catch {
    return words; // not Linux: such a word names nothing
  }
}

function splitAtNul(bytes: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  let start = 0;
  for (let end = bytes.indexOf(0); end >= 0; end = bytes.indexOf(0, start)) {
    parts.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return parts;
}
