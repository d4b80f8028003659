// Getting a lock that is free and giving it back, one after the other in one process: how often a second.
import { closeSync, fdatasyncSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { CLIENTS, openBoard } from "./clients.js";

const BARE = "bare redis, SET NX";
/** How long a subject is measured in a round, in milliseconds. */
const SPAN_MS = 300;

/** Times a second, by subject and round. */
export async function rates(places, rounds) {
  const subjects = await openSubjects(places);
  const found = new Map([...subjects.keys()].map((name) => [name, []]));
  for (let round = -1; round < rounds; round++) {
    for (const [name, { cycle }] of subjects) {
      const rate = await rateOf(cycle);
      if (round >= 0) found.get(name).push(rate);
    }
  }
  for (const { close } of subjects.values()) await close();
  return found;
}

async function rateOf(cycle) {
  const start = performance.now();
  let count = 0;
  for (; performance.now() - start < SPAN_MS; count++) await cycle();
  return count / ((performance.now() - start) / 1000);
}

async function openSubjects(places) {
  const subjects = new Map([
    ["a file, 4 KiB and fdatasync", syncedFile(places.dir)],
    [BARE, await openPair(BARE, places)],
  ]);
  for (const store of ["memory", "redis"]) {
    subjects.set(`acquire and release, ${store}`, await openPair(`timmy-bb ${store}`, places));
    subjects.set(`board.lock, ${store}`, await openLock(places, store));
  }
  return subjects;
}

async function openPair(name, places) {
  const client = await CLIENTS[name](places);
  return { cycle: async () => client.release(await client.acquire()), close: client.close };
}

async function openLock(places, store) {
  const board = await openBoard(places, store);
  return { cycle: () => board.lock("held", {}, () => {}), close: () => board.close() };
}

/** What the disk alone takes to keep something for good, as each grant on memory is kept. */
function syncedFile(dir) {
  const file = openSync(join(dir, "synced"), "w");
  const page = Buffer.alloc(4096, 1);
  return {
    cycle() {
      writeSync(file, page);
      fdatasyncSync(file);
    },
    close: () => closeSync(file),
  };
}
