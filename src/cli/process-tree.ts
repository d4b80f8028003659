/**
 * A command with all that it has started, as proc(5) shows it: for a command that shares our process group, which can therefore not be
 * signalled as a group. What it has started is known by its parents, and by a variable that a process inherits even if its parent has
 * ended. Where there is no /proc it is the command's process alone.
 */
import { readdirSync, readFileSync } from "node:fs";
import { codeOf } from "../core/errors.ts";

/** A process id means something only beside the moment its process started. */
export interface ProcessId {
  readonly pid: number;
  /** In clock ticks since boot; empty if it cannot be told. */
  readonly started: string;
}

interface Stat extends ProcessId {
  readonly parent: number;
  readonly group: number;
  /** The process group in the foreground of its terminal; -1: it has none. */
  readonly foreground: number;
  readonly isDead: boolean;
}

/**
 * The process, if it is there, and what it has started and is there. It takes some 25 µs for each process of the machine.
 * @param root `null`: it has ended, and its id may be another's
 * @param has tells by its environment whether a process belongs to it
 */
export function treeOf(root: number | null, has: (environment: string) => boolean): readonly ProcessId[] {
  const stats = allStats();
  if (stats.length === 0 && root !== null) return [{ pid: root, started: "" }].filter(isThere); // no /proc
  const found = stats.filter(({ pid }) => pid === root || has(environmentOf(pid)));
  const known = new Set(found.map(({ pid }) => pid));
  for (const { pid: parent } of found) {
    const children = stats.filter((stat) => stat.parent === parent && !known.has(stat.pid));
    for (const child of children) known.add(child.pid);
    found.push(...children);
  }
  return found.filter(({ isDead }) => !isDead);
}

/** Whether this very process still runs. */
export function isThere({ pid, started }: ProcessId): boolean {
  const stat = statOf(pid);
  if (stat !== null) return (started === "" || stat.started === started) && !stat.isDead;
  return started === "" && sendSignal(pid, 0);
}

/** False if it is not there any more. */
export function sendSignal(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    return codeOf(error) === "EPERM"; // it runs as another user by now: out of reach, but there
  }
}

/** Whether the keys of its terminal, such as Ctrl-C, reach a process. */
export function isInForeground(pid: number): boolean {
  const stat = statOf(pid);
  return stat !== null && stat.foreground === stat.group;
}

/** Stops this process, as a terminal does, until it is told to go on. */
export function stopHere(): void {
  process.kill(process.pid, "SIGSTOP");
}

/** From now on the directory in which this process was started can be unmounted, and relative paths mean nothing here. */
export function leaveDirectory(): void {
  process.chdir("/");
}

function allStats(): readonly Stat[] {
  try {
    const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
    return pids.map((pid) => statOf(Number(pid))).filter((stat) => stat !== null);
  } catch {
    return []; // it is not Linux
  }
}

/** Empty for other users' processes, which cannot be ended either. */
function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1");
  } catch {
    return "";
  }
}

/** Fields 3, 4, 5, 8 and 22; `null` if there is no such process, or no /proc. */
function statOf(pid: number): Stat | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name, field 2, may hold blanks and parentheses: count from behind the last one.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state = "", parent, group] = fields;
    return {
      pid,
      parent: Number(parent),
      group: Number(group),
      foreground: Number(fields[5]),
      started: fields[19] ?? "",
      isDead: state === "Z" || state === "X",
    };
  } catch {
    return null;
  }
}
