/** No message about a config file ever holds a value of it: damaged files at random, each with a secret in it. */
import { expect, test } from "vitest";
import { BlackboardError } from "../../src/core/errors.ts";
import { world } from "./config-world.ts";

const SECRET = "Zq7xWv9kTj3p";
/** Any four characters of the secret in a row would be a leak. */
const TRACES = Array.from({ length: SECRET.length - 3 }, (_, at) => SECRET.slice(at, at + 4));
const FILE = `# ${SECRET}
agents:
  key: ${SECRET}
blackboard:
  enabled: true
  backend: auto
  redis:
    url: redis://user:${SECRET}@localhost:6379/0
    password: "${SECRET}"
  keyspace_prefix: timmy
  ttl_seconds: 3600
  memory: { path: null, durability: normal }
  history: { messages_per_channel: 1000, changes: 10000, max_age: 7d }
  agent: ${SECRET}
`;
/** What damage is made of; the secret stands on its own as a value, never as a name of its own making. */
const SHARDS = [
  "\t",
  "  ",
  "\n",
  ": ",
  "'",
  '"',
  "{",
  "}",
  "[",
  "]",
  "&a ",
  "*a ",
  "!x ",
  "|\n",
  ">\n",
  "%",
  "@",
  "`",
  "\\",
  "---\n",
  "\0",
  "0",
  "redis://",
  "- ",
];
const ROUNDS = 2000;
/** Fixed, so that a failure repeats. */
const SEED = 20_261_122;

test("damaged files never show their secret", async () => {
  const random = generator(SEED);
  const here = world();
  let refused = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const text = damaged(FILE, random);
    here.put("work/config.yaml", text);
    const shown = await here.load().then(
      ({ origins, warnings }) => JSON.stringify([origins.filter(({ name }) => isKept(name, text)), warnings]),
      (error: unknown) => {
        expect(error, text).toBeInstanceOf(BlackboardError);
        refused++;
        return textOf(error);
      },
    );
    expect(
      TRACES.filter((trace) => shown.includes(trace)),
      `round ${round}:\n${text}\n${shown}`,
    ).toEqual([]);
  }
  expect(refused).toBeGreaterThan(ROUNDS / 2); // else it is not the errors that were tried
});

test.each([
  ["enabled"],
  ["backend"],
  ["redis"],
  ["ttl_seconds"],
  ["fallback_to_memory"],
  ["memory"],
  ["history"],
  ["timeout"],
])("a secret that slipped to %s is not shown", async (setting) => {
  const here = world({ "work/config.yaml": `blackboard:\n  ${setting}: ${SECRET}\n` });
  const error = await here.refusal();
  expect(error.message).toContain(`blackboard.${setting} must be`);
  expect(textOf(error)).not.toContain(SECRET);
});

test("a secret as a URL is not shown", async () => {
  for (const url of [
    SECRET,
    `redis://h:${SECRET}`,
    `redis://h/${SECRET}`,
    `unix://${SECRET}`,
    `redis://a b${SECRET}`,
  ]) {
    const here = world({ "work/config.yaml": `blackboard:\n  redis: { url: "${url}" }\n` });
    expect(textOf(await here.refusal())).not.toContain(SECRET);
  }
});

/** The agent is no secret, and without its marks the password of a URL is a part of the host. */
function isKept(name: string, text: string): boolean {
  return name !== "agent" && (name !== "redis.url" || text.includes(`:${SECRET}@`));
}

/** Everything of an error that could reach a person, causes included. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const hint = error instanceof BlackboardError ? error.hint : "";
  return `${error.message}\n${hint}\n${error.stack}\n${error.cause === undefined ? "" : textOf(error.cause)}`;
}

/** One to three damages: something put in, something taken out, or a line moved by a space. */
function damaged(text: string, random: () => number): string {
  const below = (limit: number) => Math.floor(random() * limit);
  let result = text;
  for (let times = 1 + below(3); times > 0; times--) {
    const at = placeOutsideSecrets(result, below);
    const kind = below(3);
    if (kind === 0) result = result.slice(0, at) + (SHARDS[below(SHARDS.length)] ?? "") + result.slice(at);
    else if (kind === 1) result = result.slice(0, at) + result.slice(at + 1);
    else result = result.replace(/^ {2}/gm, (indent) => (below(8) === 0 ? `${indent} ` : indent));
  }
  return result;
}

/** Within a secret a shard would make two names of it, and names may be shown. */
function placeOutsideSecrets(text: string, below: (limit: number) => number): number {
  const at = below(text.length);
  const start = text.lastIndexOf(SECRET, at);
  return start >= 0 && at < start + SECRET.length ? start + SECRET.length : at;
}

/** Mulberry32. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
