/** The whole suite through the library, on a real redis server reached by TLS: with the other driver. */
import { runSuite } from "./suite.ts";

// A process trusts whom it was told to when it began. The programs that it starts are told; test/backends/redis-tls.test.ts
// has those that are not.
process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";

runSuite("redis", "library", { tls: true });
