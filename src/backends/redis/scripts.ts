/**
 * The server-side scripts, in Lua: one for each operation that must be one step. `docs/redis-layout.md` explains the
 * keys; `script-library.ts`, `log-library.ts` and `run-library.ts` have what they share.
 *
 * Each gets the board's header first: ARGV[1] root, [2] by, [3] changes kept, [4] messages kept a channel, [5] oldest
 * age kept in ms. What follows is each script's own. KEYS[1] is always the id counter, so that a Cluster finds the node.
 */
import { createHash } from "node:crypto";
import { PUBLISHING } from "./log-library.ts";
import { prune } from "./lua.ts";
import { ENDING, LIBRARY, STEPS } from "./run-library.ts";
import { BOOKS, IS_EXPECTED, REFUSE } from "./script-library.ts";

/** A script and the name the server knows it by. */
export interface Script {
  readonly source: string;
  readonly sha1: string;
}

/**
 * ARGV: "" | "absent" | "present" | "value", the expected value, and a lock and the number of its grant if it is made under one; then key,
 * value and "none" | "keep" | ms to live of each, of one if there are conditions. The keys are not in KEYS, for a server refuses a script as a whole
 * if one of these is not for this user. The number of the first as text, the others follow it; then the place of each that failed and
 * why. Or what stands in the way: {0, now, whether the key exists, number, author} of its last write, {-1, now, nil, number, author} of
 * the lock's newest grant.
 */
export const SET = script(`${BOOKS}${STEPS}
local condition, expected = ARGV[6], ARGV[7]
local keys = {}
for at = 10, #ARGV - 3, 3 do keys[#keys + 1] = ARGV[at] end
lucky = chance < #keys
needs_memory()
if ARGV[8] ~= '' then
  local lock = root .. 'lock:' .. ARGV[8]
  if call('HEXISTS', lock, 'f:' .. ARGV[9]) == 0 then
    return {-1, now, false, unpack(call('HMGET', lock, 'fence', 'by'))}
  end
end
sweep(#keys)
settle_all(keys)

if condition ~= '' then
  local key, holds = keys[1], nil
  if condition == 'value' then
    holds = ${IS_EXPECTED}
  else
    holds = (call('EXISTS', key) == 1) == (condition == 'present')
  end
  if not holds then ${REFUSE} end
end

local function set(number, key, value, ttl)
  local followers, reply, ms = announce(key), nil, nil
  if ttl == 'keep' then
    reply = redis.pcall('SET', key, value, 'KEEPTTL')
  elseif ttl == 'none' then
    reply, ms = redis.pcall('SET', key, value), false
  else
    ms = now + tonumber(ttl)
    reply = redis.pcall('SET', key, value, 'PXAT', text(ms))
  end
  if reply.err then
    call_off(key)
    error(reply)
  end
  expires_at(key, ms)
  log(number, 'set', key, value, by, followers)
  remember(key, number, value)
end

local first = draw(#keys)
local outcome = {text(first)}
for at, key in ipairs(keys) do
  local failure = attempt(set, first + at - 1, key, ARGV[8 + at * 3], ARGV[9 + at * 3])
  if failure then
    outcome[#outcome + 1] = at - 1
    outcome[#outcome + 1] = failure
  end
end
return outcome
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
local holds = call('EXISTS', key) == 1
if holds and #ARGV > 7 then
  local expected = ARGV[7]
  holds = ${IS_EXPECTED}
end
if not holds then ${REFUSE} end
if ttl == 'none' then
  call('PERSIST', key)
  expires_at(key, false)
else
  expires_at(key, now + tonumber(ttl))
  call('PEXPIREAT', key, text(now + tonumber(ttl)))
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
local sum = call('GET', key)
local number = next_number()
log(number, 'set', key, sum, by, followers)
remember(key, number, sum)
return sum
`);

/**
 * ARGV: channel and payload of each, and the database (a script cannot ask which it is in). The number of the first as text, the others follow
 * it; how many followers may have got something more than once; then of each its deliveries, or why it failed. Its first write is that of the id, so it
 * needs no other to need memory.
 */
export const PUBLISH = script(`${PUBLISHING}${STEPS}
local database, count = ARGV[#ARGV], (#ARGV - 6) / 2
lucky = chance < count
local first = draw(count)
local outcome, most = {text(first), 0}, 0
for step = 1, count do
  local at = 4 + 2 * step
  local receivers = attempt(publish, ARGV[at], ARGV[at + 1], database, first + step - 1, '')
  outcome[2 + step] = receivers
  if tonumber(receivers) then most = math.max(most, receivers) end
end
if most > 1 then outcome[2] = call('PUBSUB', 'NUMSUB', root .. 'several')[2] end
if lucky then
  finish()
  ${BOOKS}
  sweep(count)
end
return outcome
`);

/**
 * KEYS[2…]; ARGV: the most bytes of a value that is wanted, too, or -1: none is. The server's clock, then for each key: nil if absent,
 * else ms to live, size, number, author and value.
 */
export const DESCRIBE = script(`${BOOKS}
local facts, most = {now}, tonumber(ARGV[6])
for at = 2, #KEYS do
  local key = KEYS[at]
  local ttl = call('PTTL', key)
  if ttl == -2 then
    facts[at] = false
  else
    local size = redis.pcall('STRLEN', key)
    local number, author = written_by_us(key)
    local is_string = type(size) == 'number'
    local value = is_string and size <= most and call('GET', key)
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
local function head() return call('ZRANGE', expiries, 0, 0, 'WITHSCORES') end
local before = head()[1]
sweep_due(100)
for at = 2, #KEYS do
  local key = KEYS[at]
  local is_gone = call('EXISTS', key) == 0
  local is_ours = is_gone and at <= tonumber(ARGV[6]) + 1 and call('HEXISTS', meta, key) == 1
  if is_gone then forget(key) end
  if is_ours then
    log(next_number(), 'expired', key, nil, '')
  else
    call('PUBLISH', root .. 'change:' .. key, '.')
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
call('SET', KEYS[2], '')
call('DEL', KEYS[2])
return 1
`);

/** The parts of the library that it needs are part of the body. Made when it is first used: a process runs few of all scripts. */
export function script(body: string): Script {
  let source: string | undefined;
  let sha1: string | undefined;
  return {
    get source() {
      source ??= prune(`${LIBRARY}local run = function()\n${body}\nend\n${ENDING}`);
      return source;
    },
    get sha1() {
      sha1 ??= createHash("sha1").update(this.source).digest("hex");
      return sha1;
    },
  };
}
