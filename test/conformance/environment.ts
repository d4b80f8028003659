/** A board's settings as the environment of a process. */
import type { BoardSettings } from "./driver.ts";

/** Every setting a test relies on, said aloud, so that no file or variable of this machine matters. */
export function environmentOf(settings: BoardSettings): Record<string, string> {
  const { place, prefix, agent, ttlSeconds, timeoutMs } = settings;
  return {
    TIMMY_BB_CONFIG: place.config,
    TIMMY_BB_BACKEND: place.store,
    TIMMY_BB_PREFIX: prefix,
    TIMMY_BB_AGENT: agent,
    TIMMY_BB_TTL: String(ttlSeconds ?? 0),
    TIMMY_BB_TIMEOUT: `${timeoutMs}ms`,
    ...(place.url === undefined ? {} : { TIMMY_BB_URL: place.url }),
    ...(place.password === undefined ? {} : { TIMMY_BB_REDIS_PASSWORD: place.password }),
    ...(place.trusted === undefined ? {} : { NODE_EXTRA_CA_CERTS: place.trusted }),
    ...(place.dataDir === undefined ? {} : { TIMMY_BB_DATA_DIR: place.dataDir }),
  };
}
