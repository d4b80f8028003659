/** From options and configuration to a board. */
import { type BackendSettings, openBackend } from "./backends/open.ts";
import { Blackboard } from "./blackboard.ts";
import { type LoadedSettings, loadSettings, optionOverrides, type Settings } from "./config/index.ts";
import { type BoardDefaults, refuseUnknown } from "./core/board-options.ts";
import { BlackboardError } from "./core/errors.ts";
import { Later } from "./core/later.ts";
import { parseRedisUrl } from "./core/redis-url.ts";
import { surroundings, thisProgram } from "./host.ts";

/** Options of {@link openBlackboard}. What is left out comes from the environment, config.yaml, the defaults. */
export interface OpenOptions {
  /** `auto`: redis if it answers within 300 ms, else the file. */
  readonly backend?: "auto" | "redis" | "memory";
  /** `redis://[user:password@]host[:port][/db]`, `rediss://…` or `unix:///path[?db=N]`. */
  readonly url?: string;
  readonly password?: string;
  /** Keys and channels are `<prefix>:<name>` in the store; empty for none. */
  readonly prefix?: string;
  /** How long a key lives unless told otherwise, in seconds; `null` or 0: it does not expire. */
  readonly ttlSeconds?: number | null;
  /** The directory of the memory store's file, `board.db`. */
  readonly dataDir?: string;
  /** Who writes. */
  readonly agent?: string;
  /** The bound of each operation, in milliseconds; default 5000. */
  readonly timeoutMs?: number;
  /** A config file; else it is looked for as the command does. */
  readonly config?: string;
  /** Told what an operator must know: a fallback, unsynced writes. Default: a process warning. */
  readonly onNotice?: (notice: string) => void;
}

/**
 * Opens a board. Close it when done.
 * @throws BlackboardError `config` for a wrong setting, `unavailable` if no store can be used
 */
export async function openBlackboard(options: OpenOptions = {}): Promise<Blackboard> {
  refuseUnknown(options, Object.keys(OPTIONS));
  const { onNotice = warn, config = null, ...settings } = options;
  const loaded = await loadSettings(optionOverrides(settings), config, surroundings());
  for (const warning of loaded.warnings) onNotice(warning);
  return openWith(loaded, onNotice);
}

/** Opens a board from settings that are loaded already. */
export async function openWith(
  loaded: LoadedSettings,
  onNotice: (notice: string) => void,
): Promise<Blackboard> {
  const { settings } = loaded;
  if (!settings.enabled) {
    const where = loaded.origins.find(({ name }) => name === "enabled")?.origin ?? "config";
    throw new BlackboardError("config", `the blackboard is disabled (enabled: false, ${where})`, {
      hint: "set blackboard.enabled to true to use it",
    });
  }
  return new Blackboard(await openBackend(backendSettings(settings, onNotice)), defaultsOf(settings));
}

function backendSettings(settings: Settings, onNotice: (notice: string) => void): BackendSettings {
  const { backend, prefix, timeoutMs, history, fallback, memoryPath, durability } = settings;
  const address = parseRedisUrl(settings.url);
  const password = settings.password ?? address.password;
  const places = { address: { ...address, password }, memoryPath };
  return { backend, prefix, timeoutMs, history, fallback, durability, ...places, onNotice };
}

/** Who and where this is takes time to find out, and is looked up when it is first wanted. */
function defaultsOf(settings: Settings): BoardDefaults {
  const { prefix, ttlMs } = settings;
  const agent = new Later(() => settings.agent);
  const host = new Later(() => thisProgram.host);
  return {
    prefix,
    ttlMs,
    get agent() {
      return agent.it;
    },
    get host() {
      return host.it;
    },
    pid: thisProgram.pid,
  };
}

let shared: Promise<Blackboard> | null = null;

/** The process's shared board, opened at the first call with the configuration found. */
export function getBlackboard(): Promise<Blackboard> {
  if (shared !== null) return shared;
  const opening = openBlackboard();
  shared = opening;
  // A board that could not be opened, or was closed, is not kept.
  const forget = () => {
    if (shared === opening) shared = null;
  };
  opening.then((board) => board.closed.then(forget), forget);
  return opening;
}

/** All of them: the compiler holds this to the interface. */
const OPTIONS: Readonly<Record<keyof OpenOptions, true>> = {
  backend: true,
  url: true,
  password: true,
  prefix: true,
  ttlSeconds: true,
  dataDir: true,
  agent: true,
  timeoutMs: true,
  config: true,
  onNotice: true,
};

function warn(notice: string): void {
  process.emitWarning(notice, "TimmyBbWarning");
}
