// The receiving process: `follower.js CLIENT PLACES MODE`. Tells its parent when it is ready, and then
//   each:  the nanoseconds each message took, measured from the moment that stands in it;
//   count: once asked, how many have come, how many out of order, and when the last did.
import { CLIENTS } from "./clients.js";

const [name, places, mode] = process.argv.slice(2);
const client = await CLIENTS[name](JSON.parse(places));
const seen = { count: 0, unordered: 0, last: -1, at: "0" };

await client.follow(mode === "each" ? each : count);
process.on("message", () => process.send({ ...seen, at: String(seen.at) }));
process.send("ready");

// CLOCK_MONOTONIC is one clock for all processes of a machine.
function each(payload) {
  const now = process.hrtime.bigint();
  process.send(Number(now - BigInt(payload.latin1Slice())));
}

/** Each message begins with its number. */
function count(payload) {
  const number = Number(payload.latin1Slice(0, 8));
  if (number !== seen.last + 1) seen.unordered++;
  seen.last = number;
  seen.count++;
  seen.at = process.hrtime.bigint();
}
