/** Addresses of Redis servers. */
import { expect, test } from "vitest";
import { BlackboardError } from "../../src/core/errors.ts";
import { parseRedisUrl } from "../../src/core/redis-url.ts";

test.each([
  ["redis://localhost:6379/0", "localhost", 6379, 0, "redis://localhost:6379"],
  ["redis://h", "h", 6379, 0, "redis://h:6379"],
  ["redis://", "localhost", 6379, 0, "redis://localhost:6379"],
  ["redis://:7000", "localhost", 7000, 0, "redis://localhost:7000"],
  ["redis://h/", "h", 6379, 0, "redis://h:6379"],
  ["redis://h/15", "h", 6379, 15, "redis://h:6379/15"],
  ["redis://10.0.0.1:1/2", "10.0.0.1", 1, 2, "redis://10.0.0.1:1/2"],
  ["redis://[::1]:6380/3", "::1", 6380, 3, "redis://[::1]:6380/3"],
  ["rediss://h:65535", "h", 65_535, 0, "rediss://h:65535"],
  ["redis://ключ.example", "ключ.example", 6379, 0, "redis://ключ.example:6379"],
])("%s", (url, host, port, db, shown) => {
  const address = parseRedisUrl(url);
  expect(address).toEqual({
    tls: url.startsWith("rediss"),
    target: { host, port },
    db,
    username: null,
    password: null,
    shown,
  });
});

test.each([
  ["redis://u:p@h", "u", "p"],
  ["redis://:p@h", null, "p"],
  ["redis://u@h", "u", null],
  ["redis://u:@h", "u", null],
  ["redis://:@h", null, null],
  ["redis://@h", null, null],
  ["redis://u:a:b@h", "u", "a:b"],
  ["redis://u:a@b@h", "u", "a@b"],
  ["redis://u:#/?%@h", "u", "#/?%"],
  ["redis://u:%40%2f%23@h", "u", "@/#"],
  ["redis://u%3a:100%@h", "u:", "100%"],
  ["redis://u:é 😀@h", "u", "é 😀"],
  ["unix://u:p@/run/r.sock", "u", "p"],
  ["unix://:p/q@/run/r.sock", null, "p/q"],
])("%s: user and password", (url, username, password) => {
  const address = parseRedisUrl(url);
  expect(address).toMatchObject({ username, password });
  if (password !== null) expect(address.shown).not.toContain(password);
});

test.each([
  ["unix:///run/r.sock", "/run/r.sock", 0, "unix:///run/r.sock"],
  ["unix:///run/r.sock?db=3", "/run/r.sock", 3, "unix:///run/r.sock?db=3"],
  ["unix:///run/r.sock?", "/run/r.sock", 0, "unix:///run/r.sock"],
  ["unix:///run/a%20b", "/run/a b", 0, "unix:///run/a b"],
  ["unix:///run/user@host/r.sock", "/run/user@host/r.sock", 0, "unix:///run/user@host/r.sock"],
])("%s: a socket", (url, socketPath, db, shown) => {
  expect(parseRedisUrl(url)).toMatchObject({ tls: false, target: { socketPath }, db, shown });
});

test.each([
  ["", "is not one"],
  ["localhost:6379", "is not one"],
  ["http://h", "is not one"],
  [" redis://h", "is not one"],
  ["redis:/h", "is not one"],
  ["redis://h:0", "bad port"],
  ["redis://h:65536", "bad port"],
  ["redis://h:-1", "bad port"],
  ["redis://h:", "bad port"],
  ["redis://h:6379x", "bad port"],
  ["redis://h/x", "bad database"],
  ["redis://h/-1", "bad database"],
  ["redis://h/99999999999", "bad database"],
  ["redis://h/0/1", "bad database"],
  ["redis://h?db=1", "cannot be read"],
  ["redis://h/0?tls=true", "cannot be read"],
  ["redis://h/0#x", "cannot be read"],
  ["redis://h h", "cannot be read"],
  ["redis://h\n", "cannot be read"],
  ["redis://\u009b31mh", "cannot be read"],
  ["redis://[::1", "cannot be read"],
  ["redis://::1", "bad port"],
  ["unix://run/r.sock", "absolute socket path"],
  ["unix://", "absolute socket path"],
  ["unix:///run/r.sock?db=x", "bad database"],
  ["unix:///run/r.sock?bd=1", "cannot be read"],
  ["unix:///run/r.sock?db=1&x=2", "bad database"],
  ["unix:///run/%1b[31m", "control character"],
  ["unix:///run/%00", "control character"],
])("%j is refused", (url, message) => {
  expect(refusalOf(url)).toContain(message);
});

test("a refusal never quotes the address", () => {
  const secret = "hunter2";
  for (const url of [
    secret,
    `redis://:${secret}`,
    `redis://h/${secret}`,
    `unix://:p@${secret}`,
    `http://${secret}@h`,
  ]) {
    expect(refusalOf(url)).not.toContain(secret);
  }
});

function refusalOf(url: string): string {
  try {
    parseRedisUrl(url);
  } catch (error) {
    if (!(error instanceof BlackboardError)) throw error;
    expect(error.kind).toBe("usage");
    return `${error.message}\n${error.hint}`;
  }
  return expect.unreachable("it was taken");
}
