/** The whole suite through the library, on a board file. */
import { runSuite } from "./suite.ts";

runSuite("memory", "library");
