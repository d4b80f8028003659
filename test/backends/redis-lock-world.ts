/** Locks on a test's own server, asked for here and by processes of their own. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { Backend } from "../../src/core/backend.ts";
import type { Grant, LockRequest } from "../../src/core/lock.ts";
import type { FollowState } from "../../src/core/types.ts";
import { LIBRARY } from "../helpers/library.ts";
import { killProcesses, type Started, start as startProcess } from "../helpers/processes.ts";
import type { RedisServer } from "../helpers/redis-server.ts";
import { tempDir } from "../helpers/temp.ts";
import { until, within } from "../helpers/until.ts";

export const ROOT = "timmy-bb:{timmy}:";

/** What is asked for in the name of a token: the only slot, for a minute, unless told otherwise. */
export function request(token: string, more: Partial<LockRequest> = {}): LockRequest {
  return { token, ttlMs: 60_000, slots: 1, owner: `${token}@here`, host: "here", pid: 4711, ...more };
}

/** A slot of the lock `l` that is free. */
export function hold(store: Backend, token: string, more: Partial<LockRequest> = {}): Promise<Grant> {
  return granted(store.tryLock("l", request(token, more)));
}

/** What is granted soon. */
export async function granted(grant: Promise<Grant | null>): Promise<Grant> {
  const found = await within("the lock", grant);
  if (found === null) throw new Error("the lock was not granted");
  return found;
}

/** Somebody who waits for the lock `l`. */
export interface Waiting {
  readonly grant: Promise<Grant | null>;
  readonly states: FollowState[];
  stop(): void;
}

export function wait(store: Backend, token: string, more: Partial<LockRequest> = {}): Waiting {
  const stop = new AbortController();
  const states: FollowState[] = [];
  const onState = (state: FollowState) => states.push(state);
  const grant = store.awaitLock("l", request(token, more), { signal: stop.signal, onState });
  grant.catch(() => {}); // whoever awaits it is told
  onTestFinished(() => stop.abort());
  return { grant, states, stop: () => stop.abort() };
}

/** The same once it stands in line. */
export async function line(
  server: RedisServer,
  store: Backend,
  token: string,
  more: Partial<LockRequest> = {},
): Promise<Waiting> {
  const waiting = wait(store, token, more);
  await until(`${token} stands in line`, async () => (await tokensIn(server)).includes(token));
  return waiting;
}

/** Who stands in line for the lock `l`, first come first. */
export async function tokensIn(server: RedisServer): Promise<string[]> {
  return (await server.cli("zrange", `${ROOT}line:l`, "0", "-1")).split("\n").filter((token) => token !== "");
}

/** A process that waits for the lock `l` once it is there, says when it has it, and gives it back when its stdin ends. */
export function waitingProcess(url: string): Started {
  const dir = tempDir("lock");
  const path = join(dir, "program.mjs");
  writeFileSync(
    path,
    `import { openBlackboard } from ${JSON.stringify(LIBRARY)};
     const told = new Promise((resolve) => process.stdin.resume().once("end", resolve));
     const board = await openBlackboard({ backend: "redis", url: ${JSON.stringify(url)}, prefix: "timmy", agent: "child" });
     await board.lock("l", {}, async (held) => {
       process.stdout.write("has " + held.fence + "\\n");
       await told;
     });
     await board.close();`,
  );
  onTestFinished(killProcesses);
  return startProcess(process.execPath, [path], { env: {}, cwd: dir, input: "open", timeoutMs: 60_000 });
}
