/** The whole suite through the command with --json, on a board file. */
import { runSuite } from "./suite.ts";

runSuite("memory", "cli");
