/**
 * The server-side scripts, in Lua: one for each operation that must be one step. `docs/redis-layout.md` explains the
 * keys; `script-library.ts` has what they share.
 *
 * Each gets the board's header first: ARGV[1] root, [2] by, [3] changes kept, [4] messages kept a channel, [5] oldest
 * age kept in ms. What follows is each script's own. KEYS[1] is always the id counter, so that a Cluster finds the node.
 */
import { createHash } from "node:crypto";
import { BOOKS, IS_EXPECTED, LIBRARY, PUBLISHING, REFUSE } from "./script-library.ts";

/** A script and the name the server knows it by. */
export interface Script {
  readonly source: string;
  readonly sha1: string;
}

/**
 * KEYS[2]; ARGV: value, "none" | "keep" | ms to live, "" | "absent" | "present" | "value", the expected value; and, if it is made under
 * a lock, the lock and the number of the grant. {1, number}; or what stands in the way: {0, now, whether the key exists, number, author}
 * of its last write, {-1, now, nil, number, author} of the lock's newest grant.
 */
export const SET = script(`${BOOKS}
local key, value, ttl, condition, expected = KEYS[2], ARGV[6], ARGV[7], ARGV[8], ARGV[9]
needs_memory()
if #ARGV > 10 then
  local lock = root .. 'lock:' .. ARGV[10]
  if redis.call('HEXISTS', lock, 'f:' .. ARGV[11]) == 0 then
    return {-1, now, false, unpack(redis.call('HMGET', lock, 'fence', 'by'))}
  end
end
sweep()
settle(key)

if condition ~= '' then
  local holds
  if condition == 'value' then
    holds = ${IS_EXPECTED}
  else
    holds = (redis.call('EXISTS', key) == 1) == (condition == 'present')
  end
  if not holds then ${REFUSE} end
end

local followers = announce(key)
if ttl == 'keep' then
  redis.call('SET', key, value, 'KEEPTTL')
  expires_at(key, nil)
elseif ttl == 'none' then
  redis.call('SET', key, value)
  redis.call('ZREM', expiries, key)
else
  expires_at(key, now + tonumber(ttl))
  redis.call('SET', key, value, 'PXAT', text(now + tonumber(ttl)))
end
local number = next_number()
log(number, 'set', key, value, by, followers)
remember(key, number, value)
return {1, text(number)}
`);

/**
 * KEYS[2]; ARGV: ms to live, or "none"; and the value it must have, if that matters. {1}, or as SET says that a condition does not hold.
 * Nothing is logged: the value stays.
 */
export const EXPIRE = script(`${BOOKS}
local key, ttl = KEYS[2], ARGV[6]
frees_memory()
sweep()
settle(key)
local holds = redis.call('EXISTS', key) == 1
if holds and #ARGV > 7 then
  local expected = ARGV[7]
  holds = ${IS_EXPECTED}
end
if not holds then ${REFUSE} end
if ttl == 'none' then
  redis.call('PERSIST', key)
  redis.call('ZREM', expiries, key)
else
  expires_at(key, now + tonumber(ttl))
  redis.call('PEXPIREAT', key, text(now + tonumber(ttl)))
end
return {1}
`);

/** KEYS[2]; ARGV: what to add. The sum as text: Lua's own numbers are doubles. */
export const INCREMENT = script(`${BOOKS}
local key = KEYS[2]
needs_memory()
sweep()
settle(key)
local followers = announce(key)
local reply = redis.pcall('INCRBY', key, ARGV[6])
if type(reply) == 'table' and reply.err then
  call_off(key)
  return reply
end
local sum = redis.call('GET', key)
local number = next_number()
log(number, 'set', key, sum, by, followers)
remember(key, number, sum)
return sum
`);

/**
 * ARGV: channel, payload, database (a script cannot ask which it is in). Deliveries, the id's number, and how many
 * followers may have got it more than once. Its first write is that of the id, so it needs no other to need memory.
 */
export const PUBLISH = script(`${PUBLISHING}
local sent = publish(ARGV[6], ARGV[7], ARGV[8], '')
if lucky then
  ${BOOKS}
  sweep()
end
return sent
`);

/**
 * KEYS[2…]; ARGV: the most bytes of a value that is wanted, too, or -1: none is. The server's clock, then for each key: nil if absent,
 * else ms to live, size, number, author and value.
 */
export const DESCRIBE = script(`${BOOKS}
local facts, most = {now}, tonumber(ARGV[6])
for at = 2, #KEYS do
  local key = KEYS[at]
  local ttl = redis.call('PTTL', key)
  if ttl == -2 then
    facts[at] = false
  else
    local size = redis.pcall('STRLEN', key)
    local number, author = written_by_us(key)
    local is_string = type(size) == 'number'
    local value = is_string and size <= most and redis.call('GET', key)
    facts[at] = {ttl, is_string and size or false, number or false, author or false, value}
  end
end
return facts
`);

/**
 * KEYS[2…]: keys of which the server says that they expired, then others that foreign clients deleted; ARGV: how many are the
 * former. Logs what has expired, a part of it if it is much, and forgets what is gone. Of keys asked about that are not logged it says, to
 * all who follow them, that it was a foreign client's doing. Ms until the next key expires; nil: none does.
 */
export const SWEEP = script(`${BOOKS}
frees_memory()
local function head() return redis.call('ZRANGE', expiries, 0, 0, 'WITHSCORES') end
local before = head()[1]
sweep_due(100)
for at = 2, #KEYS do
  local key = KEYS[at]
  local is_gone = redis.call('EXISTS', key) == 0
  local is_ours = is_gone and at <= tonumber(ARGV[6]) + 1 and redis.call('HEXISTS', meta, key) == 1
  if is_gone then forget(key) end
  if is_ours then
    log(next_number(), 'expired', key, nil, '')
  else
    redis.call('PUBLISH', root .. 'change:' .. key, '.')
  end
end
local first, due = unpack(head())
if first ~= before then tell_due(due and tonumber(due)) end
if not due then return false end
return text(tonumber(due) - now)
`);

/** KEYS[2]: a key of our own. What a foreign client could do to a key: whoever listens learns whether the server tells. */
export const PROBE = script(`
frees_memory()
redis.call('SET', KEYS[2], '')
redis.call('DEL', KEYS[2])
return 1
`);

/** The parts of the library that it needs are part of the body. */
export function script(body: string): Script {
  const source = `${LIBRARY}${body}`;
  return { source, sha1: createHash("sha1").update(source).digest("hex") };
}
