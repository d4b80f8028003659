/** Which of the given values counts, and what it reads as. */
import { BlackboardError } from "../core/errors.ts";
import { SECTION } from "./document.ts";
import type { Reading } from "./kinds.ts";
import { type Given, keysOf, type Overrides } from "./overrides.ts";
import type { Entry } from "./section.ts";
import { SETTING, type SettingKey, type SettingOf, type Values } from "./settings.ts";

/** A value and who gave it. */
export interface Chosen<Value> {
  readonly value: Value;
  /** `null`: nobody, it is the default. */
  readonly given: Given | null;
  /** The place of its layer, 0 the highest. */
  readonly rank: number;
}

export type Choices = { readonly [Key in SettingKey]: Chosen<Values[Key]> };

/** Reads every layer, highest first, and takes the first value of each setting. */
export function chooseAll(layers: readonly Overrides[]): Choices {
  const choose = <Key extends SettingKey>(key: Key): Chosen<Values[Key]> =>
    chooseOne(
      SETTING[key],
      layers.map((layer) => layer[key]),
    );
  return {
    enabled: choose("enabled"),
    backend: choose("backend"),
    url: choose("url"),
    password: choose("password"),
    prefix: choose("prefix"),
    ttl: choose("ttl"),
    fallback: choose("fallback"),
    path: choose("path"),
    durability: choose("durability"),
    messagesPerChannel: choose("messagesPerChannel"),
    changes: choose("changes"),
    maxAge: choose("maxAge"),
    agent: choose("agent"),
    timeout: choose("timeout"),
  };
}

/**
 * What the file gives. A setting that may stand in two places may stand in both, if both say the same.
 * @throws BlackboardError `config`
 */
export function settingsOfFile(file: { shown: string; entries: readonly Entry[] }): Overrides {
  const settings: { [Key in SettingKey]?: Given } = {};
  for (const key of keysOf(SETTING)) {
    const entries = file.entries.filter(({ path }) => SETTING[key].paths.includes(path));
    const [first, second] = entries.map((entry) => givenBy(entry, file.shown));
    if (first === undefined) continue;
    if (second !== undefined) refuseDifference(key, first, second);
    settings[key] = first;
  }
  return settings;
}

function givenBy({ path, line, value }: Entry, shown: string): Given {
  const origin = `${shown}:${line}`;
  return { from: "file", raw: value, label: `${origin}: ${SECTION}.${path}`, origin };
}

function refuseDifference<Key extends SettingKey>(key: Key, first: Given, second: Given): void {
  const setting: SettingOf<Values[Key]> = SETTING[key];
  if (readGiven(setting, first) === readGiven(setting, second)) return;
  const problem = `differs from the same setting in ${first.origin}`;
  throw new BlackboardError("config", `${second.label} ${problem}`, { hint: "keep one of the two" });
}

function chooseOne<Value>(setting: SettingOf<Value>, given: ReadonlyArray<Given | undefined>): Chosen<Value> {
  let chosen: Chosen<Value> = { value: setting.default, given: null, rank: given.length };
  for (const [rank, one] of given.entries()) {
    if (one === undefined) continue;
    const value = readGiven(setting, one);
    if (chosen.given === null) chosen = { value, given: one, rank };
  }
  return chosen;
}

function readGiven<Value>(setting: SettingOf<Value>, given: Given): Value {
  const reading = readAs(setting, given);
  if ("value" in reading) return reading.value;
  const kind = given.from === "flag" || given.from === "option" ? "usage" : "config";
  const { problem, hint } = reading;
  throw new BlackboardError(kind, `${given.label} ${problem}`, hint === undefined ? {} : { hint });
}

function readAs<Value>({ kind }: SettingOf<Value>, { from, raw }: Given): Reading<Value> {
  if (from === "file") return kind.fromFile(raw);
  if (from === "option") return kind.fromOption(raw);
  return kind.fromText(String(raw));
}
