/** The shapes of configuration: what goes in (options, flags, the surroundings) and what comes out. */

export type BackendChoice = "auto" | "redis" | "memory";
export type Durability = "normal" | "full";

/** Every setting, resolved. */
export interface Settings {
  readonly enabled: boolean;
  readonly backend: BackendChoice;
  /** The redis address as given; it may hold a password. Show `parseRedisUrl(url).shown` instead. */
  readonly url: string;
  /** Wins over the one in `url`; `null`: use the one in `url`, if any. */
  readonly password: string | null;
  readonly prefix: string;
  /** Milliseconds a key lives unless told otherwise; `null`: for ever. */
  readonly ttlMs: number | null;
  /** In `auto`: use the memory store when redis is unreachable. */
  readonly fallback: boolean;
  /** The board's file, absolute. Empty without a home directory, if no path is given. */
  readonly memoryPath: string;
  readonly durability: Durability;
  readonly history: {
    readonly messagesPerChannel: number;
    readonly changes: number;
    readonly maxAgeMs: number;
  };
  readonly agent: string;
  /** Bound of each operation, milliseconds. */
  readonly timeoutMs: number;
}

/** Where a setting's value came from, for `status`. */
export interface SettingOrigin {
  /** Its path in the file, the section left out: `redis.url`. */
  readonly name: string;
  /** The value for people; never a secret. */
  readonly value: string;
  /** `flag --url`, `option url`, `environment TIMMY_BB_URL`, `config.yaml:4` or `default`. */
  readonly origin: string;
}

export interface LoadedSettings {
  readonly settings: Settings;
  readonly origins: readonly SettingOrigin[];
  /** The config file that was used, absolute; `null` if there is none. */
  readonly file: string | null;
  /** One line each, for stderr. */
  readonly warnings: readonly string[];
}

/** What the process knows, so that nothing here reads globals. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** The user's home directory; empty if there is none. */
  readonly home: string;
  /** The default agent: `user@host`. Looked up when it is asked for: who only reads does not need it. */
  readonly userAtHost: string;
}
