/** Flag or option over environment over file over default; what each of them may say. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { flagOverrides, type OptionValues, optionOverrides, SETTINGS } from "../../src/config/index.ts";
import { world, worldWith } from "./config-world.ts";

/** A right value for each variable, and what `status` shows for it. */
const VARIABLES: Readonly<Record<string, readonly [text: string, shown: string]>> = {
  TIMMY_BB_ENABLED: ["0", "false"],
  TIMMY_BB_BACKEND: ["memory", "memory"],
  TIMMY_BB_URL: ["redis://:pw@h", "redis://h:6379"],
  TIMMY_BB_REDIS_PASSWORD: ["0123", "set"],
  TIMMY_BB_PREFIX: ["env", "env"],
  TIMMY_BB_TTL: ["1h", "3600"],
  TIMMY_BB_FALLBACK: ["false", "false"],
  TIMMY_BB_DATA_DIR: ["/data", "/data/board.db"],
  TIMMY_BB_DURABILITY: ["full", "full"],
  TIMMY_BB_HISTORY_MESSAGES_PER_CHANNEL: ["5", "5"],
  TIMMY_BB_HISTORY_CHANGES: ["6", "6"],
  TIMMY_BB_HISTORY_MAX_AGE: ["90", "1m30s"],
  TIMMY_BB_AGENT: ["robot", "robot"],
  TIMMY_BB_TIMEOUT: ["1", "1s"],
};

test("every setting has a variable, and it is read", async () => {
  expect(SETTINGS.map(({ env }) => env).sort()).toEqual(Object.keys(VARIABLES).sort());
  for (const [variable, [text, value]] of Object.entries(VARIABLES)) {
    const { origins, warnings } = await world().load({ env: { [variable]: text } });
    const setting = SETTINGS.find(({ env }) => env === variable);
    expect(origins).toContainEqual({ name: setting?.paths[0], value, origin: `environment ${variable}` });
    expect(warnings).toEqual([]);
  }
});

test("an empty variable counts as unset", async () => {
  const env = Object.fromEntries(Object.keys(VARIABLES).map((name) => [name, ""]));
  const { origins } = await world().load({ env });
  expect(origins.every(({ origin }) => origin === "default")).toBe(true);
});

test("flag over environment over file over default", async () => {
  const here = worldWith("keyspace_prefix: file", "timeout: 1s", "agent: file");
  const env = { TIMMY_BB_PREFIX: "env", TIMMY_BB_TIMEOUT: "2s" };
  const overrides = flagOverrides({ prefix: "flag" });
  const { settings, origins } = await here.load({ overrides, env });
  expect(settings).toMatchObject({ prefix: "flag", timeoutMs: 2000, agent: "file", backend: "auto" });
  const origin = (wanted: string) => origins.find(({ name }) => name === wanted)?.origin;
  expect(origin("keyspace_prefix")).toBe("flag --prefix");
  expect(origin("timeout")).toBe("environment TIMMY_BB_TIMEOUT");
  expect(origin("agent")).toBe("config.yaml:4");
  expect(origin("backend")).toBe("default");
});

test("every flag is read, and an empty prefix can be given", async () => {
  const overrides = flagOverrides({
    backend: "redis",
    url: "redis://f",
    prefix: "",
    agent: "a",
    timeout: "9",
  });
  const { settings, origins } = await world().load({ overrides, env: { TIMMY_BB_PREFIX: "env" } });
  expect(settings).toMatchObject({
    backend: "redis",
    url: "redis://f",
    prefix: "",
    agent: "a",
    timeoutMs: 9000,
  });
  expect(origins.filter(({ origin }) => origin.startsWith("flag --"))).toHaveLength(5);
  expect(origins).toContainEqual({ name: "keyspace_prefix", value: '""', origin: "flag --prefix" });
});

