import { formatAge } from "../../core/duration.ts";
import { idToNumber, numberToMs } from "../../core/ids.ts";
import { compareNames } from "../../core/names.ts";
import type { ChannelFacts } from "../../core/types.ts";
import type { Command, Row } from "../command.ts";
import { jsonName } from "../json.ts";
import { oneLine } from "../terminal.ts";

export const channels: Command = {
  name: "channels",
  summary: "list channels",
  promise:
    "Prints the channels that have retained messages or live followers, one a line, sorted: channel, retained messages, live followers, " +
    "age of the newest message (- if none is retained), separated by TAB.",
  args: [{ usage: "[pattern]", about: "a Redis glob; default: *" }],
  options: [],
  examples: [
    {
      about: "what is being talked about",
      shell: "timmy-bb publish jobs build > sent; timmy-bb channels | cut -f1-3",
      prints: "jobs\t1\t0\n",
    },
    {
      about: "for a program",
      shell: "timmy-bb channels 'job*' --json | grep -c '\"messages\":1'",
      prints: "1\n",
    },
  ],
  async run(context, given) {
    const board = await context.board();
    const found = await board.channels(given.optionalArg("pattern") ?? "*");
    const sorted = found.sort((left, right) => compareNames(left.channel, right.channel));
    return { rows: sorted.map(rowOf), heads: ["CHANNEL", "MESSAGES", "FOLLOWERS", "LAST"] };
  },
};

function rowOf({ channel, messages, followers, lastId }: ChannelFacts): Row {
  const number = lastId === null ? null : idToNumber(lastId);
  const lastAt = number === null ? null : numberToMs(number);
  const age = lastAt === null ? "-" : formatAge(Date.now() - lastAt);
  return {
    cells: [oneLine(channel), String(messages), String(followers), age],
    json: { ...jsonName("channel", channel), messages, followers, last_id: lastId, last_at: lastAt },
  };
}
