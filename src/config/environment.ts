/** Settings from `TIMMY_BB_*` variables. An empty variable counts as unset. */
import { nearest } from "../core/nearest.ts";
import { type Given, keysOf, type Overrides } from "./overrides.ts";
import { printable } from "./printable.ts";
import { SETTING, SETTINGS, type SettingKey } from "./settings.ts";
import type { Surroundings } from "./types.ts";

/** Names a config file. */
export const CONFIG_VARIABLE = "TIMMY_BB_CONFIG";

/** Not settings, yet ours: the config file, and what timmy-bb sets for the commands it starts. */
const OTHERS = ["CHANNEL", "EVENT", "KEY", "SIZE", "INITIAL", "ID", "BY", "AT", "ATTEMPT"]
  .concat(["FAILURE_REASON", "LOCK", "LOCK_TOKEN", "FENCE", "FENCES"])
  .map((name) => `TIMMY_BB_${name}`);
const KNOWN: ReadonlySet<string> = new Set([CONFIG_VARIABLE, ...OTHERS, ...SETTINGS.map(({ env }) => env)]);
/** Kubernetes and Docker links set these for a service that happens to be called `timmy-bb`. */
const SERVICE_LINK = /_(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT(_\d.*)?)$/;

export function environmentSettings(env: Surroundings["env"]): Overrides {
  const given: { [Key in SettingKey]?: Given } = {};
  for (const key of keysOf(SETTING)) {
    const label = SETTING[key].env;
    const raw = env[label];
    if (raw) given[key] = { from: "environment", raw, label, origin: `environment ${label}` };
  }
  return given;
}

/** One line for each variable that looks like a setting and is none: a typing error would go unseen otherwise. */
export function unknownVariables(env: Surroundings["env"]): string[] {
  return Object.keys(env)
    .filter(
      (name) => name.startsWith("TIMMY_BB_") && env[name] && !KNOWN.has(name) && !SERVICE_LINK.test(name),
    )
    .map((name) => {
      const near = nearestVariable(name);
      return `the environment variable ${printable(name)} is no setting${near === null ? "" : `; did you mean ${near}?`}`;
    });
}

/** Compared without the common beginning, which would make everything near everything. */
function nearestVariable(name: string): string | null {
  const typed = name.slice("TIMMY_BB_".length);
  const candidates = [CONFIG_VARIABLE, ...SETTINGS.map(({ env }) => env)];
  const near = nearest(
    typed,
    candidates.map((candidate) => candidate.slice("TIMMY_BB_".length)),
  );
  const ending =
    typed.length < 3 ? undefined : candidates.find((candidate) => candidate.endsWith(`_${typed}`));
  return ending ?? (near === null ? null : `TIMMY_BB_${near}`);
}
