/** The whole suite through the command with --json, on a real redis server. */
import { runSuite } from "./suite.ts";

runSuite("redis", "cli");
