/** `history`, and who wrote what in `get --json` and `keys`. */
import { describe, expect, test, vi } from "vitest";
import { withServer } from "../helpers/file-server.ts";
import { onTerminal } from "../helpers/pty.ts";
import type { RedisServer } from "../helpers/redis-server.ts";
import { until } from "../helpers/until.ts";
import { done, Workplace } from "../helpers/workplace.ts";

// Each call is a process of its own: more at once than this only starve each other.
vi.setConfig({ maxConcurrency: 3 });

let server: RedisServer;
withServer((started) => {
  server = started;
});

type Env = Record<string, string>;
const STORES: ReadonlyArray<readonly [string, (env?: Env) => Workplace]> = [
  ["memory", (env) => Workplace.memory(env)],
  ["redis", (env) => Workplace.redis(server, env)],
];

describe.concurrent.each(STORES)("on %s", (_name, makePlace) => {
  test("when, what, who and the value, the oldest first; --last, --since, --json", async () => {
    const place = makePlace();
    const script = `
      timmy-bb set k 1 --agent ada --json
      printf 'a\\nb' | timmy-bb set k --agent ben --json
      timmy-bb set other x
      timmy-bb del k --agent ada > deleted
      timmy-bb set k 3 --ttl 100ms --agent ben
    `;
    const [first, second] = rowsOf((await place.bash(script)).out);
    await until(
      "the expiry",
      async () => (await place.run(["wait", "k", "--absent", "--wait", "5s"])).exit === 0,
    );
    const rows = rowsOf(await place.ask("history", "k", "--json"));
    const times = rows.map(({ at }) => new Date(Number(at)).toISOString());
    expect(times[0]).toBe(new Date(Number(String(first?.id).split("-")[0])).toISOString());
    const lines = ["set\tada\t1", "set\tben\ta\\nb", "del\tada", "set\tben\t3", "expired\t-"];
    expect(rows.length).toBe(lines.length);
    const plain = lines.map((line, at) => `${times[at]}\t${line}\n`);
    expect(await place.run(["history", "k"])).toEqual(done(plain.join("")));
    expect(await place.run(["history", "k", "--last", "2"])).toEqual(done(plain.slice(3).join("")));
    expect(await place.run(["history", "k", "--since", String(second?.id)])).toEqual(
      done(plain.slice(2).join("")),
    );
    expect(rowsOf(await place.ask("watch", "k", "--since", "1h", "--json"))).toEqual(rows);
    expect(rows[1]).toMatchObject({
      event: "set",
      key: "k",
      value: "a\nb",
      size: 3,
      by: "ben",
      id: second?.id,
    });
    expect(rows[4]).toMatchObject({ event: "expired", value: null, size: null, by: null });
  });
});

// What the stores do differently, the conformance suite proves on both: these are of what the command says.
describe.concurrent("on one store", () => {
  const makePlace = (env?: Env) => Workplace.memory(env);

  test("nothing retained: exit 1, nothing printed; what retention dropped is told with --since", async () => {
    const place = makePlace({ TIMMY_BB_HISTORY_CHANGES: "2" });
    const absent = { exit: 1, out: "", err: "" };
    expect(await place.run(["history", "k"])).toEqual(absent);
    expect(await place.run(["history", "k", "--since", "1h", "--json"])).toEqual(absent);
    const sent = await place.bash("for n in 0 1 2 3; do timmy-bb set k $n --json; done");
    const ids = rowsOf(sent.out).map(({ id }) => String(id));
    expect(await place.run(["history", "none"])).toEqual(absent);
    const since = ["history", "k", "--since", ids[0] ?? ""];
    const rows = rowsOf(await place.ask(...since, "--json"));
    expect(rows.map((row) => row.gap ?? row.value)).toEqual([{ after: ids[0], next: ids[2] }, "2", "3"]);
    expect(await place.run(since)).toEqual({
      exit: 0,
      out: expect.stringMatching(/^\S+\tset\t\S+\t2\n\S+\tset\t\S+\t3\n$/),
      err: `timmy-bb: changes after ${ids[0]} were dropped by retention; going on at ${ids[2]}\n`,
    });
    expect((await place.run(["history", "k"])).err).toBe("");
    const [gap, ...none] = rowsOf((await place.run(["history", "none", ...since.slice(2), "--json"])).out);
    expect([gap, none]).toEqual([{ gap: { after: ids[0], next: ids[2] } }, []]);
  });

  test("get --json, keys --long --json and keys --by have the same provenance", async () => {
    const place = makePlace();
    const script = `
      timmy-bb set a 1 --agent ada --no-ttl --json
      timmy-bb set b 2 --agent ben --ttl 1h --json
      timmy-bb set c 3 --agent ada
    `;
    const [a, b] = rowsOf((await place.bash(script)).out);
    const at = (id: unknown) => Number(String(id).split("-")[0]);
    const [got] = rowsOf(await place.ask("get", "a", "--json"));
    expect(got).toEqual({ key: "a", value: "1", id: a?.id, by: "ada", at: at(a?.id), ttl_ms: null });
    const [mortal] = rowsOf(await place.ask("get", "b", "--json"));
    expect(mortal?.ttl_ms).toBeGreaterThan(3_500_000);
    expect(await place.ask("get", "none", "--default", "d", "--json")).toBe(
      '{"key":"none","value":"d","id":null,"by":null,"at":null,"ttl_ms":null}\n',
    );
    const [listed] = rowsOf(await place.ask("keys", "b", "--long", "--json"));
    expect(listed).toMatchObject({ key: "b", id: b?.id, by: "ben", at: at(b?.id), size: 1 });
    expect(await place.ask("keys", "--by", "ada")).toBe("a\nc\n");
    expect(await place.ask("keys", "--by", "ada", "--long", "--limit", "1")).toMatch(/^a\t-\t1\tada\t\S+\n$/);
    expect(await place.ask("keys", "--by", "ada", "--stale", "1h")).toBe("");
    expect(await place.ask("keys", "--by", "nobody")).toBe("");
  });
});

