/** What a command that is run under a lock knows of it, and what follows for those it runs in turn. */
import type { Blackboard } from "../../blackboard.ts";
import { BlackboardError } from "../../core/errors.ts";
import type { Acquired } from "../../core/locks.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** The numbers of all grants a command runs under, the outermost first. */
const FENCES = "TIMMY_BB_FENCES";

/** The variables of a command that runs under a lock. */
export function lockVariables({ lock, token, fence }: Omit<Acquired, "expiresAt">, env: Environment) {
  const outer = env[FENCES] === undefined ? "" : `${env[FENCES]} `;
  const own = { TIMMY_BB_LOCK: lock, TIMMY_BB_LOCK_TOKEN: token, TIMMY_BB_FENCE: String(fence) };
  return { ...own, [FENCES]: `${outer}${fence}` };
}

/** Whether a process runs under a grant, as its environment (words that end with NUL, proc(5)) tells. */
export function runsUnder(fence: number): (environment: string) => boolean {
  return (environment) => {
    const [, fences = ""] = new RegExp(`(?:^|\\0)${FENCES}=([^\\0]*)`).exec(environment) ?? [];
    return fences.split(" ").includes(String(fence));
  };
}

/**
 * Whoever runs under a lock and asks for it again would wait for itself for ever. No two grants have one number, so that tells whether
 * the lock is held by one of the commands around it.
 * @throws BlackboardError `conflict`
 */
export async function checkNotInside(board: Blackboard, name: string, env: Environment): Promise<void> {
  const own = env[FENCES]?.split(" ");
  if (own === undefined) return;
  const facts = await board.locks.show(name);
  if (!facts?.holders.some(({ fence }) => own.includes(String(fence)))) return;
  throw new BlackboardError("conflict", `the lock ${name} is held by the command that asks for it`, {
    hint: "locks are not reentrant: ask for it once, outside",
  });
}
