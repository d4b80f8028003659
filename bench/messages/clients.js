// The same kind of client for each subject: one that lives in a node process, publishes and follows.
//   open(): { publish(text): Promise, follow(onPayload): Promise (resolves when nothing can be missed), close() }
import { join } from "node:path";
import { buildSync } from "esbuild";
import { openBlackboard } from "../../dist/index.js";
import { openMqtt, openResp } from "./raw.js";

const CHANNEL = "bench";

/** By name: how to open one, given the ports and the directory. */
export const CLIENTS = {
  "bare redis": ({ redis }) => openResp(redis, CHANNEL),
  "bare + our script": ({ redis }) => openScripted(redis),
  "bare mosquitto": ({ mosquitto }) => openMqtt(mosquitto, CHANNEL),
  "timmy-bb memory": ({ dir }) => openBoard({ backend: "memory", dataDir: dir }),
  "timmy-bb redis": ({ redis }) => openBoard({ backend: "redis", url: `redis://127.0.0.1:${redis}` }),
  "bare redis, event + GET": ({ redis }) => openKeyspace(redis),
  "watch on memory": ({ dir }) => openWatch({ backend: "memory", dataDir: dir }),
  "watch on redis": ({ redis }) => openWatch({ backend: "redis", url: `redis://127.0.0.1:${redis}` }),
};

/** What is set is heard of by the server's own notification, which does not say the value. */
async function openKeyspace(port) {
  const key = "watched";
  const setter = await openResp(port, `__keyspace@0__:${key}`, (text) => ["SET", key, text]);
  const getter = await openResp(port, "");
  return {
    publish: setter.publish,
    follow: (onValue) => setter.follow(async () => onValue(valueIn(await getter.ask("GET", key)))),
    close() {
      setter.close();
      getter.close();
    },
  };
}

function valueIn(block) {
  return block.subarray(block.indexOf("\n") + 1, block.length - 2);
}

async function openWatch(options) {
  const board = await openBlackboard({ ...options, agent: "bench" });
  return {
    publish: (text) => board.set(CHANNEL, text),
    async follow(onValue) {
      const watcher = board.watch(CHANNEL);
      await watcher.ready;
      void drainChanges(watcher, onValue);
    },
    close: () => board.close(),
  };
}

async function drainChanges(watcher, onValue) {
  for await (const { value } of watcher) onValue(value);
}

/** The same plain socket, but it publishes by our script: what logging costs, without a library. */
async function openScripted(port) {
  const root = "timmy-bb:{timmy}:";
  const channel = `timmy:${CHANNEL}-scripted`;
  const history = ["10000", "1000", "604800000"];
  let sha = "";
  const client = await openResp(
    port,
    channel,
    (text) => ["EVALSHA", sha, "1", `${root}id`, root, "bench", ...history, channel, text, "0"], // as scripts.ts says
  );
  sha = String(await client.ask("SCRIPT", "LOAD", await publishScript())).split("\r\n")[1];
  return client;
}

async function publishScript() {
  const entry = join(import.meta.dirname, "../../src/backends/redis/scripts.ts");
  const built = buildSync({
    entryPoints: [entry],
    bundle: true,
    format: "esm",
    platform: "node",
    write: false,
  });
  const { PUBLISH } = await import(`data:text/javascript,${encodeURIComponent(built.outputFiles[0].text)}`);
  return PUBLISH.source;
}

async function openBoard(options) {
  const board = await openBlackboard({ ...options, agent: "bench" });
  return {
    publish: (text) => board.publish(CHANNEL, text),
    async follow(onPayload) {
      const follower = board.subscribe(CHANNEL);
      await follower.ready;
      void drain(follower, onPayload);
    },
    close: () => board.close(),
  };
}

async function drain(follower, onPayload) {
  for await (const { payload } of follower) onPayload(payload);
}
