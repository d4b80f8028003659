/**
 * Whether the process that registered a follower still runs. A process id means something only beside the moment
 * its process started (ids come back) and within one process id namespace of one boot (`scene`). Where that cannot
 * be compared, the caller goes by the follower's last sign of life.
 */
import { closeSync, openSync, readFileSync, readlinkSync, readSync } from "node:fs";
import { hostname } from "node:os";
import { codeOf } from "../../core/errors.ts";

/** A process, as another process can check it. */
export interface Owner {
  readonly pid: number;
  /** The start in clock ticks since boot; empty where the system does not tell. */
  readonly started: string;
  /** Where the process id is valid. */
  readonly scene: string;
}

/**
 * How long a look into /proc is believed of a process whose id is in use, in milliseconds. A look takes 15 µs, and each publish asks
 * for each of its receivers. What it may hide so long is that a process is dead and its parent has not noticed, or
 * that its id came back: less than what a kill takes to arrive on a busy machine.
 */
const BELIEVED_MS = 20;
const REMEMBERED = 1000;
/** What the scene of a process on Linux begins with. */
const BOOT = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(?= )/;

let known: Owner | null = null;
/** The last look at each process id. */
const looks = new Map<number, { readonly started: string | null; readonly at: number }>();
/** A stat is one line of about 350 bytes. */
const buffer = Buffer.alloc(4096);

/** This process. */
export function thisProcess(): Owner {
  known ??= process.platform === "linux" ? ownerOnLinux() : elsewhere();
  return known;
}

/** Whether the process runs; `undefined` if that cannot be told from here. */
export function isRunning(owner: Owner): boolean | undefined {
  const self = thisProcess();
  if (owner.scene !== self.scene) return undefined;
  if (owner.pid === self.pid) return owner.started === self.started;
  if (!canBeSignalled(owner.pid)) return false;
  return self.started === "" ? undefined : startedAt(owner.pid) === owner.started;
}

/** Whether a place was there before this machine was started: all its processes are dead, if the file has never left the machine. */
export function isOfOtherBoot(scene: string): boolean {
  const [theirs, ours] = [scene, thisProcess().scene].map((text) => BOOT.exec(text)?.[0]);
  return theirs !== undefined && ours !== undefined && theirs !== ours;
}

/** When the process with this id started, `null` if it is dead. */
function startedAt(pid: number): string | null {
  const now = performance.now();
  const seen = looks.get(pid);
  if (seen !== undefined && now - seen.at < BELIEVED_MS) return seen.started;
  if (looks.size > REMEMBERED) looks.clear();
  const started = startOf(String(pid));
  looks.set(pid, { started, at: now });
  return started;
}

/** A /proc of another namespace than ours (or none) shows no process 'self' with our id: it cannot be used. */
function ownerOnLinux(): Owner {
  try {
    const started = startOf("self");
    if (started === null || !statOf("self").startsWith(`${process.pid} `)) return elsewhere();
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
    return { pid: process.pid, started, scene: `${boot} ${readlinkSync("/proc/self/ns/pid")}` };
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return elsewhere();
  }
}

function elsewhere(): Owner {
  return { pid: process.pid, started: "", scene: `host ${hostname()}` };
}

/** Field 22 of proc(5)'s stat; `null` if the process is gone, or is dead and only waits for its parent. */
function startOf(pid: string): string | null {
  const stat = statOf(pid);
  // The name, field 2, may hold blanks and parentheses: count from behind the last one.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const isDead = fields[0] === "Z" || fields[0] === "X";
  return isDead ? null : (fields[19] ?? null);
}

/** By hand, in half the time `readFileSync` takes. */
function statOf(pid: string): string {
  try {
    const file = openSync(`/proc/${pid}/stat`, "r");
    try {
      return buffer.toString("latin1", 0, readSync(file, buffer, 0, buffer.length, 0));
    } finally {
      closeSync(file);
    }
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT" || code === "ESRCH") return "";
    throw error;
  }
}

function canBeSignalled(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
}
