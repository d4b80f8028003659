// Tools that run a command under a lock, as users call them.
import { join } from "node:path";

const bin = join(import.meta.dirname, "../../bin/timmy-bb.js");

/** By name: the command line in front of the command, and its environment. */
export function toolsOf({ dir, redis }) {
  const timmy = [process.execPath, bin, "lock", "run", "bench", "--"];
  const memory = { TIMMY_BB_BACKEND: "memory", TIMMY_BB_DATA_DIR: dir };
  const server = { TIMMY_BB_BACKEND: "redis", TIMMY_BB_URL: `redis://127.0.0.1:${redis}` };
  return {
    flock: { words: ["flock", join(dir, "flock")], env: {} },
    "redis-cli script": {
      words: ["sh", join(import.meta.dirname, "redis-cli.sh"), String(redis), "bench"],
      env: {},
    },
    "lock run, memory": { words: timmy, env: memory },
    "lock run, redis": { words: timmy, env: server },
  };
}
