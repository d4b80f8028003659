/** The whole suite through the library, on a real redis server. */
import { runSuite } from "./suite.ts";

runSuite("redis", "library");
