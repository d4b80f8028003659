import { setAlarm } from "../../core/alarm.ts";
import { formatDuration } from "../../core/duration.ts";
import { BlackboardError, usageError } from "../../core/errors.ts";
import { isPattern } from "../../core/glob.ts";
import type { FollowState, Message } from "../../core/types.ts";
import type { Command, Row } from "../command.ts";
import type { Given } from "../given.ts";
import { jsonBytes, jsonName } from "../json.ts";
import { oneLine, oneLineBytes } from "../terminal.ts";

export const subscribe: Command = {
  name: "subscribe",
  summary: "wait for messages, or follow channels",
  promise:
    "Waits for the next message of the channels, prints it and exits. With --follow it goes on until stopped, with --count until so many have come. " +
    "One channel by its name: the payload as it is and a line break. Several, or a pattern: channel, TAB, payload, on one line (line breaks in it as \\n). " +
    "Each record is flushed. While the store is away it says so on stderr, comes back by itself and prints what it missed.",
  args: [{ usage: "<channels...>", about: "channels, or Redis globs: * ? [a-z] and \\ to escape" }],
  options: [
    { flags: "-f, --follow", about: "go on until stopped" },
    { flags: "-n, --count <n>", about: "exit after so many messages" },
    { flags: "--wait <duration>", about: "exit 3 if what was asked for has not come by then" },
    { flags: "--raw", about: "payloads byte for byte, nothing added, nothing escaped on a terminal" },
  ],
  examples: [
    {
      about: "wait at most a second for an answer",
      shell: "timmy-bb subscribe answers --wait 1s || echo $?",
      prints: "3\n",
    },
    {
      about: "hear the next message of a channel",
      shell:
        'timmy-bb subscribe jobs --wait 20s > heard & until [ "$(timmy-bb publish jobs build)" = 1 ]; do :; done; wait; cat heard',
      prints: "build\n",
    },
    {
      about: "follow everything for a while",
      shell: "timmy-bb subscribe '*' --follow --wait 500ms || test $? = 3",
      prints: "",
    },
  ],
  async run(context, given) {
    const channels = given.rest("channels");
    const limit = limitOf(given);
    const deadline = given.duration("wait");
    const board = await context.board();
    const stop = new AbortController();
    context.signal.addEventListener("abort", () => stop.abort());
    const follower = board.subscribe(channels, {
      signal: stop.signal,
      onState: (state) => context.notice(describeState(state)),
    });
    await follower.ready;
    const rowOf = rowMaker(channels, given.flag("raw"));
    return { rows: upTo(limit, deadline, follower, stop, rowOf), raw: given.flag("raw") };
  },
};

/** How many messages to wait for. */
function limitOf(given: Given): number {
  const count = given.count("count", 1);
  if (given.flag("follow")) {
    if (count !== undefined) throw usageError("--follow and --count cannot go together");
    return Number.POSITIVE_INFINITY;
  }
  return count ?? 1;
}

async function* upTo(
  limit: number,
  deadlineMs: number | undefined,
  messages: AsyncIterable<Message>,
  stop: AbortController,
  rowOf: (message: Message) => Row,
): AsyncGenerator<Row> {
  let late = false;
  const giveUp = () => {
    late = true;
    stop.abort();
  };
  const callOff = deadlineMs === undefined ? undefined : setAlarm(deadlineMs, giveUp);
  let count = 0;
  try {
    for await (const message of messages) {
      yield rowOf(message);
      if (++count >= limit) return;
    }
  } finally {
    callOff?.();
  }
  if (late) throw new BlackboardError("timeout", `timed out after ${formatDuration(deadlineMs ?? 0)}`);
}

function rowMaker(channels: readonly string[], raw: boolean): (message: Message) => Row {
  const single = channels.length === 1 && !channels.some(isPattern);
  return (message) => ({
    cells: single || raw ? [message.payload] : [oneLine(message.channel), oneLineBytes(message.payload)],
    json: jsonOf(message),
    end: raw ? "" : "\n",
  });
}

function jsonOf({ channel, payload, id, by, at }: Message): Row["json"] {
  return { ...jsonName("channel", channel), ...jsonBytes("payload", payload), id, by, at };
}

function describeState(state: FollowState): string {
  if (state.state === "away") return `${state.store} is away (${state.reason}); trying to reconnect`;
  const lost = state.lost ? "; others were dropped by retention meanwhile and are lost" : "";
  return `reconnected after ${(state.awayMs / 1000).toFixed(1)}s, ${state.recovered} messages recovered${lost}`;
}
