// The same kind of client for each subject: one that lives in a node process, publishes and follows.
//   open(): { publish(text): Promise, follow(onPayload): Promise (resolves when nothing can be missed), close() }
import { openBlackboard } from "../../dist/index.js";
import { openMqtt, openResp } from "./raw.js";

const CHANNEL = "bench";

/** By name: how to open one, given the ports and the directory. */
export const CLIENTS = {
  "bare redis": ({ redis }) => openResp(redis, CHANNEL),
  "bare mosquitto": ({ mosquitto }) => openMqtt(mosquitto, CHANNEL),
  "timmy-bb memory": ({ dir }) => openBoard({ backend: "memory", dataDir: dir }),
  "timmy-bb redis": ({ redis }) => openBoard({ backend: "redis", url: `redis://127.0.0.1:${redis}` }),
};

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
