/** A message as a record. */
import { isPattern } from "../../core/glob.ts";
import type { Failure, Message } from "../../core/types.ts";
import type { Row } from "../command.ts";
import { jsonBytes, jsonName } from "../json.ts";
import { oneCell, oneLineBytes } from "../terminal.ts";

export function messageRows(channels: readonly string[], raw: boolean): (message: Message) => Row {
  const single = channels.length === 1 && !channels.some(isPattern);
  return (message) => ({
    cells: single || raw ? [message.payload] : [oneCell(message.channel), oneLineBytes(message.payload)],
    json: jsonOf(message),
    end: raw ? "" : "\n",
  });
}

function jsonOf({ channel, payload, id, by, at, failure }: Message): Row["json"] {
  const why = failure === null ? {} : { failure: failureJson(failure) };
  return { ...jsonName("channel", channel), ...jsonBytes("payload", payload), id, by, at, ...why };
}

function failureJson({ channel, key, event, ...why }: Failure): Row["json"] {
  return {
    ...(channel === null ? {} : jsonName("channel", channel)),
    ...(key === null ? {} : { ...jsonName("key", key), event }),
    ...why,
  };
}
