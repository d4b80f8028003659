/** The token of a lock that was got by another call. */
import { BlackboardError, usageError } from "../../core/errors.ts";
import type { Context, Option } from "../command.ts";
import type { Given } from "../given.ts";

export const TOKEN_OPTION: Option = {
  flags: "--token <token>",
  about:
    "what lock acquire printed; default: $TIMMY_BB_LOCK_TOKEN, which does not show in the list of processes",
};

/** One that is given is taken as it is, even if it is empty: it must not become that of another lock, further out. */
export function tokenOf(context: Context, given: Given): string {
  const token = given.text("token") ?? context.environment().TIMMY_BB_LOCK_TOKEN;
  if (token !== undefined) return token;
  throw usageError("no token given", "TIMMY_BB_LOCK_TOKEN or --token shall be what lock acquire printed");
}

export function notHeld(name: string): BlackboardError {
  return new BlackboardError("conflict", `the lock ${name} is not held by this token`, {
    hint: `its time was up, it was released, or the token is another lock's; timmy-bb lock show tells who holds it`,
  });
}
