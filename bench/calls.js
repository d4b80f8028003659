// What `call` and `standalone` have in common: `get`, `set` and `publish` as whole processes, and their peers – an empty node script, the
// same of redis-cli, and `etcdctl get`.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { timeOnce } from "./measure.js";
import { isInstalled, startEtcd, startRedis } from "./servers.js";

/** `set` first, so that `get` finds something. */
const CALLS = { set: ["set", "k", "v"], get: ["get", "k"], publish: ["publish", "c", "m"] };
export const NODE = "empty `node` script";
const ETCDCTL = "`etcdctl get`";

/** For `rowsOf`. */
export const BASES = {
  node: { head: "÷ empty `node`", of: NODE },
  "redis-cli": { head: "÷ `redis-cli`, the same", of: sameOfRedisCli },
  etcdctl: { head: "÷ `etcdctl get`", of: (name) => (name.includes("get`") ? ETCDCTL : undefined) },
};
/** What is compared to a `get` (see standalone/floors.js). */
const FLOOR = /compiled|^that /;
export const PEERS = ["redis-server", "etcd"];

/** In a directory of its own, with the servers there. @param measure given the peers, and what makes our calls by a program */
export async function withCalls(measure) {
  const dir = mkdtempSync(join(tmpdir(), "timmy-bb-bench-"));
  const servers = [];
  try {
    process.chdir(dir); // no config.yaml is found, as in a script's own directory
    writeFileSync("empty.cjs", "");
    const redis = await startRedis(dir);
    servers.push(redis);
    const node = { name: NODE, command: process.execPath, args: [join(dir, "empty.cjs")] };
    const peers = [node, ...redisCli(redis.port), ...(await etcdctl(dir, servers))];
    await measure(peers, (program) => ours(program, { dir, port: redis.port }), dir);
  } finally {
    for (const server of servers) server.stop();
    process.chdir("/");
    rmSync(dir, { recursive: true, force: true });
  }
}

function redisCli(port) {
  return Object.entries(CALLS).map(([name, words]) => {
    return { name: `\`redis-cli ${name}\``, command: "redis-cli", args: ["-p", String(port), ...words] };
  });
}

function ours([command, ...args], { dir, port }) {
  return ["memory", "redis"].flatMap((store) => {
    const url = `redis://127.0.0.1:${port}`;
    const env = { TIMMY_BB_BACKEND: store, TIMMY_BB_DATA_DIR: dir, TIMMY_BB_URL: url };
    return Object.entries(CALLS).map(([name, words]) => {
      return { name: `\`timmy-bb ${name}\`, ${store}`, command, args: [...args, ...words], env };
    });
  });
}

function sameOfRedisCli(name) {
  const call = Object.keys(CALLS).find((one) => name.includes(`${one}\``));
  if (call === undefined) return FLOOR.test(name) ? "`redis-cli get`" : undefined;
  return `\`redis-cli ${call}\``;
}

async function etcdctl(dir, servers) {
  const hint = "apt-get install etcd-server etcd-client (the bench goes on without)";
  if (!isInstalled("etcd", hint) || !isInstalled("etcdctl", hint)) return [];
  const etcd = await startEtcd(dir);
  servers.push(etcd);
  const call = (...words) => {
    return { command: "etcdctl", args: ["--endpoints", etcd.url, ...words], env: { ETCDCTL_API: "3" } };
  };
  await timeOnce(call("put", "k", "v"));
  return [{ name: ETCDCTL, ...call("get", "k") }];
}