test("a foreign key has no author, and no history", async () => {
  const place = Workplace.redis(server);
  await server.cli("set", `${place.prefix}:theirs`, "x");
  const unknown = { id: null, by: null, at: null, ttl_ms: null };
  expect(rowsOf(await place.ask("get", "theirs", "--json"))).toEqual([
    { key: "theirs", value: "x", ...unknown },
  ]);
  expect(await place.run(["history", "theirs"])).toEqual({ exit: 1, out: "", err: "" });
});

test("on a terminal: a table, and stored text is shown, not obeyed", async () => {
  const place = Workplace.memory({ TIMMY_BB_AGENT: "ada" });
  await place.bash("printf '\\033[31mred\\tx\\ny' | timmy-bb set k; timmy-bb del k");
  const { screen } = await onTerminal(place, "timmy-bb history k", { NO_COLOR: "1" });
  const [head, set, del] = screen.split("\n");
  expect(head).toMatch(/^TIME +EVENT +BY +VALUE$/);
  expect(set).toMatch(/^\S+Z +set +ada +\^\[\[31mred\^Ix\\ny$/);
  expect(del).toMatch(/^\S+Z +del +ada$/);
  expect((await onTerminal(place, "timmy-bb history none")).screen).toBe("");
});

test("a pipe that is closed, and what cannot go together", async () => {
  const place = Workplace.memory();
  await using board = await place.openBoard();
  for (let n = 0; n < 300; n++) await board.set("k", `${n}${"x".repeat(1000)}`);
  expect(await place.bash("set -o pipefail; timmy-bb history k | head -1 | cut -f 4 | cut -c 1-3")).toEqual(
    done("0xx\n"),
  );
  const nobody = await place.run(["keys", "--by", ""]);
  expect(nobody).toEqual({
    exit: 2,
    out: "",
    err: "timmy-bb: --by: the agent is empty\nhint: is a variable unset?\n",
  });
  const refused = await place.run(["history", "k", "--last", "1", "--since", "1h"]);
  expect(refused).toMatchObject({
    exit: 2,
    out: "",
    err: expect.stringMatching(/^timmy-bb: --last and --since cannot/),
  });
});

test("a long history is printed as it is read, not held", async () => {
  const place = Workplace.memory();
  await using board = await place.openBoard();
  const value = Buffer.alloc(60_000, "x");
  for (let n = 0; n < 20; n++) await Promise.all(Array.from({ length: 100 }, () => board.set("k", value)));
  const peak = `
    exec 3< <(exec timmy-bb history k)
    head -c 1 <&3 > first
    grep VmHWM /proc/$!/status
    cat <&3 | wc -l
  `;
  const [, kilobytes, lines] = /(\d+) kB\n(\d+)/.exec((await place.bash(peak)).out) ?? [];
  expect(Number(lines)).toBe(2000);
  expect(Number(kilobytes)).toBeLessThan(150_000); // of 120 MB, and the program
});

function rowsOf(text: string): Record<string, unknown>[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}
