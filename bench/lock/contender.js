// One of two processes that hand a lock to each other: `contender.js CLIENT PLACES`. Told "acquire" or "release", it tells its parent the
// moment it has the lock, and the one just before it gives it back.
import { CLIENTS } from "./clients.js";

const [name, places] = process.argv.slice(2);
const client = await CLIENTS[name](JSON.parse(places));
let token = null;

process.on("message", async (deed) => {
  if (deed === "acquire") {
    token = await client.acquire();
    process.send({ deed, at: now() });
  } else {
    const at = now();
    await client.release(token);
    process.send({ deed, at });
  }
});
process.send("ready");

/** CLOCK_MONOTONIC is one clock for all processes of a machine. */
function now() {
  return String(process.hrtime.bigint());
}
