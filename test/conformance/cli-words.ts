/** The words of a command line that say what is followed, waited for, or looked back at. */
import { decodeName } from "../../src/core/names.ts";
import type { FollowOptions, WaitOptions, WatchOptions } from "./driver.ts";

export function followWords(options: FollowOptions): string[] {
  const { count, waitMs, live, consumer, begin } = options;
  const end = count === undefined ? ["--follow"] : [`--count=${count}`];
  return [
    ...(live === false ? [] : end),
    ...(waitMs === undefined ? [] : [`--wait=${waitMs}ms`]),
    ...fromWords(options),
    ...(consumer === undefined ? [] : [`--consumer=${consumer}`]),
    ...(begin === undefined ? [] : [`--from-${begin}`]),
  ];
}

export function watchWords({ initial, ...options }: WatchOptions): string[] {
  return [...followWords(options), ...(initial ? ["--initial"] : [])];
}

export function waitWords({ until, value, since, any, waitMs }: WaitOptions): string[] {
  return [
    ...(until === undefined ? [] : [`--${until}`]),
    ...(value === undefined ? [] : [`--value=${valueWord(value)}`]),
    ...fromWords(since === undefined ? {} : { since }),
    ...(any ? ["--any"] : []),
    ...(waitMs === undefined ? [] : [waitMs === 0 ? "--wait=0" : `--wait=${waitMs}ms`]),
  ];
}

export function fromWords({ last, since }: Pick<FollowOptions, "last" | "since">): string[] {
  return [
    ...(last === undefined ? [] : [`--last=${last}`]),
    ...(since === undefined ? [] : [`--since=${sinceWord(since)}`]),
  ];
}

/** A value's bytes as a word, which may be no UTF-8. */
export function valueWord(value: string | Uint8Array): string {
  return decodeName(Buffer.from(value));
}

function sinceWord(since: string | Date | number): string {
  if (typeof since === "number") return `${since}ms`;
  return since instanceof Date ? since.toISOString() : since;
}

/** Behind `--` stands a command, so a channel that looks like an option is written as a pattern. */
export function asWord(channel: string): string {
  return channel.startsWith("-") ? `\\${channel}` : channel;
}
