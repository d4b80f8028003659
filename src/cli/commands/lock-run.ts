import type { Held } from "../../core/held.ts";
import type { Command, Context } from "../command.ts";
import { EXIT_OF_SIGNAL, type ExitName, isStopSignal } from "../exit.ts";
import type { Foreground } from "../foreground.ts";
import { claimOf, claimOptions, sayingWhoHolds } from "../locking/claim.ts";
import { checkNotInside, lockVariables, runsUnder } from "../locking/inside.ts";

export const lockRun: Command = {
  name: "lock run",
  summary: "run a command while holding a lock",
  promise:
    "Waits for the lock, runs the command, and gives the lock back when that has ended; exits with the command's status (128 and the signal's number if one killed it). " +
    "The command has the terminal, standard input, output and error as if it had been started without timmy-bb, and gets its signals; if it ends by one, what it has started is ended, too, before the lock is given back. " +
    "The lock is renewed at a third of its time to live. If it is lost, or cannot be renewed for so long that it soon will be, the command and what it has started get TERM, " +
    "and KILL after a sixth of the time to live (5s at most); then it exits 5. If timmy-bb itself is killed, the lock is free when its time is up. " +
    "Locks are not reentrant: inside the command, the same lock is refused (exit 5). " +
    "The command finds TIMMY_BB_LOCK, TIMMY_BB_LOCK_TOKEN and TIMMY_BB_FENCE in its environment: a number that only grows, for set --fence and for other systems that refuse what is stale.",
  args: [{ usage: "<name>", about: "the lock" }],
  options: claimOptions(
    "how long the lock outlives timmy-bb if that is killed; renewed at a third of it (default: 30s)",
  ),
  takesCommand: "always",
  examples: [
    {
      about: "one at a time, whoever starts it",
      shell: "timmy-bb lock run nightly -- echo done",
      prints: "done\n",
    },
    {
      about: "or not at all, if another one is at it",
      shell:
        "timmy-bb lock run nightly --no-wait -- timmy-bb lock run nightly --no-wait -- echo never || echo $?",
      prints: "5\n",
    },
    {
      about: "three at a time",
      shell: "for n in 1 2 3 4; do timmy-bb lock run builds --slots 3 -- true & done; wait",
    },
    {
      about: "write only as long as nobody has got the lock after this",
      shell:
        "timmy-bb lock run report -- sh -c 'timmy-bb set report ready --lock report --fence $TIMMY_BB_FENCE'; timmy-bb get report",
      prints: "ready\n",
    },
  ],
  waits: () => true,
  async run(context, given) {
    const name = given.arg("name");
    const claim = claimOf(context, given);
    const env = context.wholeEnvironment();
    const board = await context.board();
    context.endsItself(context.loaded.settings.timeoutMs); // to leave the line
    await checkNotInside(board, name, env);
    void loadForeground(); // while it waits, not while it holds
    const onTrouble = (reason: string | null) => context.notice(describeTrouble(name, reason));
    const hold = () => board.locks.hold(name, { ...claim, onTrouble });
    const held = await sayingWhoHolds(context, board, name, hold);
    const variables = lockVariables(held, env);
    const exit = await runUnder(held, context, given.command, { ...env, ...variables });
    return { exit };
  },
};

const loadForeground = () => import("../foreground.ts");

type Environment = Readonly<Record<string, string | undefined>>;

/** The exit. @throws BlackboardError `conflict` if the lock was lost; CannotRun */
async function runUnder(held: Held, context: Context, words: readonly string[], env: Environment) {
  let exit: ExitName | number;
  try {
    exit = context.signal.aborted ? "done" : await runToItsEnd(held, context, words, env);
  } finally {
    const end = await held.release();
    if (end === "left")
      context.notice(`the lock ${held.lock} could not be given back; it is free when its time is up`);
  }
  if (held.signal.aborted) throw held.signal.reason;
  return exit;
}

async function runToItsEnd(held: Held, context: Context, words: readonly string[], env: Environment) {
  const early: NodeJS.Signals[] = [];
  let pass = (signal: NodeJS.Signals): unknown => early.push(signal); // until it is started
  const passNoMore = context.passSignals((signal) => pass(signal));
  try {
    const { Foreground } = await loadForeground();
    const told = early.find(isStopSignal);
    if (told !== undefined) return EXIT_OF_SIGNAL[told]; // before there was anything to tell it to
    const options = { env, has: runsUnder(held.fence), graceMs: held.graceMs };
    const command = await Foreground.start(words, options);
    pass = (signal) => command.pass(signal);
    for (const signal of early) pass(signal);
    endWhenLost(held, context, command);
    const wasInForeground = command.isInForeground;
    const { status, signal } = await command.ended;
    // A shell goes on with its loop after Ctrl-C unless what it has started ends by that very signal.
    if (wasInForeground && (signal === "SIGINT" || signal === "SIGQUIT")) context.endBy(signal);
    return status;
  } finally {
    passNoMore();
  }
}

function endWhenLost(held: Held, context: Context, command: Foreground): void {
  const end = () => {
    context.notice(`the lock ${held.lock} was lost; ending the command`);
    command.end();
  };
  if (held.signal.aborted) end();
  else held.signal.addEventListener("abort", end, { once: true });
}

function describeTrouble(name: string, reason: string | null): string {
  if (reason === null) return `the lock ${name} is renewed again`;
  return `the lock ${name} cannot be renewed for now (${reason})`;
}
