/**
 * What stands above the environment: the command's flags, or the library's options. Each value travels with the
 * name under which a person gave it, for messages and for `status`.
 */
import { CONFIG_VARIABLE } from "./environment.ts";
import { SETTING, type SettingKey } from "./settings.ts";
import type { BackendChoice } from "./types.ts";

/** One value somebody gave, still to be read by its setting's kind. */
export interface Given {
  readonly from: "flag" | "option" | "environment" | "file";
  readonly raw: unknown;
  /** Begins a message: `--url`, `TIMMY_BB_URL`, `config.yaml:4: blackboard.redis.url`. */
  readonly label: string;
  /** For `status`: `flag --url`, `environment TIMMY_BB_URL`, `config.yaml:4`. */
  readonly origin: string;
}

/** Made by `flagOverrides` or `optionOverrides`; `{}` overrides nothing. */
export type Overrides = { readonly [Key in SettingKey]?: Given };

/** Flags as the command line gave them, raw text; `undefined` is a flag that was not given. */
export interface FlagTexts {
  readonly backend?: string | undefined;
  readonly url?: string | undefined;
  readonly prefix?: string | undefined;
  readonly agent?: string | undefined;
  readonly timeout?: string | undefined;
}

/** What `openBlackboard` takes; `undefined` is an option that was not given. */
export interface OptionValues {
  readonly backend?: BackendChoice | undefined;
  readonly url?: string | undefined;
  /** `null` or empty: not the config file's; one in the URL still counts. */
  readonly password?: string | null | undefined;
  readonly prefix?: string | undefined;
  /** Whole seconds; `null` or 0: keys do not expire. */
  readonly ttlSeconds?: number | null | undefined;
  /** The directory that holds `board.db`; relative to the working directory. */
  readonly dataDir?: string | undefined;
  readonly agent?: string | undefined;
  /** Milliseconds. */
  readonly timeoutMs?: number | undefined;
}

/** The overrides of a command line. */
export function flagOverrides(flags: FlagTexts): Overrides {
  return collect("flag", (key) => {
    const { flag } = SETTING[key];
    const raw = flag === null ? undefined : property(flags, flag.slice(2));
    return { raw, label: String(flag), origin: `flag ${flag}` };
  });
}

/** The same as variables, for commands that are run: what they do with timmy-bb they do on the same board. */
export function flagVariables(flags: FlagTexts & { readonly config?: unknown }): Record<string, string> {
  const overrides = flagOverrides(flags);
  const given = keysOf(overrides).map((key) => [SETTING[key].env, overrides[key]?.raw] as const);
  const all = [...given, [CONFIG_VARIABLE, flags.config] as const];
  return Object.fromEntries(all.filter((pair): pair is [string, string] => typeof pair[1] === "string"));
}

/** The overrides of a program. Unknown options are the caller's to refuse; here they are not looked at. */
export function optionOverrides(options: OptionValues): Overrides {
  return collect("option", (key) => {
    const { option } = SETTING[key];
    const raw = option === null ? undefined : property(options, option);
    return { raw, label: `option ${option}`, origin: `option ${option}` };
  });
}

function collect(from: Given["from"], look: (key: SettingKey) => Omit<Given, "from">): Overrides {
  const overrides: { [Key in SettingKey]?: Given } = {};
  for (const key of keysOf(SETTING)) {
    const found = look(key);
    if (found.raw !== undefined) overrides[key] = { from, ...found };
  }
  return overrides;
}

/** The keys of the table, with their type. */
export function keysOf<Table extends object>(table: Table): ReadonlyArray<keyof Table> {
  return Object.keys(table) as Array<keyof Table>;
}

function property(object: object, name: string): unknown {
  return Object.hasOwn(object, name) ? Reflect.get(object, name) : undefined;
}
