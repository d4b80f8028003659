/**
 * What can go wrong with a Redis server, in the words of `BlackboardError`.
 *
 * The server's own texts stay in here: `ERR unknown command` quotes arguments, so a text may hold a value. ioredis is
 * not imported, so that the auto store can look at an error without loading it.
 */
import { BlackboardError, type ErrorKind } from "../../core/errors.ts";

/**
 * Nobody answered, and not one byte of the operation was sent: refused, no route, no such host, or no answer to
 * connect or to the handshake in time. The only error that allows falling back to another store.
 */
export class UnreachableError extends BlackboardError {
  readonly unreachable = true;

  constructor(shown: string, reason: string) {
    super("unavailable", `cannot reach ${shown} (${reason})`, { hint: "is the server running there?" });
  }
}

/** An error reply as the server sent it. Internal: it never leaves this folder. */
export class ServerReplyError extends Error {
  /** The server's text. May hold a value: never put it into a message. */
  readonly text: string;

  constructor(text: string) {
    super("the server answered with an error");
    this.text = text;
  }

  /** After such an answer the server hangs up, a moment later. */
  get closesConnection(): boolean {
    return /Protocol error|max number of clients/.test(this.text);
  }

  /** Scripts of Redis 6.2 wrap the error of the command that failed; the code is inside. */
  get code(): string {
    const wrapped = /^ERR Error running script .*: -?([A-Z]+) /.exec(this.text);
    return wrapped?.[1] ?? /^[A-Z]+(?= |$)/.exec(this.text)?.[0] ?? "";
  }
}

/** The server is there and said no. No connection is lost by it, so whoever asked must say it: nobody else will. */
export class RefusedError extends BlackboardError {}

/** The board was closed, before or meanwhile; whatever was asked for was not begun. */
export function closedError(): BlackboardError {
  return new BlackboardError("usage", "the board is closed");
}

export function noAnswerWithin({ withinMs }: { readonly withinMs: number }): string {
  return `no answer within ${Math.round(withinMs)} ms`;
}

/** The connection ended under a request, for whatever reason. Internal: it never leaves this folder. */
export class ConnectionLostError extends Error {}

type Meaning = readonly [kind: ErrorKind, sentence: string, hint?: string];

const CREDENTIALS = "check blackboard.redis.password, TIMMY_BB_REDIS_PASSWORD and the user in the URL";
const HASH_TAG = "on a Redis Cluster the prefix must carry a hash tag, for example {timmy}";

const FORBIDDEN: Meaning = [
  "config",
  "does not allow this user to do that",
  "docs/redis-layout.md lists what a user needs",
];

/** By the first word of the reply. All of these were refused before anything was changed. */
const BY_CODE: Readonly<Record<string, Meaning>> = {
  WRONGPASS: ["config", "refused the user or the password", CREDENTIALS],
  NOAUTH: ["config", "wants a password", CREDENTIALS],
  NOPERM: FORBIDDEN,
  DENIED: ["config", "is in protected mode and refuses other machines", "set a password on the server"],
  CROSSSLOT: ["config", "is a cluster and spreads this prefix over several slots", HASH_TAG],
  MOVED: ["config", "is a cluster and keeps this prefix on several nodes", HASH_TAG],
  WRONGTYPE: ["conflict", "holds another type than a plain string there"],
  OOM: ["unavailable", "is out of memory and takes no writes", "raise its maxmemory or delete keys"],
  READONLY: ["unavailable", "is a read-only replica", "connect to the primary"],
  LOADING: ["unavailable", "is still loading its data", "try again in a moment"],
  MASTERDOWN: ["unavailable", "is a replica that lost its primary"],
  MISCONF: ["unavailable", "cannot save to disk and takes no writes", "look at the server's log and disk"],
  NOREPLICAS: ["unavailable", "has too few replicas to take writes"],
  CLUSTERDOWN: ["unavailable", "is a cluster that is down"],
  TRYAGAIN: ["unavailable", "is moving these keys to another node", "try again in a moment"],
  ASK: ["unavailable", "is moving these keys to another node", "try again in a moment"],
  BUSY: ["unavailable", "is busy with a script", "try again in a moment"],
};

