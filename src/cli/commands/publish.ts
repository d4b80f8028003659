import type { Blackboard } from "../../blackboard.ts";
import { usageError } from "../../core/errors.ts";
import type { Command, Input, Row } from "../command.ts";
import { jsonName } from "../json.ts";
import { linesIn, wholeLines } from "../lines.ts";
import { FILE_OPTION, readBytes } from "../options.ts";
import { pipelined } from "../pipeline.ts";

/** Lines sent and not answered yet, at most. */
const MOST_UNDER_WAY = 256;

export const publish: Command = {
  name: "publish",
  summary: "send a message to a channel",
  promise:
    "Appends the message to the channel's log, hands it to everyone who follows the channel now, and prints how many that were. " +
    "Without MESSAGE, or with -, the message is standard input, byte for byte; with --lines each line of it is a message, sent as it comes; it stops at the first that fails, when up to 256 behind that may have been sent.",
  args: [
    { usage: "<channel>", about: "the channel" },
    { usage: "[message]", about: "the message; - or none: standard input" },
  ],
  options: [
    FILE_OPTION,
    { flags: "--lines", about: "each line of standard input is a message, sent as soon as it is read" },
  ],
  examples: [
    { about: "tell whoever listens", shell: "timmy-bb publish jobs 'build 42'", prints: "0\n" },
    {
      about: "send a file",
      shell: "echo '{\"ok\":true}' > report.json; timmy-bb publish reports --file report.json",
      prints: "0\n",
    },
    {
      about: "stream a program's output",
      shell: "printf 'one\\ntwo\\n' | timmy-bb publish log --lines",
      prints: "0\n0\n",
    },
  ],
  atOnce: 1000,
  async run(context, given) {
    const channel = given.arg("channel");
    const message = given.optionalArg("message");
    if (given.flag("lines")) {
      if ((message !== undefined && message !== "-") || given.text("file") !== undefined) {
        throw usageError("--lines reads standard input; it takes no message and no --file");
      }
      const board = await context.board();
      const send = (line: Buffer) => publishOne(board, channel, line);
      return { rows: pipelined(linesOf(context.input), MOST_UNDER_WAY, send), mustEnd: true };
    }
    const payload = await readBytes("message", message, given, context.input);
    const board = await context.board();
    return { rows: [await publishOne(board, channel, payload)] };
  },
};

/** Many at a time, as they come. */
async function* linesOf(input: Input): AsyncGenerator<Buffer[]> {
  for await (const block of wholeLines(input.chunks())) yield linesIn(block);
}

async function publishOne(board: Blackboard, channel: string, payload: Uint8Array): Promise<Row> {
  const { receivers, id } = await board.publish(channel, payload);
  return { cells: [String(receivers)], json: jsonName("channel", channel, { receivers, id }) };
}
