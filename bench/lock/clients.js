// The same kind of client for each subject, in a node process:
//   open(places): { acquire(): Promise<token>, release(token): Promise, close() }
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { openBlackboard } from "../../dist/index.js";
import { openResp } from "../messages/raw.js";

const LOCK = "bench";
/** How often who waits asks the bare server. */
export const POLL_MS = 10;
const TTL_MS = 30_000;
const GIVE_BACK =
  "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

/** By name: how to open one, given the port and the directory. */
export const CLIENTS = {
  "bare redis, SET NX": ({ redis }) => openSetNx(redis),
  "bare redis, BLPOP": ({ redis }) => openBlpop(redis),
  "timmy-bb memory": (places) => openLocks(places, "memory"),
  "timmy-bb redis": (places) => openLocks(places, "redis"),
};

export function openBoard({ dir, redis }, backend) {
  const url = `redis://127.0.0.1:${redis}`;
  return openBlackboard({ backend, agent: "bench", ...(backend === "memory" ? { dataDir: dir } : { url }) });
}

async function openSetNx(port) {
  const client = await openResp(port, "");
  return {
    async acquire() {
      const token = randomBytes(16).toString("hex");
      const ask = () => client.ask("SET", LOCK, token, "NX", "PX", String(TTL_MS));
      while ((await ask())[0] !== 0x2b) await sleep(POLL_MS); // "+OK"
      return token;
    },
    release: (token) => client.ask("EVAL", GIVE_BACK, "1", LOCK, token),
    close: () => client.close(),
  };
}

/** The token is in a list, and who waits is handed it by the server. A holder that dies takes it along, so it is no lock; but nothing is faster. */
async function openBlpop(port) {
  const client = await openResp(port, "");
  const isFirst = String(await client.ask("SETNX", `${LOCK}:made`, "")) === ":1\r\n";
  if (isFirst) await client.ask("RPUSH", `${LOCK}:list`, "token");
  return {
    acquire: () => client.ask("BLPOP", `${LOCK}:list`, "0"),
    release: () => client.ask("RPUSH", `${LOCK}:list`, "token"),
    close: () => client.close(),
  };
}

async function openLocks(places, backend) {
  const board = await openBoard(places, backend);
  return {
    acquire: async () => (await board.locks.acquire(LOCK, { ttlMs: TTL_MS })).token,
    release: (token) => board.locks.release(LOCK, token),
    close: () => board.close(),
  };
}