test("every option is read", async () => {
  const here = worldWith('redis: { password: "file" }');
  const options: Required<OptionValues> = {
    backend: "memory",
    url: "redis://o",
    password: "opt",
    prefix: "o",
    ttlSeconds: null,
    dataDir: "d",
    agent: "o",
    timeoutMs: 1500,
  };
  const { settings, origins } = await here.load({ overrides: optionOverrides(options) });
  expect(settings).toMatchObject({
    backend: "memory",
    url: "redis://o",
    password: "opt",
    prefix: "o",
    ttlMs: null,
    memoryPath: join(here.root, "work/d/board.db"),
    agent: "o",
    timeoutMs: 1500,
  });
  const names = SETTINGS.map(({ option }) => option).filter((option) => option !== null);
  expect(names.sort()).toEqual(Object.keys(options).sort());
  expect(origins.filter(({ origin }) => origin.startsWith("option "))).toHaveLength(names.length);
});

test("an option or flag that is undefined is not given; one inherited is not looked at", async () => {
  const overrides = optionOverrides({ prefix: undefined, url: undefined });
  expect(overrides).toEqual({});
  expect(flagOverrides(Object.create({ prefix: "inherited" }))).toEqual({});
});

test.each([
  ["--url", { url: "http://h" }, "--url cannot be used: the redis URL is not one"],
  ["--url empty", { url: "" }, "--url cannot be used"],
  ["--prefix", { prefix: "timmy-bb:x" }, "--prefix must be at most 256 bytes"],
  ["--agent", { agent: "" }, "--agent must be 1 to 256 bytes"],
  ["--backend", { backend: "sqlite" }, "--backend must be auto, redis or memory"],
  ["--timeout", { timeout: "soon" }, "--timeout must be a duration"],
  ["--timeout 0", { timeout: "0" }, "--timeout must be a duration"],
])("a wrong %s", async (_, flags, message) => {
  const refusal = await world().refusal({ overrides: flagOverrides(flags) });
  expect(refusal.kind).toBe("usage");
  expect(refusal.message).toContain(message);
});

test.each([
  [{ timeoutMs: 0 }, "option timeoutMs must be a number of milliseconds"],
  [{ timeoutMs: "5s" }, "option timeoutMs must be"],
  [{ timeoutMs: Number.NaN }, "option timeoutMs must be"],
  [{ timeoutMs: 2 ** 31 }, "option timeoutMs must be"],
  [{ ttlSeconds: 0.5 }, "option ttlSeconds must be a whole number of seconds, or null"],
  [{ ttlSeconds: "60" }, "option ttlSeconds must be"],
  [{ dataDir: "" }, "option dataDir must be a directory's path"],
  [{ dataDir: null }, "option dataDir must be a directory's path"],
  [{ agent: null }, "option agent must be"],
  [{ prefix: 5 }, "option prefix must be"],
  [{ prefix: "\ud800" }, "option prefix must be"],
  [{ password: 5 }, "option password must be text"],
  [{ url: 5 }, "option url must be text"],
])("a wrong option %j", async (options, message) => {
  const refusal = await world().refusal({ overrides: optionOverrides(options as OptionValues) });
  expect(refusal.kind).toBe("usage");
  expect(refusal.message).toContain(message);
});

test.each([
  ["TIMMY_BB_ENABLED", "yes"],
  ["TIMMY_BB_BACKEND", "none"],
  ["TIMMY_BB_URL", "redis://h:x"],
  ["TIMMY_BB_TTL", "for ever"],
  ["TIMMY_BB_HISTORY_CHANGES", "1e3"],
  ["TIMMY_BB_HISTORY_CHANGES", "-1"],
  ["TIMMY_BB_HISTORY_MAX_AGE", "0"],
  ["TIMMY_BB_TIMEOUT", "1y"],
  ["TIMMY_BB_AGENT", "a\nb"],
  ["TIMMY_BB_PREFIX", "timmy-bb"],
])("a wrong variable %s=%s", async (variable, text) => {
  const refusal = await world().refusal({ env: { [variable]: text } });
  expect(refusal.kind).toBe("config");
  expect(refusal.message).toMatch(new RegExp(`^${variable} (must|cannot) be `));
});

