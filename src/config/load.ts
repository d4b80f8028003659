/** Settings put together: flag or option, then environment, then file, then default. */
import { dirname } from "node:path";
import { parseRedisUrl } from "../core/redis-url.ts";
import { type Choices, chooseAll, settingsOfFile } from "./choose.ts";
import { discover } from "./discover.ts";
import { environmentSettings, unknownVariables } from "./environment.ts";
import type { Overrides } from "./overrides.ts";
import { keysOf } from "./overrides.ts";
import { boardFile, defaultBoardFile } from "./paths.ts";
import { SETTING, type SettingKey } from "./settings.ts";
import type { LoadedSettings, SettingOrigin, Settings, Surroundings } from "./types.ts";

/**
 * Reads every setting. Everything given is checked, what a higher layer overrides too.
 * @param configFile the file named by `--config` or the option `config`; `null`: look for one
 * @throws BlackboardError `usage` for a wrong flag or option, `config` for a wrong variable or file
 */
export async function loadSettings(
  overrides: Overrides,
  configFile: string | null,
  surroundings: Surroundings,
): Promise<LoadedSettings> {
  const found = await discover(configFile, surroundings);
  const choices = chooseAll([overrides, environmentSettings(surroundings.env), settingsOfFile(found)]);
  const settings = assemble(choices, found.file, surroundings);
  return {
    settings,
    get origins() {
      return keysOf(SETTING).map((key) => describe(choices, key, settings));
    },
    file: found.file,
    warnings: [...found.warnings, ...unknownVariables(surroundings.env), ...exposedPassword(choices)],
  };
}

function assemble(choices: Choices, file: string | null, surroundings: Surroundings): Settings {
  return {
    enabled: choices.enabled.value,
    backend: choices.backend.value,
    url: choices.url.value,
    password: urlsPasswordWins(choices) ? null : choices.password.value,
    prefix: choices.prefix.value,
    ttlMs: choices.ttl.value,
    fallback: choices.fallback.value,
    memoryPath: memoryPath(choices, file, surroundings),
    durability: choices.durability.value,
    history: {
      messagesPerChannel: choices.messagesPerChannel.value,
      changes: choices.changes.value,
      maxAgeMs: choices.maxAge.value,
    },
    get agent() {
      return choices.agent.value ?? defaultAgent(surroundings);
    },
    timeoutMs: choices.timeout.value,
  };
}

/** A path in the file is relative to the file, any other to the working directory; empty if there is nowhere to be. */
function memoryPath({ path }: Choices, file: string | null, surroundings: Surroundings): string {
  if (path.value !== null) {
    const base = path.given?.from === "file" && file !== null ? dirname(file) : surroundings.cwd;
    return boardFile(path.value, base, surroundings);
  }
  return defaultBoardFile(surroundings) ?? "";
}

/**
 * Whether the URL's own password counts: there is no other, or the URL comes from a higher layer than the other.
 * `--url redis://:new@host` must not be tried with the config file's password.
 */
function urlsPasswordWins({ url, password }: Choices): boolean {
  if (url.given === null || parseRedisUrl(url.value).password === null) return false;
  return password.value === null || url.rank < password.rank;
}

function describe(choices: Choices, key: SettingKey, settings: Settings): SettingOrigin {
  const name = SETTING[key].paths[0];
  const origin = choices[key].given?.origin ?? "default";
  if (key === "path")
    return { name, value: settings.memoryPath, origin: isNull(choices, key) ? "default" : origin };
  if (key === "agent")
    return { name, value: settings.agent, origin: isNull(choices, key) ? "default" : origin };
  if (key === "password" && urlsPasswordWins(choices)) {
    return { name, value: "set", origin: `in the URL, ${choices.url.given?.origin ?? "default"}` };
  }
  return { name, value: shownValue(choices, key), origin };
}

function isNull(choices: Choices, key: SettingKey): boolean {
  return choices[key].value === null;
}

function shownValue<Key extends SettingKey>(choices: Choices, key: Key): string {
  return SETTING[key].kind.show(choices[key].value);
}

function exposedPassword({ url }: Choices): string[] {
  if (url.given?.from !== "flag" || parseRedisUrl(url.value).password === null) return [];
  return ["the password in --url shows in the list of processes; set TIMMY_BB_REDIS_PASSWORD instead"];
}

/** A host or user whose name no agent may have must not stop every command. */
function defaultAgent({ userAtHost }: Surroundings): string {
  return "value" in SETTING.agent.kind.fromText(userAtHost) ? userAtHost : "unknown";
}