/** Replies that only say `ERR`. */
const BY_TEXT: ReadonlyArray<readonly [pattern: RegExp, meaning: Meaning]> = [
  [/ACL failure in script|user executing the script can't/, FORBIDDEN],
  [
    /AUTH <password> called without|no password is set/,
    ["config", "has no password, and one was given", CREDENTIALS],
  ],
  [/invalid password/, ["config", "refused the password", CREDENTIALS]],
  [
    /DB index|SELECT is not allowed/,
    ["config", "has no such database", "check the number at the end of the URL"],
  ],
  [/max number of clients/, ["unavailable", "takes no more clients", "raise its maxclients"]],
  [/invalid bulk length/, ["usage", "refused the value: it is over its proto-max-bulk-len"]],
  [/string exceeds maximum|too large to be stored/, ["usage", "refused the value: it is too large"]],
  [/unknown command|syntax error/i, ["config", "is too old", "timmy-bb needs Redis 6.2 or Valkey 7.2"]],
];

/** Replies about the value, not about the server: in the words of the memory store. */
const ABOUT_VALUE: ReadonlyArray<readonly [pattern: RegExp, sentence: string, hint?: string]> = [
  [
    /not an integer|not a valid integer/,
    "the value is not a 64-bit integer",
    "incr works on decimal integers without blanks or leading zeros",
  ],
  [/would overflow/, "the sum is over 64 bits"],
];

/** An error reply, for people. */
export function replyToError(reply: ServerReplyError, shown: string): BlackboardError {
  const about = ABOUT_VALUE.find(([pattern]) => pattern.test(reply.text));
  if (about !== undefined) return toError("conflict", about[1], about[2]);
  const [kind, sentence, hint] = meaningOf(reply);
  return toError(kind, `${shown} ${sentence}`, hint);
}

function toError(kind: ErrorKind, message: string, hint: string | undefined): BlackboardError {
  return new RefusedError(kind, message, hint === undefined ? {} : { hint });
}

function meaningOf(reply: ServerReplyError): Meaning {
  const known = BY_CODE[reply.code] ?? BY_TEXT.find(([pattern]) => pattern.test(reply.text))?.[1];
  return known ?? ["internal", `gave an answer timmy-bb does not know (${reply.code || "no code"})`];
}

/** Codes of the operating system and the resolver that mean: nobody is there. */
const ABSENT: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ENOENT: "no such socket",
  EHOSTUNREACH: "no route to host",
  ENETUNREACH: "network unreachable",
  EHOSTDOWN: "host is down",
  ENETDOWN: "network is down",
  EADDRNOTAVAIL: "no local address for it",
  ETIMEDOUT: "no answer",
  ENOTFOUND: "no such host",
  EAI_AGAIN: "the name cannot be resolved now",
  EAI_FAIL: "the name cannot be resolved",
  EAI_NODATA: "no such host",
  EAI_NONAME: "no such host",
};

/** The server went away before it answered. Means "nobody there" only where no TLS was under way. */
const DROPPED: Readonly<Record<string, string>> = {
  ECONNRESET: "connection reset",
  EPIPE: "connection closed",
  ECONNABORTED: "connection aborted",
};

/** A connection that failed before the first answer, by the error code its socket gave (`undefined`: it just closed). */
export function connectFailure(code: string | undefined, shown: string, tls: boolean): BlackboardError {
  const absent = code === undefined ? undefined : ABSENT[code];
  if (absent !== undefined) return new UnreachableError(shown, absent);
  if (tls) return tlsFailure(code, shown);
  const dropped = code === undefined ? "connection closed" : DROPPED[code];
  if (dropped !== undefined) return new UnreachableError(shown, dropped);
  return new BlackboardError("config", `cannot use ${shown} (${code})`, { hint: "is it a Redis server?" });
}

function tlsFailure(code: string | undefined, shown: string): BlackboardError {
  const hint =
    "does the server speak TLS there, with a certificate this machine trusts? (NODE_EXTRA_CA_CERTS)";
  return new BlackboardError("config", `cannot use ${shown} (TLS failed: ${code ?? "connection closed"})`, {
    hint,
  });
}

/** The server answers in the clear where TLS was asked for. */
export function plainInsteadOfTls(shown: string): BlackboardError {
  const hint = "write redis:// instead of rediss://, or give the server a TLS port";
  return new BlackboardError("config", `cannot use ${shown} (the server does not speak TLS there)`, { hint });
}

/** What the server sent is not the Redis protocol. */
export function protocolFailure(shown: string): BlackboardError {
  const hint = "is it a Redis server, and is it plain or TLS (rediss://)?";
  return new BlackboardError("config", `${shown} does not speak the Redis protocol`, { hint });
}