test.each([
  ["0", null],
  ["0s", null],
  ["0.0", null],
  ["90", 90_000],
  ["250ms", 250],
])("TIMMY_BB_TTL=%s", async (text, ttlMs) => {
  expect((await world().load({ env: { TIMMY_BB_TTL: text } })).settings.ttlMs).toBe(ttlMs);
});

test("what is wrong in a lower layer is told even if a higher one overrides it", async () => {
  const here = worldWith("timeout: soon");
  const refusal = await here.refusal({ overrides: flagOverrides({ timeout: "1s" }) });
  expect(refusal.message).toContain("config.yaml:2: blackboard.timeout must be");
});

test("a password wins over the one in a URL of the same or a lower layer, not of a higher one", async () => {
  const here = worldWith('redis: { url: "redis://:inurl@h", password: "file" }');
  expect((await here.load()).settings.password).toBe("file");
  expect((await here.load({ env: { TIMMY_BB_REDIS_PASSWORD: "env" } })).settings.password).toBe("env");
  const flagged = await here.load({ overrides: flagOverrides({ url: "redis://:flag@h" }) });
  expect(flagged.settings.password).toBeNull();
  expect(flagged.origins).toContainEqual({
    name: "redis.password",
    value: "set",
    origin: "in the URL, flag --url",
  });
  const bare = await here.load({ overrides: flagOverrides({ url: "redis://h" }) });
  expect(bare.settings.password).toBe("file");
});

test("a password in --url is warned about, one anywhere else is not", async () => {
  const url = "redis://:hunter2@h";
  const { warnings } = await world().load({ overrides: flagOverrides({ url }) });
  expect(warnings).toEqual([
    "the password in --url shows in the list of processes; set TIMMY_BB_REDIS_PASSWORD instead",
  ]);
  expect((await world().load({ overrides: optionOverrides({ url }) })).warnings).toEqual([]);
  expect((await world().load({ env: { TIMMY_BB_URL: url } })).warnings).toEqual([]);
  expect((await worldWith(`redis: { url: "${url}" }`).load()).warnings).toEqual([]);
  expect((await world().load({ overrides: flagOverrides({ url: "redis://h" }) })).warnings).toEqual([]);
});

test.each([
  ["TIMMY_BB_AGNET", "; did you mean TIMMY_BB_AGENT?"],
  ["TIMMY_BB_PASSWORD", "; did you mean TIMMY_BB_REDIS_PASSWORD?"],
  ["TIMMY_BB_DATADIR", "; did you mean TIMMY_BB_DATA_DIR?"],
  ["TIMMY_BB_CONFG", "; did you mean TIMMY_BB_CONFIG?"],
  ["TIMMY_BB_MAX_AGE", "; did you mean TIMMY_BB_HISTORY_MAX_AGE?"],
  ["TIMMY_BB_QWERTYUIOP", ""],
])("an unknown variable %s is told about, by name only", async (name, guess) => {
  const { warnings } = await world().load({ env: { [name]: "hunter2" } });
  expect(warnings).toEqual([`the environment variable ${name} is no setting${guess}`]);
});

test.each([
  ...["CHANNEL", "EVENT", "KEY", "SIZE", "INITIAL", "ID", "BY", "AT", "LOCK_TOKEN", "FENCE"].map(
    (name) => `TIMMY_BB_${name}`,
  ),
  "TIMMY_BB_SERVICE_HOST",
  "TIMMY_BB_REDIS_SERVICE_PORT_TCP",
  "TIMMY_BB_PORT_6379_TCP_ADDR",
  "TIMMY_BB_PORT",
  "TIMMY_BBQ",
])("%s is no typing error", async (name) => {
  expect((await world().load({ env: { [name]: "x" } })).warnings).toEqual([]);
});
