// A writer, or a watcher, that may be killed at any moment, on the board that its environment names. What it says, a line
// each, it says in the moment it knows it.
//   change-program.js LIBRARY write NAME FROM TO KEYS: `ID KEY NAME.N` for each write that was answered
//   change-program.js LIBRARY watch SINCE LAST_KEY PATTERN…: `ID EVENT KEY VALUE` for each change, up to LAST_KEY's
import { writeSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { pathToFileURL } from "node:url";

const [path, deed, ...args] = process.argv.slice(2);
const { openBlackboard } = await import(pathToFileURL(path).href);
const say = (...words) => writeSync(1, `${words.join(" ")}\n`);

// The first connection may be broken, too.
const board = await patiently(() => openBlackboard());
if (deed === "write") await write(...args);
else await watch(...args);
await board.close();

async function write(name, from, to, keys) {
  for (let n = Number(from); n < Number(to); n++) {
    const key = `key:${(n * 7) % Number(keys)}`;
    const { id } = await patiently(() => board.set(key, `${name}.${n}`)); // after a lost answer perhaps once more
    say(id, key, `${name}.${n}`);
    if (n % 20 === 0) await new Promise(setImmediate); // a file answers at once
  }
}

async function watch(since, lastKey, ...patterns) {
  const onGap = (gap) => {
    throw new Error(`a gap: ${JSON.stringify(gap)}`);
  };
  const watcher = await patiently(async () => {
    const opened = board.watch(patterns, { since, onGap });
    await opened.ready;
    return opened;
  });
  for await (const { id, event, key, value } of watcher) {
    say(id, event, key, value);
    if (key === lastKey) break;
  }
}

/** Until it is done: what is done here may be done twice. */
async function patiently(deed) {
  for (;;) {
    try {
      return await deed();
    } catch (error) {
      if (error.kind !== "unavailable" && error.kind !== "unknown") throw error;
      await pause(5);
    }
  }
}
