/** Locks through the command. No answer but that of who asked holds a token. */

import type { LockFacts } from "../../src/core/lock.ts";
import { compareNames } from "../../src/core/names.ts";
import { type CliOptions, startCli } from "../helpers/cli.ts";
import { type Answer, answerOf, none, one, sameName, withoutNotices } from "./cli-answers.ts";
import { Failure } from "./driver.ts";
import type { BoardLocks, ClaimOptions, Granted, WaitOptions } from "./locking.ts";
import { nameIn, numberIn, type Row, rowsIn, textIn } from "./rows.ts";

/** The exit of a process that ended because it was told to. */
const TERMINATED = 143;

/** Runs the command: words first, then what could be taken for options. */
export type Call = (words: readonly string[], args: readonly string[]) => Promise<Answer>;

export class CliLocks implements BoardLocks {
  readonly #call: Call;
  readonly #options: CliOptions;

  constructor(call: Call, options: CliOptions) {
    this.#call = call;
    this.#options = options;
  }

  async acquire(lock: string, options: ClaimOptions = {}) {
    const { rows } = await this.#call(["lock", "acquire", "--no-wait", ...claimWords(options)], [lock]);
    return grantedIn(one(rows), lock);
  }

  wait(lock: string, { waitMs, ...options }: WaitOptions = {}) {
    const limit = waitMs === undefined ? [] : [`--wait=${waitMs}ms`];
    const words = ["lock", "acquire", ...limit, ...claimWords(options), "--json", "--", lock];
    const started = startCli(words, this.#options);
    const granted = started.ended.then((ended) => grantedIn(one(answerOf(withoutNotices(ended)).rows), lock));
    granted.catch(() => {}); // whoever awaits it is told
    const leave = async () => {
      started.process.kill("SIGTERM");
      const { exitCode, stdout, stderr } = await started.ended;
      if (exitCode !== TERMINATED || stdout.length > 0 || stderr !== "")
        throw new Error(`exit ${exitCode}: ${stderr}${stdout}`);
    };
    return { granted, leave };
  }

  async refresh(lock: string, token: string, ttlMs?: number) {
    const ttl = ttlMs === undefined ? [] : [`--ttl=${ttlMs}ms`];
    const answer = await heldBy(token, this.#call(["lock", "refresh", `--token=${token}`, ...ttl], [lock]));
    return answer && refreshedIn(one(answer.rows), lock);
  }

  async release(lock: string, token: string) {
    const answer = await heldBy(token, this.#call(["lock", "release", `--token=${token}`], [lock]));
    return answer !== null && sameName(one(answer.rows), "lock", lock);
  }

  async show(lock: string) {
    const { exit, rows } = await this.#call(["lock", "show"], [lock]);
    if (exit === "absent") return none(rows, null);
    return sameName(one(rows), "lock", lock) && factsIn(one(rows));
  }

  async list() {
    const facts = (await this.#call(["lock", "list"], [])).rows.map(factsIn);
    const sorted = [...facts].sort((left, right) => compareNames(left.lock, right.lock));
    if (sorted.some(({ lock }, index) => lock !== facts[index]?.lock)) throw new Error("not in byte order");
    return facts;
  }
}

/** `null` if the token holds nothing. */
async function heldBy(token: string, call: Promise<Answer>): Promise<Answer | null> {
  try {
    const answer = await call;
    if (!answer.told.includes(token)) return answer;
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== "conflict") throw error;
    if (!error.told.includes(token)) return null;
  }
  throw new Error("the token is told");
}

function claimWords({ ttlMs, slots }: ClaimOptions): string[] {
  return [
    ...(ttlMs === undefined ? [] : [`--ttl=${ttlMs}ms`]),
    ...(slots === undefined ? [] : [`--slots=${slots}`]),
  ];
}

function grantedIn(row: Row, lock: string): Granted {
  return { ...refreshedIn(row, lock), token: textIn(row, "token") };
}

function refreshedIn(row: Row, lock: string): Omit<Granted, "token"> {
  if (nameIn(row, "lock") !== lock) throw new Error("the answer is about another lock");
  return { lock, fence: numberIn(row, "fence"), expiresAt: numberIn(row, "expires_at") };
}

function factsIn(row: Row): LockFacts {
  const holders = rowsIn(row, "holders").map((holder) => ({
    owner: textIn(holder, "owner"),
    host: textIn(holder, "host"),
    pid: numberIn(holder, "pid"),
    fence: numberIn(holder, "fence"),
    ageMs: numberIn(holder, "age_ms"),
    leftMs: numberIn(holder, "left_ms"),
  }));
  return { lock: nameIn(row, "lock"), holders, waiting: numberIn(row, "waiting") };
}
