/**
 * Every setting, once: where it stands in the file, its kind, default, flag, environment variable, library option
 * and one sentence. Help, `docs/configuration.md` and `status` come from here.
 */
import * as kinds from "./kinds.ts";
import type { BackendChoice, Durability } from "./types.ts";

/** What each setting resolves to. */
export interface Values {
  readonly enabled: boolean;
  readonly backend: BackendChoice;
  readonly url: string;
  readonly password: string | null;
  readonly prefix: string;
  readonly ttl: number | null;
  readonly fallback: boolean;
  readonly path: kinds.PathText | null;
  readonly durability: Durability;
  readonly messagesPerChannel: number;
  readonly changes: number;
  readonly maxAge: number;
  readonly agent: string | null;
  readonly timeout: number;
}

export type SettingKey = keyof Values;

export interface SettingOf<Value> {
  /** Where it may stand in the `blackboard` section; the first is its name, and the one to show. */
  readonly paths: readonly [string, ...string[]];
  readonly kind: kinds.Kind<Value>;
  readonly default: Value;
  /** The default for people, as it would stand in the file. */
  readonly defaultText: string;
  /** `--url`, or `null` if there is no flag. */
  readonly flag: string | null;
  /** `TIMMY_BB_URL`; every setting has one. */
  readonly env: string;
  /** The option of `openBlackboard`, or `null` if there is none. */
  readonly option: string | null;
  readonly sentence: string;
}

export type Setting = { [Key in SettingKey]: SettingOf<Values[Key]> }[SettingKey];

export const SETTING: { readonly [Key in SettingKey]: SettingOf<Values[Key]> } = {
  enabled: {
    paths: ["enabled"],
    kind: kinds.yesOrNo,
    default: true,
    defaultText: "true",
    flag: null,
    env: "TIMMY_BB_ENABLED",
    option: null,
    sentence: "false: every command that would touch the board refuses to.",
  },
  backend: {
    paths: ["backend"],
    kind: kinds.choice("auto", "redis", "memory"),
    default: "auto",
    defaultText: "auto",
    flag: "--backend",
    env: "TIMMY_BB_BACKEND",
    option: "backend",
    sentence:
      "The store: redis, memory (a file on this machine), or auto (redis if it answers, else memory).",
  },
  url: {
    paths: ["redis.url"],
    kind: kinds.redisUrl,
    default: "redis://localhost:6379/0",
    defaultText: "redis://localhost:6379/0",
    flag: "--url",
    env: "TIMMY_BB_URL",
    option: "url",
    sentence: "Where Redis is: redis://, rediss:// (TLS) or unix://.",
  },
  password: {
    paths: ["redis.password"],
    kind: kinds.secret,
    default: null,
    defaultText: '""',
    flag: null,
    env: "TIMMY_BB_REDIS_PASSWORD",
    option: "password",
    sentence:
      "The password of Redis, in quotes; wins over one in the URL unless that URL comes from a higher place.",
  },
  prefix: {
    paths: ["keyspace_prefix", "redis.keyspace_prefix"],
    kind: kinds.prefix,
    default: "timmy",
    defaultText: "timmy",
    flag: "--prefix",
    env: "TIMMY_BB_PREFIX",
    option: "prefix",
    sentence: "The board's name: keys and channels are <prefix>:<name> in the store; empty for none.",
  },
  ttl: {
    paths: ["ttl_seconds", "redis.ttl_seconds"],
    kind: kinds.ttl,
    default: 3_600_000,
    defaultText: "3600",
    flag: null,
    env: "TIMMY_BB_TTL",
    option: "ttlSeconds",
    sentence: "How long a key lives unless told otherwise, in seconds; null or 0: it does not expire.",
  },
  fallback: {
    paths: ["fallback_to_memory", "redis.fallback_to_memory"],
    kind: kinds.yesOrNo,
    default: true,
    defaultText: "true",
    flag: null,
    env: "TIMMY_BB_FALLBACK",
    option: null,
    sentence: "With backend auto: use the memory store, with a warning, while Redis is unreachable.",
  },
  path: {
    paths: ["memory.path"],
    kind: kinds.boardPath,
    default: null,
    defaultText: "null",
    flag: null,
    env: "TIMMY_BB_DATA_DIR",
    option: "dataDir",
    sentence:
      "The memory store's file, relative to the config file; null: $XDG_STATE_HOME/timmy-bb/board.db. The variable and the option name its directory.",
  },
  durability: {
    paths: ["memory.durability"],
    kind: kinds.choice("normal", "full"),
    default: "normal",
    defaultText: "normal",
    flag: null,
    env: "TIMMY_BB_DURABILITY",
    option: null,
    sentence:
      "normal: a power cut may undo the last writes of the memory store; full: it does not, at a price.",
  },
  messagesPerChannel: {
    paths: ["history.messages_per_channel"],
    kind: kinds.count,
    default: 1000,
    defaultText: "1000",
    flag: null,
    env: "TIMMY_BB_HISTORY_MESSAGES_PER_CHANNEL",
    option: null,
    sentence: "Messages kept of each channel; 0: they are delivered and not kept.",
  },
  changes: {
    paths: ["history.changes"],
    kind: kinds.count,
    default: 10_000,
    defaultText: "10000",
    flag: null,
    env: "TIMMY_BB_HISTORY_CHANGES",
    option: null,
    sentence: "Key changes kept of the board.",
  },
  maxAge: {
    paths: ["history.max_age"],
    kind: kinds.duration,
    default: 7 * 86_400_000,
    defaultText: "7d",
    flag: null,
    env: "TIMMY_BB_HISTORY_MAX_AGE",
    option: null,
    sentence: "Messages and changes older than this are dropped.",
  },
  agent: {
    paths: ["agent"],
    kind: kinds.agent,
    default: null,
    defaultText: "null",
    flag: "--agent",
    env: "TIMMY_BB_AGENT",
    option: "agent",
    sentence: "Who writes, as others see it (attribution, not authentication); null: user@host.",
  },
  timeout: {
    paths: ["timeout"],
    kind: kinds.timeout,
    default: 5000,
    defaultText: "5s",
    flag: "--timeout",
    env: "TIMMY_BB_TIMEOUT",
    option: "timeoutMs",
    sentence: "How long an operation, or each step of a long one, may take.",
  },
};

/** Every setting, in the order of the file. */
export const SETTINGS: readonly Setting[] = Object.values(SETTING);
