/** Which kind of connection is made for what. */
import type { RedisAddress } from "../../core/redis-url.ts";
import type { Connection, ListeningConnection } from "./connection.ts";
import { DirectConnection } from "./direct-connection.ts";
import { IoredisConnection } from "./ioredis-connection.ts";

/** Makes a connection that does nothing before its `connect`. */
export type Make<Kind extends Connection> = (address: RedisAddress) => Promise<Kind>;

/** For those who ask: without ioredis, which takes longer to load than a whole call, unless it must be TLS. */
export const asking: Make<Connection> = async (address) =>
  address.tls ? IoredisConnection.to(address) : new DirectConnection(address.target);

/** For those who listen. */
export const listening: Make<ListeningConnection> = (address) => IoredisConnection.to(address);
