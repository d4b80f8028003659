/**
 * Addresses of Redis servers. Read by hand because `new URL` refuses, or silently cuts, a password with `#`, `/`
 * or `%` in it, and people do paste passwords into URLs. No message here quotes the address: it may hold one.
 */
import { usageError } from "./errors.ts";

/** Where a server is and who we are there. */
export interface RedisAddress {
  readonly tls: boolean;
  /** A host and port, or a unix socket. */
  readonly target: { readonly host: string; readonly port: number } | { readonly socketPath: string };
  readonly db: number;
  readonly username: string | null;
  readonly password: string | null;
  /** The address for people: no user, no password. */
  readonly shown: string;
}

const EXPECTED = "expected redis://[user:password@]host[:port][/db], rediss://… or unix:///path[?db=N]";

/**
 * Parses `redis://`, `rediss://` and `unix://` addresses. Everything up to the last `@` is user and password, so
 * any character may stand in them; `%XX` is decoded where it is valid, and is itself where it is not.
 * @throws BlackboardError `usage`
 */
export function parseRedisUrl(url: string): RedisAddress {
  const scheme = /^(redis|rediss|unix):\/\//.exec(url);
  if (scheme === null) throw usageError("the redis URL is not one", EXPECTED);
  const rest = url.slice(scheme[0].length);
  const isBarePath = scheme[1] === "unix" && rest.startsWith("/"); // an @ belongs to the path
  const at = isBarePath ? -1 : rest.lastIndexOf("@");
  const login = parseLogin(at < 0 ? "" : rest.slice(0, at));
  const place = rest.slice(at + 1);
  if (scheme[1] === "unix") return { ...unixPlace(place), ...login };
  return { ...networkPlace(place, scheme[1] === "rediss"), ...login };
}

function parseLogin(login: string): Pick<RedisAddress, "username" | "password"> {
  if (login === "") return { username: null, password: null };
  const colon = login.indexOf(":");
  if (colon < 0) return { username: decode(login), password: null };
  return {
    username: colon === 0 ? null : decode(login.slice(0, colon)),
    password: colon === login.length - 1 ? null : decode(login.slice(colon + 1)),
  };
}

type Place = Omit<RedisAddress, "username" | "password">;

function networkPlace(place: string, tls: boolean): Place {
  const parts = /^(\[[0-9a-fA-F:.%]+\]|[^:/?#[\]\s\x00-\x1f\x7f-\x9f]*)(?::([^/?#]*))?(?:\/([^?#]*))?$/.exec(
    place,
  );
  if (parts === null) throw usageError("the redis URL cannot be read", EXPECTED);
  const host = parts[1] || "localhost";
  const port = parts[2] === undefined ? 6379 : wholeNumber("port", parts[2], 1, 65_535);
  const db = parseDb(parts[3]);
  const shown = `${tls ? "rediss" : "redis"}://${host}:${port}${db === 0 ? "" : `/${db}`}`;
  return { tls, target: { host: host.replace(/^\[|\]$/g, ""), port }, db, shown };
}

function unixPlace(place: string): Place {
  const parts = /^([^?]*)(?:\?(.*))?$/s.exec(place);
  const path = parts?.[1] ?? "";
  if (!path.startsWith("/")) throw usageError("the redis URL needs an absolute socket path", EXPECTED);
  const db = parseDb(queryDb(parts?.[2] ?? ""));
  const socketPath = decode(path);
  if (/[\x00-\x1f\x7f-\x9f]/.test(socketPath))
    throw usageError("the redis URL has a control character in its path", EXPECTED);
  return {
    tls: false,
    target: { socketPath },
    db,
    shown: `unix://${socketPath}${db === 0 ? "" : `?db=${db}`}`,
  };
}

/** The database a socket's query names; any other query would be cut off silently, so it is refused. */
function queryDb(query: string): string | undefined {
  if (query === "") return undefined;
  const db = /^db=(.*)$/s.exec(query)?.[1];
  if (db === undefined) throw usageError("the redis URL cannot be read", EXPECTED);
  return db;
}

function parseDb(text: string | undefined): number {
  return text === undefined || text === "" ? 0 : wholeNumber("database", text, 0, 2_147_483_647);
}

function wholeNumber(what: string, text: string, least: number, most: number): number {
  const number = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw usageError(`the redis URL has a bad ${what}`, `a ${what} is a whole number from ${least} to ${most}`);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a lone % is a % someone forgot to encode
  }
}
