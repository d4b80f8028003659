/**
 * From an address to a connection that is logged in, in the right database, and, on a Cluster, at the node that has
 * the board. AUTH and SELECT are our own: ioredis turns the first's refusal into "Connection is closed." and goes on in
 * database 0 after the second's.
 */
import type { BlackboardError } from "../../core/errors.ts";
import type { RedisAddress } from "../../core/redis-url.ts";
import { ConnectError, type Connection } from "./connection.ts";
import type { Make } from "./connections.ts";
import { AbortedError, type Deadline, DeadlineError } from "./deadline.ts";
import { DirectConnection } from "./direct-connection.ts";
import {
  ConnectionLostError,
  closedError,
  connectFailure,
  noAnswerWithin,
  plainInsteadOfTls,
  protocolFailure,
  replyToError,
  ServerReplyError,
  UnreachableError,
} from "./errors.ts";
import type { Layout } from "./layout.ts";
import type { Reply } from "./replies.ts";

/**
 * A plain Redis waits for the end of a TLS greeting for ever, as a black hole does. So the last part of the time is
 * for finding out which of the two it is: one of them means a wrong setting, the other allows another store.
 */
const TLS_SHARE = 0.75;
/** The first node may name another, which may have just handed the slot on. */
const MAX_REDIRECTS = 3;

/**
 * Connects and logs in, all by the given moment.
 * @throws UnreachableError if nobody answered; BlackboardError `config` or `unavailable` if somebody did, and `usage`
 * if the board was closed meanwhile
 */
export async function dial<Kind extends Connection>(
  make: Make<Kind>,
  address: RedisAddress,
  layout: Layout,
  deadline: Deadline,
): Promise<Kind> {
  let connection = await make(address);
  const greeting = address.tls ? deadline.share(TLS_SHARE) : deadline;
  for (let redirects = 0; ; redirects++) {
    try {
      await greeting.race(greet(connection, address, layout));
      return connection;
    } catch (error) {
      connection.destroy();
      const node = redirects < MAX_REDIRECTS && layout.hasHashTag ? movedTo(error, address) : null;
      if (node === null) throw await explain(error, connection, address, deadline);
      connection = await make(node);
    }
  }
}

/** The probe tells that the server answers, that it lets us in, and whether this node has the board's slot. */
async function greet(connection: Connection, address: RedisAddress, layout: Layout): Promise<void> {
  await connection.connect();
  const { username, password, db } = address;
  const replies: Promise<Reply>[] = [];
  if (username !== null) replies.push(connection.call("auth", username, password ?? ""));
  else if (password !== null) replies.push(connection.call("auth", password));
  if (db !== 0) replies.push(connection.call("select", String(db)));
  replies.push(connection.call("exists", layout.id, layout.probe));
  for (const outcome of await Promise.allSettled(replies)) {
    if (outcome.status === "rejected") throw outcome.reason;
  }
}

/** The node a `MOVED <slot> <host>:<port>` names; without a host it is another port of the same one. */
function movedTo(error: unknown, address: RedisAddress): RedisAddress | null {
  if (!(error instanceof ServerReplyError)) return null;
  const parts = /^MOVED \d+ (.*):(\d+)$/.exec(error.text);
  if (parts === null) return null;
  const known = "host" in address.target ? address.target.host : "localhost";
  return { ...address, target: { host: parts[1] || known, port: Number(parts[2]) } };
}

/** Sends a PING, and no secret. */
async function answersInTheClear(address: RedisAddress, deadline: Deadline): Promise<boolean> {
  const connection = new DirectConnection(address.target);
  try {
    await deadline.race(connection.connect().then(() => connection.call("ping")));
    return true;
  } catch (error) {
    return error instanceof ServerReplyError;
  } finally {
    connection.destroy();
  }
}

async function explain(
  error: unknown,
  connection: Connection,
  address: RedisAddress,
  deadline: Deadline,
): Promise<unknown> {
  const { shown, tls } = address;
  if (error instanceof AbortedError) return closedError();
  if (error instanceof DeadlineError) return silence(address, deadline);
  if (error instanceof ServerReplyError) return refusal(error, shown);
  if (connection.spokeGibberish) return protocolFailure(shown);
  if (error instanceof ConnectError) return connectFailure(error.code, shown, tls);
  if (error instanceof ConnectionLostError) return connectFailure(connection.code, shown, false);
  return error;
}

async function silence(address: RedisAddress, deadline: Deadline): Promise<BlackboardError> {
  const plain = address.tls && (await answersInTheClear(address, deadline));
  if (deadline.aborted) return closedError();
  if (plain) return plainInsteadOfTls(address.shown);
  return new UnreachableError(address.shown, noAnswerWithin(deadline));
}

/** An `ERR` without a meaning of its own comes from something that is not the Redis we know. */
function refusal(error: ServerReplyError, shown: string): BlackboardError {
  const known = replyToError(error, shown);
  return known.kind === "internal" ? protocolFailure(shown) : known;
}
