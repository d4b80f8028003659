/** Calls of a shell function, one after the other, for as long as the shell lives. */
import { statSync } from "node:fs";
import { isAbsolute } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import type { Context } from "../command.ts";
import { isThere, leaveDirectory } from "../process-tree.ts";
import type { Sink } from "../sink.ts";
import { answerCall } from "./frame-call.ts";
import { frameOf, RequestReader } from "./frames.ts";
import { untilAborted } from "./input.ts";
import { Keeper } from "./keeper.ts";

/** How often it is looked whether the shell is still there: what it started may keep its end of the pipe open. */
const PARENT_MS = 1000;

/** Ends when the input does, the shell is gone, its settings have changed, or by SIGTERM and SIGHUP. Ctrl-C is for what runs in front. */
export async function serve(context: Context, out: Sink, shell: number | undefined): Promise<void> {
  const end = new AbortController();
  const passNoMore = context.passSignals((signal) => {
    if (signal === "SIGTERM" || signal === "SIGHUP") end.abort();
  });
  const isThereStill = shell === undefined ? hasParent(context) : () => isThere({ pid: shell, started: "" });
  const watch = setInterval(() => isThereStill() || end.abort(), PARENT_MS);
  const keeper = new Keeper(context.loaded);
  const place = { context, keeper, env: context.wholeEnvironment() };
  const isSame = sameFile(context.loaded.file);
  const hasConnection = context.loaded.settings.backend !== "memory";
  const reader = new RequestReader();
  if (isAbsolute(context.loaded.settings.memoryPath)) leaveDirectory();
  try {
    for await (const piece of untilAborted(context.input.chunks(), end.signal)) {
      for (const request of reader.read(piece)) {
        if (hasConnection) await hearOfItsEnd();
        const goesOn = isSame();
        await out.write(frameOf(goesOn ? await answerCall(request, place) : null));
        if (!goesOn) return; // whoever asked has its answer: the next is not being asked yet
      }
    }
  } finally {
    clearInterval(watch);
    passNoMore();
    await keeper.close();
  }
}

/** A connection that was lost meanwhile is not used again: its end is heard in one turn, and it is closed in the next. */
async function hearOfItsEnd(): Promise<void> {
  await turn();
  await turn();
}

function hasParent(context: Context): () => boolean {
  const parent = context.parentPid;
  return () => context.parentPid === parent;
}

/** Whether the config file is as it was when it was read. */
function sameFile(path: string | null): () => boolean {
  if (path === null) return () => true;
  const look = () => {
    const stats = statSync(path, { throwIfNoEntry: false });
    return stats && `${stats.ino} ${stats.mtimeMs} ${stats.size}`;
  };
  const before = look();
  return () => look() === before;
}
