/** Whether the server tells of the changes that foreign clients make, by its own setting. */

import type { Deadline } from "./deadline.ts";
import { RefusedError } from "./errors.ts";
import type { Link } from "./link.ts";
import { asList, asText } from "./replies.ts";

/** `K`: by key; `$`: writes of strings; `g`: deletions and renamings; `x`: expiries. `A` stands for all but `K`. */
const WANTED = ["K", "$", "g", "x"];

export const NOT_SEEN = "not seen: ";

/** For `status`. Not everybody may ask. */
export async function foreignChanges(link: Link, deadline: Deadline): Promise<string> {
  try {
    const ask = ["config", "get", "notify-keyspace-events"] as const;
    const reply = asList(await link.run("read", (connection) => connection.call(...ask), deadline));
    const missing = missingIn(asText(reply[1]));
    return missing === "" ? "seen" : NOT_SEEN + lacking(missing);
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    return "unknown: this user may not ask for notify-keyspace-events";
  }
}

/** What is missing in the setting, in words. */
export function lacking(letters: string): string {
  return `its notify-keyspace-events lacks ${letters}; it should be K$gx or more`;
}

function missingIn(setting: string): string {
  const has = (letter: string): boolean =>
    setting.includes(letter) || (letter !== "K" && setting.includes("A"));
  return WANTED.filter((letter) => !has(letter)).join("");
}
