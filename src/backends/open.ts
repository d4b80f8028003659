/** From settings to a store. The only place that knows every store; each is loaded when it is wanted. */
import type { Backend, BoardSettings } from "../core/backend.ts";
import type { RedisAddress } from "../core/redis-url.ts";
import { hasUnsynced } from "./memory/unsynced.ts";

/** Which store, and where each of them is. */
export interface BackendSettings extends BoardSettings {
  readonly backend: "auto" | "redis" | "memory";
  readonly address: RedisAddress;
  /** Only for `auto`: whether memory may stand in while redis is unreachable. */
  readonly fallback: boolean;
  /** The board file, absolute; empty if there is none. */
  readonly memoryPath: string;
  readonly durability: "normal" | "full";
  /** Told, in one line, what an operator must know: a fallback, unsynced writes. */
  readonly onNotice: (notice: string) => void;
}

/** @throws BlackboardError `unavailable` or `config` */
export async function openBackend(settings: BackendSettings): Promise<Backend> {
  switch (settings.backend) {
    case "redis": {
      const { openRedis } = await import("./redis/index.ts");
      const store = await openRedis(settings, settings.timeoutMs);
      const notice = unsyncedNotice(settings.memoryPath);
      if (notice !== null) settings.onNotice(notice);
      return store;
    }
    case "memory": {
      const { openMemory } = await import("./memory/index.ts");
      return openMemory({ ...settings, path: settings.memoryPath, flagUnsynced: false });
    }
    case "auto": {
      const { openAuto } = await import("./auto/index.ts");
      return openAuto(settings);
    }
  }
}

/** What whoever uses redis must know of the board file; `null` if nothing. */
export function unsyncedNotice(memoryPath: string): string | null {
  if (!hasUnsynced(memoryPath)) return null;
  return `${memoryPath} holds writes made while redis was away; read them with --backend memory`;
}
