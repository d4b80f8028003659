// Whole tools as users run them: one that receives and prints lines, one that sends the lines of its standard input.
import { join } from "node:path";

const bin = join(import.meta.dirname, "../../bin/timmy-bb.js");
const CHANNEL = "tools";

/** By name: the two command lines, how a payload is put into a line of input, and one message sent alone. */
export function toolsOf({ redis, mosquitto, dir }) {
  const memory = { TIMMY_BB_BACKEND: "memory", TIMMY_BB_DATA_DIR: dir };
  const server = { TIMMY_BB_BACKEND: "redis", TIMMY_BB_URL: `redis://127.0.0.1:${redis}` };
  return {
    "redis-cli": redisCli(redis),
    ...(mosquitto === undefined
      ? {}
      : { "mosquitto qos 0": mqtt(mosquitto, 0), "mosquitto qos 1": mqtt(mosquitto, 1) }),
    "timmy-bb memory": timmy(memory),
    "timmy-bb redis": timmy(server),
  };
}

function redisCli(port) {
  const cli = ["redis-cli", "-p", String(port)];
  const line = (payload) => `publish ${CHANNEL} ${payload}\n`;
  return { receive: [...cli, "subscribe", CHANNEL], send: cli, line, env: {} };
}

function mqtt(port, qos) {
  const options = ["-h", "127.0.0.1", "-p", String(port), "-t", CHANNEL, "-q", String(qos)];
  return {
    receive: ["mosquitto_sub", ...options],
    send: ["mosquitto_pub", ...options, "-l"],
    line: (payload) => `${payload}\n`,
    env: {},
  };
}

function timmy(env) {
  const command = [process.execPath, bin];
  return {
    receive: [...command, "subscribe", CHANNEL, "--follow"],
    send: [...command, "publish", CHANNEL, "--lines"],
    line: (payload) => `${payload}\n`,
    env,
  };
}
