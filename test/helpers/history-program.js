// Some clients of the board that its environment names, which do all sorts of things to few keys at once and may be killed at any
// moment: `history-program.js LIBRARY NUMBER CLIENTS EACH`. Of each deed it says, a JSON line each, that it begins and what came of it,
// with the time by the clock that all processes of a machine share. It begins when its input ends.
//   {"id","at","object","deed"}, {"id","at","outcome"}; {"id","lost":true}: it may have been done; {"id","failed":true}: it was not.
import { writeSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { pathToFileURL } from "node:url";

/** All do the same keys at the same time, so long, and then others, in milliseconds. */
const ROUND_MS = 30;
/** So much of it at most each: a history must not be too long to be checked. */
const MOST_A_ROUND = 24;
const LOCK_TTL_MS = 2000;

const [path, number, clients, each] = process.argv.slice(2);
const { openBlackboard } = await import(pathToFileURL(path).href);
const now = () => Number(process.hrtime.bigint() / 1000n);
const say = (line) => writeSync(1, `${JSON.stringify(line)}\n`);
const any = (items) => items[Math.floor(Math.random() * items.length)];

const board = await patiently(() => openBlackboard());
await patiently(() => board.get("nothing")); // it has connected
say({ ready: true });
for await (const _ of process.stdin);
let values = 0;
await Promise.all(Array.from({ length: Number(clients) }, (_, lane) => work(`${number}.${lane}`)));
await board.close();

async function work(client) {
  let round = 0;
  let seen = null; // what this client knows of the round
  for (let n = 0, done = 0; n < Number(each); n++) {
    if (done === MOST_A_ROUND) await pause((round + 1) * ROUND_MS - now() / 1000);
    const present = Math.floor(now() / 1000 / ROUND_MS);
    if (present !== round) [round, done, seen] = [present, 0, { values: new Map(), grant: null }];
    done++;
    const [object, deed, act] = any([register, register, family, family, fenced])(`r${round}`, seen);
    await recorded(`${client}.${n}`, object, deed, act, seen);
    if (n % 4 === 0) await new Promise(setImmediate); // a file answers at once
  }
}

/** Does it between two lines. */
async function recorded(id, object, deed, act, seen) {
  say({ id, at: now(), object, deed });
  try {
    const outcome = await act();
    say({ id, at: now(), outcome });
    if (deed.key !== undefined && typeof outcome !== "boolean") seen.values.set(deed.key, outcome);
    if (deed.do === "set" && outcome) seen.values.set(deed.key, deed.value);
  } catch (error) {
    if (error.kind === "unknown") say({ id, lost: true });
    else if (error.kind === "unavailable") say({ id, failed: true });
    else throw error;
    await pause(5); // there may be no connection
  }
}

/** One key. */
function register(round, seen) {
  const key = `${round}:${any(["a", "b"])}`;
  return [key, ...any([get, get, set, setIf, setIfValue, setIfValue, del, incr, takeKey])(key, seen)];
}

/** Some keys that one pattern spans. */
function family(round, seen) {
  const [object, key] = [`${round}:f`, `${round}:f:${any(["1", "2", "3"])}`];
  const takeAny = () => [{ do: "take" }, async () => taken(await board.take(`${object}:*`))];
  return [
    object,
    ...any([set, set, setIf, setIfValue, get, del, takeAny, takeAny, takeAny, takeKey])(key, seen),
  ];
}

/** A key, and a lock that it is written under: also with a grant that is over. */
function fenced(round, seen) {
  const [lock, key] = [`${round}:l`, `${round}:l:k`];
  const grant = () => [{ do: "grant" }, () => granted(lock, seen)];
  if (seen.grant === null) return [lock, ...any([grant, grant, get])(key, seen)];
  const fence = seen.grant.fence;
  const write = () =>
    setting(key, { ...any([{}, conditionOn(key, seen)]), fence }, { fence: { lock, fence } });
  return [lock, ...any([grant, write, write, get])(key, seen)];
}

/** Gives back what it had, and mostly what it gets, so that there is another grant soon: a fence stands until then. */
async function granted(lock, seen) {
  if (seen.grant !== null) await board.locks.release(lock, seen.grant.token);
  try {
    seen.grant = await board.locks.acquire(lock, { timeoutMs: 0, ttlMs: LOCK_TTL_MS });
    const isGivenBack = Math.random() < 0.8;
    if (isGivenBack) await board.locks.release(lock, seen.grant.token).catch(() => {}); // then its time ends it
    return seen.grant.fence;
  } catch (error) {
    if (error.kind === "conflict") return null;
    throw error;
  }
}

function get(key) {
  return [{ do: "get", key }, () => board.getText(key)];
}

function set(key) {
  return setting(key, {});
}

function setIf(key) {
  return setting(key, { if: any(["absent", "absent", "present"]) });
}

function setIfValue(key, seen) {
  return setting(key, conditionOn(key, seen));
}

function del(key, seen) {
  const { ifValue } = any([{}, conditionOn(key, seen)]);
  if (ifValue === undefined) return [{ do: "del", key }, async () => (await board.del(key)) === 1];
  return [{ do: "del", key, ifValue }, async () => (await board.deleteIf(key, ifValue)).done];
}

function incr(key) {
  return [{ do: "incr", key, by: 1 }, async () => String(await board.incr(key))];
}

function takeKey(key) {
  return [{ do: "take", key }, async () => taken(await board.take(key))];
}

/** @param said what the deed tells @param told what the board is told, if that is not the same */
function setting(key, said, told = {}) {
  const value = String(Number(number) * 1_000_000 + ++values);
  return [
    { do: "set", key, value, ...said },
    async () => (await board.set(key, value, { ...said, ...told })).written,
  ];
}

/** That it has the value that this client knows; mostly somebody has changed it since. */
function conditionOn(key, seen) {
  const value = seen.values.get(key);
  return typeof value === "string" ? { ifValue: value } : { if: "absent" };
}

function taken(found) {
  return found && [found.key, found.value.toString()];
}

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
