/** The scripts of locks, in Lua; see `lock-library.ts`. */
import { lockScript } from "./lock-library.ts";
import { script } from "./scripts.ts";

/**
 * ARGV: token, ms to live, slots, "try" | "wait", the claimant as JSON. {fence, ms at which its time is up, ms to live}; or in how many
 * milliseconds to ask again, unless told to before.
 */
export const ACQUIRE = lockScript(`
local token, ttl, slots, waits, who = ARGV[7], ARGV[8], tonumber(ARGV[9]), ARGV[10] == 'wait', ARGV[11]
needs_memory()
local known = renew(token, ttl)
if known then return known end
if waits then
  if not redis.call('ZSCORE', line, token) then
    local last = redis.call('ZRANGE', line, -1, -1, 'WITHSCORES')[2]
    redis.call('ZADD', line, tonumber(last or 0) + 1, token)
  end
  note_waiter(token, slots, 0, 0)
end

local is_turn, taken, soonest = walk(token, now + tonumber(ttl))
if not is_turn and (waits or taken >= slots) then
  if waits then
    note_waiter(token, slots, 0, soonest)
    remember()
  end
  return soonest - now
end

-- grants whose time is up, or that were given back, counted as the newest ones until now
for _, old in ipairs(redis.call('ZRANGEBYSCORE', holders, '-inf', text(now))) do forget_grant(old) end
drop_past()
local fence = text(next_number())
redis.call('HSET', lock, 'fence', fence, 'by', by, 'f:' .. fence, '')
leave_line(token)
return hold(token, fence, ttl, who)
`);

/** ARGV: token, ms to live, or "": as before. As ACQUIRE says of a grant; 0 if the token holds nothing. */
export const REFRESH = lockScript(`
frees_memory()
return renew(ARGV[7], ARGV[8] ~= '' and ARGV[8] or nil) or 0
`);

/** ARGV: token. Whether it held anything. What it stood for goes to who is next. */
export const RELEASE = lockScript(`
local token = ARGV[7]
frees_memory()
local was_held = is_held_by(token)
if was_held then forget_grant(token) end
leave_line(token)
walk()
if was_held then
  if redis.call('EXISTS', holders, line) == 0 then compact() end
  remember()
end
return was_held and 1 or 0
`);

/**
 * ARGV: locks. The server's clock; then of each how many stand in line and live, and for each grant that stands when its time is up, and
 * "<fence> <ms to live> <claimant>".
 */
export const LOCKS = script(`
local facts = {now}
for at = 6, #ARGV do
  local lock, seen = root .. 'lock:' .. ARGV[at], {0}
  for _, token in ipairs(redis.call('ZRANGE', root .. 'line:' .. ARGV[at], 0, -1)) do
    if redis.call('PUBSUB', 'NUMSUB', root .. 'turn:' .. token)[2] > 0 then seen[1] = seen[1] + 1 end
  end
  local held = redis.call('ZRANGEBYSCORE', root .. 'holders:' .. ARGV[at], '(' .. text(now), '+inf', 'WITHSCORES')
  for one = 1, #held, 2 do
    seen[#seen + 1] = held[one + 1]
    seen[#seen + 1] = redis.call('HGET', lock, 'h:' .. held[one]) or '' -- a server that evicts keys has lost it
  end
  facts[#facts + 1] = seen
end
return facts
`);
