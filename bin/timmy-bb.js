#!/usr/bin/env node
// Loads the built program and runs it. CommonJS (see package.json beside it), and one file: Node's loader of ES modules takes 4 ms, and
// half a millisecond for each file more.
//
// Each of the program's files is loaded with V8's compiled form of it, which spares a start some 10 ms.
//
// Compiled code is as dangerous as code. It is taken from the user's own cache directory, if nobody else can have written there; else
// from beside the program, where whoever can write could change the program itself. The name of the file holds a digest of the
// program's text, of which V8 looks at the length only; what another V8 has made, or this one with other flags, it refuses.
"use strict";
const fs = require("node:fs");
const { dirname, isAbsolute, join } = require("node:path");
const { Script } = require("node:vm");

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
/** Before the code stand a sum of it, the names of the calls it has been through, and blanks. */
const HEAD_BYTES = 2048;
/** The sum takes a number of each part of this size: a part that a disk has lost is noticed, at no cost. V8 would crash over it. */
const PART_BYTES = 512;
/** Files of other versions are removed when they are this old. */
const STALE_MS = 30 * 86_400_000;
/** Others may write there: group and all. */
const OTHERS_WRITE = 0o022;
/** Only the owner of something may remove it from such a directory. */
const STICKY = 0o1000;
/** Calls that use much the same of the program: their code is kept together, and not burdened with what the others need. */
const SIMPLE = new Set(["get", "set", "del", "exists", "ttl", "expire", "persist", "incr", "publish"]);
const kind = process.argv.some((word) => SIMPLE.has(word)) ? "simple" : "other"; // a wrong guess costs a millisecond

/** So is what one store needs, if the environment says which it is. */
const store = /^(memory|redis|auto)$/.test(process.env.TIMMY_BB_BACKEND)
  ? `-${process.env.TIMMY_BB_BACKEND}`
  : "";

/** All that were loaded, for `keepCode`. */
const loaded = [];

/** @returns what the file exports */
function load(file) {
  const text = fs.readFileSync(file, "latin1"); // the bundler writes ASCII
  // The first line is a digest of what follows.
  const general = `${text.slice(3, 19)}-${kind}-${process.version}-${process.arch}`;
  const name = general + store;
  const kept = readOwn(name) ?? readCode(join(dirname(file), "code", general), () => true);
  const script = new Script(`(function (exports, require, module, __filename, __dirname) {${text}\n})`, {
    filename: file,
    ...(kept && { cachedData: kept.code }),
  });
  const calls = kept && !script.cachedDataRejected ? kept.calls : [];
  loaded.push({ name, script, calls });
  const module = { exports: {} };
  script.runInThisContext()(module.exports, requireFrom(file), module, file, dirname(file));
  return module.exports;
}

/** Keeps what V8 has compiled for a call, if that is the first of its kind: it then knows what such a call needs. */
function keepCode(call) {
  const fresh = loaded.filter(({ calls }) => !calls.includes(call));
  const directory = fresh.length > 0 ? ownDirectory(true) : null;
  if (directory === null || !/^[\w -]{1,40}$/.test(call)) return;
  for (const { name, script, calls } of fresh) {
    const code = script.createCachedData();
    const head = [sumOf(code), ...calls, call].join(",").padEnd(HEAD_BYTES);
    if (head.length === HEAD_BYTES) write(directory, name, Buffer.concat([Buffer.from(head), code]));
  }
}

/** `./x.cjs` are other files of the program. */
function requireFrom(file) {
  return (id) => (id.startsWith("./") ? load(join(dirname(file), id)) : require(id));
}

function readOwn(name) {
  const directory = ownDirectory(false);
  return directory && readCode(join(directory, name), isOurs);
}

