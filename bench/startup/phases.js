// How long each part of a call takes, from before the process is made to when its end is known.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { childEnv } from "../servers.js";

/** By the id of a column: from which mark to which. */
const PHASES = {
  node: ["spawned", "begun"],
  load: ["begun", "loaded"],
  prepare: ["loaded", "opening"],
  open: ["opening", "open"],
  command: ["open", "ended"],
  exit: ["ended", "gone"],
};
/** An empty script has no more. */
const EMPTY = { node: PHASES.node, command: ["begun", "ended"], exit: PHASES.exit };

/** Milliseconds of each part. @param {{ script: string, words: string[], env?: Record<string, string> }} subject */
export async function phasesOf({ script, words, env = {} }) {
  const spawned = process.hrtime.bigint();
  const child = spawn(process.execPath, [join(import.meta.dirname, script), ...words], {
    env: { ...childEnv, ...env },
    stdio: ["ignore", "pipe", "inherit", "pipe"],
  });
  child.stdout.resume();
  const [said, [code], gone] = await Promise.all([text(child.stdio[3]), ended(child), momentOf(child)]);
  if (code !== 0) throw new Error(`${script} ${words.join(" ")} exited ${code}`);
  const marks = { ...JSON.parse(said), spawned, gone };
  const phases = Object.entries(marks.loaded === undefined ? EMPTY : PHASES).map(([name, [from, to]]) => {
    if (marks[from] === undefined || marks[to] === undefined)
      throw new Error(`${words[0]}: when was it ${from}, ${to}?`);
    return [name, Number(BigInt(marks[to]) - BigInt(marks[from])) / 1e6];
  });
  return { ...Object.fromEntries(phases), whole: Number(gone - spawned) / 1e6 };
}

function ended(child) {
  return once(child, "close");
}

async function momentOf(child) {
  await once(child, "exit");
  return process.hrtime.bigint();
}
