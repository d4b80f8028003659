/** What may stand in the `blackboard` section, and how each mistake in it is reported. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { SETTINGS } from "../../src/config/index.ts";
import { world, worldWith } from "./config-world.ts";

test("every setting is read from its place", async () => {
  const here = worldWith(
    "enabled: false",
    "backend: memory",
    'redis: { url: "rediss://u:p@h:1/2", password: "0123" }',
    "keyspace_prefix: p",
    "ttl_seconds: 7",
    "fallback_to_memory: false",
    "memory: { path: data/b.db, durability: full }",
    "history: { messages_per_channel: 1, changes: 0, max_age: 1h30m }",
    "agent: robot",
    "timeout: 250ms",
  );
  const { settings, origins } = await here.load();
  expect(settings).toEqual({
    enabled: false,
    backend: "memory",
    url: "rediss://u:p@h:1/2",
    password: "0123",
    prefix: "p",
    ttlMs: 7000,
    fallback: false,
    memoryPath: join(here.root, "work/data/b.db"),
    durability: "full",
    history: { messagesPerChannel: 1, changes: 0, maxAgeMs: 5_400_000 },
    agent: "robot",
    timeoutMs: 250,
  });
  expect(origins.map(({ name }) => name)).toEqual(SETTINGS.map(({ paths }) => paths[0]));
  expect(origins.every(({ origin }) => /^config\.yaml:\d+$/.test(origin))).toBe(true);
  expect(origins).toContainEqual({ name: "redis.url", value: "rediss://h:1/2", origin: "config.yaml:4" });
  expect(origins).toContainEqual({ name: "redis.password", value: "set", origin: "config.yaml:4" });
  expect(JSON.stringify(origins)).not.toContain("0123");
});

test("three settings may stand inside redis: as well", async () => {
  const inside = worldWith("redis: { keyspace_prefix: p, ttl_seconds: 7, fallback_to_memory: false }");
  expect((await inside.load()).settings).toMatchObject({ prefix: "p", ttlMs: 7000, fallback: false });
  const both = worldWith("ttl_seconds: 0", "redis: { ttl_seconds: null }");
  expect((await both.load()).settings.ttlMs).toBeNull();
});

test("given in both places and different is an error that names both lines", async () => {
  const { message, kind } = await worldWith("ttl_seconds: 1", "redis:", "  ttl_seconds: 2").refusal();
  expect(kind).toBe("config");
  expect(message).toBe(
    "config.yaml:4: blackboard.redis.ttl_seconds differs from the same setting in config.yaml:2",
  );
});

test.each([
  ["ttl_seconds: null", { ttlMs: null }],
  ["ttl_seconds:", { ttlMs: null }],
  ["ttl_seconds: 0", { ttlMs: null }],
  ["ttl_seconds: 3153600000", { ttlMs: 3_153_600_000_000 }],
  ["timeout: 2", { timeoutMs: 2000 }],
  ["timeout: 0.5", { timeoutMs: 500 }],
  ["timeout: 24d", { timeoutMs: 2_073_600_000 }],
  ["agent: null", { agent: "me@here" }],
  ["agent:", { agent: "me@here" }],
  ['redis: { password: "" }', { password: null }],
  ["redis: { password: null }", { password: null }],
  ['redis: { password: " #:@é" }', { password: " #:@é" }],
  ['keyspace_prefix: ""', { prefix: "" }],
  ["keyspace_prefix: timmy-bbq", { prefix: "timmy-bbq" }],
  ["keyspace_prefix: {timmy}".replace("{timmy}", '"{timmy}"'), { prefix: "{timmy}" }],
  ["redis: { url: 'unix:///run/redis.sock?db=2' }", { url: "unix:///run/redis.sock?db=2" }],
  ["redis: { url: redis://:se#cr/et@h }", { url: "redis://:se#cr/et@h" }],
])("%s is right", async (line, expected) => {
  expect((await worldWith(line).load()).settings).toMatchObject(expected);
});

const LONG = "x".repeat(257);

test.each([
  ["ttl_seconds: 1h", "ttl_seconds must be a whole number of seconds, or null"],
  ["ttl_seconds: 1.5", "ttl_seconds must be a whole number of seconds, or null"],
  ["ttl_seconds: -1", "ttl_seconds must be"],
  ['ttl_seconds: "60"', "ttl_seconds must be"],
  ["ttl_seconds: 3153600001", "ttl_seconds must be"],
  ["ttl_seconds: .inf", "ttl_seconds must be"],
  ["ttl_seconds: [1]", "ttl_seconds must be"],
  ["enabled: yes", "enabled must be true or false"],
  ['enabled: "true"', "enabled must be true or false"],
  ["enabled: 1", "enabled must be true or false"],
  ["enabled:", "enabled must be true or false"],
  ["backend: Redis", "backend must be auto, redis or memory"],
  ["backend: null", "backend must be auto, redis or memory"],
  ["memory: { durability: fsync }", "memory.durability must be normal or full"],
  ["memory: { path: '' }", "memory.path must be a file's path, or null"],
  ["memory: { path: 12 }", "memory.path must be a file's path, or null"],
  ['memory: { path: "a\\0b" }', "memory.path must be a file's path, or null"],
  ["history: { changes: -1 }", "history.changes must be a whole number from 0 to 1000000000"],
  ["history: { changes: 1000000001 }", "history.changes must be"],
  ["history: { messages_per_channel: 1.5 }", "history.messages_per_channel must be a whole number"],
  ["history: { max_age: 7 days }", "history.max_age must be a duration"],
  ["history: { max_age: 0 }", "history.max_age must be a duration"],
  ["timeout: 25d", "timeout must be a duration such as 500ms or 5s, at most 24d"],
  ["timeout: true", "timeout must be a duration"],
  ["redis: { password: 0123 }", "redis.password must be text, in quotes"],
  ["redis: { password: true }", "redis.password must be text, in quotes"],
  ["redis: { password: 1e3 }", "redis.password must be text, in quotes"],
  ["redis: { password: [a] }", "redis.password must be text, in quotes"],
  ["redis: { url: redis://h:99999 }", "redis.url cannot be used: the redis URL has a bad port"],
  ["redis: { url: localhost:6379 }", "redis.url cannot be used: the redis URL is not one"],
  ["redis: { url: 6379 }", "redis.url must be text"],
  ["redis: { url: }", "redis.url must be text"],
  ["keyspace_prefix: 123", "keyspace_prefix must be text: put it in quotes"],
  ["keyspace_prefix: null", "keyspace_prefix must be at most 256 bytes"],
  ["keyspace_prefix: timmy-bb", "keyspace_prefix must be"],
  ["keyspace_prefix: timmy-bb:x", "keyspace_prefix must be"],
  ['keyspace_prefix: "a\\tb"', "keyspace_prefix must be"],
  [`keyspace_prefix: ${LONG}`, "keyspace_prefix must be"],
  ['agent: ""', "agent must be 1 to 256 bytes"],
  ["agent: 7", "agent must be text: put it in quotes"],
  ['agent: "\\e[31m"', "agent must be 1 to 256 bytes"],
  [`agent: ${"é".repeat(129)}`, "agent must be 1 to 256 bytes"],
  ["redis: 5", "redis must be a map of settings"],
  ["redis: null", "redis must be a map of settings"],
  ["redis: [url]", "redis must be a map of settings"],
])("%s is wrong", async (line, message) => {
  const refusal = await worldWith("# one", line).refusal();
  expect(refusal.kind).toBe("config");
  expect(refusal.message).toMatch(/^config\.yaml:3: blackboard\./);
  expect(refusal.message).toContain(`blackboard.${message}`);
});

test.each([
  ["redis: { ulr: x }", "blackboard.redis.ulr is not a setting", 'did you mean "url"?'],
  ["tll_seconds: 1", "blackboard.tll_seconds is not a setting", 'did you mean "ttl_seconds"?'],
  ["Backend: redis", "blackboard.Backend is not a setting", 'did you mean "backend"?'],
  ["url: redis://h", "blackboard.url is not a setting", 'did you mean "redis.url"?'],
  ["max_age: 7d", "blackboard.max_age is not a setting", 'did you mean "history.max_age"?'],
  ["histroy: {}", "blackboard.histroy is not a setting", 'did you mean "history"?'],
  ["memory: { zzzzzz: 1 }", "blackboard.memory.zzzzzz is not a setting", "settings here: path, durability"],
  ["redis.url: x", "blackboard.redis.url is not a setting", "write url below redis"],
  ["1: x", "blackboard.1 is not a setting", null],
  [`${"k".repeat(90)}: x`, `blackboard.${"k".repeat(40)}… is not a setting`, null],
  ['"a\\e[31m\\u202e": x', "blackboard.a\\u{1b}[31m\\u{202e} is not a setting", null],
  ["? [a]\n  : x", "a list or a map cannot be the name of a setting", null],
  ["constructor: 1", "blackboard.constructor is not a setting", null],
  ["__proto__: { url: 1 }", "blackboard.__proto__ is not a setting", null],
  ["agent: a\n  agent: b", "blackboard.agent is given twice (first in line 2)", null],
  ["redis: { url: redis://h, url: redis://i }", "blackboard.redis.url is given twice", null],
  ["redis: {}\n  redis: {}", "blackboard.redis is given twice (first in line 2)", null],
  ["redis: { password: abc,def }", "an entry has no value", "put text that holds a comma in quotes"],
])("%s: the name is wrong", async (lines, message, hint) => {
  const refusal = await worldWith(lines).refusal();
  expect(refusal.kind).toBe("config");
  expect(refusal.message).toMatch(/^config\.yaml:[23]: /);
  expect(refusal.message).toContain(message);
  if (hint !== null) expect(refusal.hint).toBe(hint);
});

test.each([
  ["a: &x 1\nblackboard: *x\n", "an alias"],
  ["a: &x 1\nblackboard:\n  agent: *x\n", "an alias"],
  ["a: &x agent\nblackboard:\n  *x : b\n", "an alias"],
  ["blackboard: &x\n  agent: b\n", "an anchor"],
  ["blackboard:\n  agent: &x b\n", "an anchor"],
  ["blackboard: !!map\n  agent: b\n", "a tag"],
  ["blackboard:\n  agent: !!str 5\n", "a tag"],
  ["blackboard:\n  agent: !secret b\n", "a tag"],
  ["a: &x { agent: b }\nblackboard:\n  <<: *x\n", ""],
  ["a: &x { agent: b }\nblackboard:\n  <<: { agent: b }\n", "a merge key"],
])("%j: no indirection within the section", async (text, what) => {
  const refusal = await world({ "work/config.yaml": text }).refusal();
  expect(refusal.message).toMatch(/^config\.yaml:[123]: /);
  expect(refusal.message).toContain(`${what} cannot be used in the blackboard section`);
});

test("a section that is not a map is an error", async () => {
  for (const text of ["blackboard: 5\n", "blackboard: [1]\n", "blackboard: text\n"]) {
    const refusal = await world({ "work/config.yaml": text }).refusal();
    expect(refusal.message).toBe("config.yaml:1: blackboard must be a map of settings");
  }
});
