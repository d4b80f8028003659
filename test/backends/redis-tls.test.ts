/** Redis by TLS: whom the command trusts, and what it says if it does not, or if only one side speaks TLS. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli } from "../helpers/cli.ts";
import { RedisServer } from "../helpers/redis-server.ts";
import { removeTempDirs, tempDir } from "../helpers/temp.ts";

const PASSWORD = "hush hush#%/@";
let server: RedisServer;

beforeAll(async () => {
  server = await RedisServer.start({ tls: true, password: PASSWORD });
});
afterAll(() => server.stop());
afterAll(removeTempDirs);

function run(words: readonly string[], url: string, trusted: string | null, more = {}) {
  const trust = trusted === null ? {} : { NODE_EXTRA_CA_CERTS: trusted };
  const env = { TIMMY_BB_BACKEND: "redis", TIMMY_BB_URL: url, TIMMY_BB_PREFIX: "timmy", ...trust, ...more };
  return runCli([...words, "--timeout", "2s"], { cwd: tempDir("home"), env });
}

test("who trusts the certificate reads and writes, with a password, in the right database", async () => {
  const url = `${server.url}/3`;
  expect(await run(["set", "k", "v"], url, server.certificate)).toMatchObject({ exitCode: 0, stderr: "" });
  expect(await server.cli("-n", "3", "get", "timmy:k")).toBe("v");
  const { stdout, exitCode } = await run(["get", "k"], url, server.certificate);
  expect([stdout.toString(), exitCode]).toEqual(["v\n", 0]);
});

test("a certificate nobody vouches for is refused", async () => {
  const { exitCode, stderr, stdout } = await run(["get", "k"], server.url, null);
  expect([exitCode, stdout.length]).toEqual([2, 0]);
  expect(stderr).toMatch(/cannot use rediss:.* \(TLS failed: DEPTH_ZERO_SELF_SIGNED_CERT\)/);
  expect(stderr).not.toContain("hush");
});

test("who speaks in the clear to a port of TLS gets no answer, and says so", async () => {
  const { exitCode, stderr } = await run(["get", "k"], server.url.replace("rediss:", "redis:"), null);
  expect(exitCode).toBe(4);
  expect(stderr).toMatch(/cannot reach redis:/);
  expect(stderr).not.toContain("hush");
});

test("DEBUG=ioredis:* shows no password and no value", async () => {
  const words = ["set", "k", "VALUE-OF-MINE"];
  const { exitCode, stderr } = await run(words, server.url, server.certificate, { DEBUG: "ioredis:*" });
  expect(exitCode).toBe(0);
  for (const command of ["auth", "eval"]) expect(stderr).toMatch(new RegExp(`write command.*${command}`));
  expect(stderr).not.toMatch(/hush|VALUE-OF-MINE/);
  expect(stderr).not.toMatch(/68 75 73 68/); // the bytes of `hush`
});