/** `$XDG_CACHE_HOME/timmy-bb`; `null` if there is none, or if others can write there or put another in its place. */
function ownDirectory(make) {
  const { XDG_CACHE_HOME: cache, HOME: home } = process.env;
  const base = cache && isAbsolute(cache) ? cache : home && isAbsolute(home) ? join(home, ".cache") : null;
  if (base === null) return null;
  try {
    const directory = join(base, "timmy-bb");
    const isSafe = isKeptByUs(dirname(base)) && isOwn(base, make) && isOwn(directory, make);
    return isSafe ? directory : null;
  } catch {
    return null; // no access: the code is compiled anew each time
  }
}

/** Whether nobody else can exchange what is in there: it is ours, or the system's and says so (`/tmp`). */
function isKeptByUs(path) {
  const stats = fs.lstatSync(path, { throwIfNoEntry: false });
  if (!stats?.isDirectory()) return false;
  return (
    isOurs(stats) || (stats.uid === 0 && ((stats.mode & OTHERS_WRITE) === 0 || (stats.mode & STICKY) !== 0))
  );
}

/** Whether it is a directory of ours alone, made if that is wanted and it is missing. */
function isOwn(path, make) {
  const stats = fs.lstatSync(path, { throwIfNoEntry: false });
  if (stats !== undefined) return stats.isDirectory() && isOurs(stats);
  if (!make) return false;
  fs.mkdirSync(path, { mode: 0o700 });
  return true;
}

function isOurs({ uid, mode }) {
  return uid === process.geteuid?.() && (mode & OTHERS_WRITE) === 0;
}

/** `null` if there is no such file, or not a right one. */
function readCode(path, isRight) {
  let descriptor;
  try {
    descriptor = fs.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    const stats = fs.fstatSync(descriptor);
    if (!stats.isFile() || !isRight(stats)) return null;
    const bytes = fs.readFileSync(descriptor);
    const code = bytes.subarray(HEAD_BYTES);
    const [sum, ...calls] = bytes.latin1Slice(0, HEAD_BYTES).trim().split(",");
    return sum === sumOf(code) ? { code, calls } : null;
  } catch {
    return null;
  } finally {
    if (descriptor !== undefined) fs.closeSync(descriptor);
  }
}

function sumOf(code) {
  let sum = code.length;
  for (let at = 0; at + 4 <= code.length; at += PART_BYTES)
    sum = (Math.imul(sum, 31) + code.readInt32LE(at)) | 0;
  return String(sum);
}

/** All or nothing, as another process may be reading. What cannot be kept is made anew next time. */
function write(directory, name, bytes) {
  const aside = join(directory, `.${name}.${process.pid}`);
  try {
    removeStale(directory);
    fs.writeFileSync(aside, bytes, { flag: "wx", mode: 0o600, flush: true });
    fs.renameSync(aside, join(directory, name));
  } catch {
    fs.rmSync(aside, { force: true });
  }
}

function removeStale(directory) {
  const oldest = Date.now() - STALE_MS;
  for (const name of fs.readdirSync(directory)) {
    const path = join(directory, name);
    const isCode = /^\.?[0-9a-f]{16}-/.test(name) && fs.lstatSync(path).isFile();
    if (isCode && fs.lstatSync(path).mtimeMs < oldest) fs.rmSync(path, { force: true });
  }
}

// A program that cannot even be loaded must not exit 1, which means "absent"; nor must a fault that nobody caught: Node's own exit
// code for it is 1, too.
function fail(what, error) {
  process.stderr.write(`timmy-bb: ${what}: ${error instanceof Error ? error.message : error}\n`);
  process.exit(70);
}

async function run(program) {
  const code = await program.start(process.argv.slice(2));
  if (code === 0) keepCode(program.lastCall());
  // Every write has been waited for, so nothing is cut off; a DNS look-up under way must not hold the process back.
  process.exit(code);
}

function start() {
  for (const event of ["uncaughtException", "unhandledRejection"]) {
    process.on(event, (error) => fail("a fault of timmy-bb", error));
  }
  try {
    run(load(`${__dirname}/../dist/timmy-bb.cjs`)).catch((error) => fail("a fault of timmy-bb", error));
  } catch (error) {
    fail("cannot be loaded", error);
  }
}

if (require.main === module) start();
else module.exports = { load }; // for the bench that takes a start apart
