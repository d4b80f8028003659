/**
 * Configuration: what the command and the library take from this directory. `loadSettings` is asynchronous because
 * the YAML parser is loaded only when a config file needs it.
 */
export { MAX_FILE_BYTES } from "./discover.ts";
export { loadSettings } from "./load.ts";

export {
  type FlagTexts,
  flagOverrides,
  flagVariables,
  type OptionValues,
  type Overrides,
  optionOverrides,
} from "./overrides.ts";
export { configReference } from "./reference.ts";
export { SETTINGS, type Setting } from "./settings.ts";
export type {
  BackendChoice,
  Durability,
  LoadedSettings,
  SettingOrigin,
  Settings,
  Surroundings,
} from "./types.ts";
