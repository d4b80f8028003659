/** A Redis or Valkey server on this machine. For a vitest `globalSetup`, so that it is looked for once and not in every test file. */
import { getProgram } from "./get-program.ts";

/** The path of a server. */
export function getRedisServer(): Promise<string> {
  return getProgram({
    names: ["redis-server", "valkey-server"],
    debianPackage: "redis-server",
    sentence:
      "The tests need a real server: install redis-server (6.2 or later) or valkey-server on the PATH.",
  });
}
