/**
 * What the scripts of locks share; `core/lock.ts` says what a lock promises. All get, behind the board's header, ARGV[6] the lock.
 *
 * Whoever waits listens on a channel of its own, `turn:TOKEN`: "" tells it to ask now, a number in how many milliseconds. Whoever does not
 * listen does not live.
 */
import { LOCK_MEMORY_MS, TURN_MS } from "../../core/lock.ts";
import { type Script, script } from "./scripts.ts";

/** Whoever waits asks at least so often, in milliseconds: what would have told it to may have died, or a clock may have jumped. */
const LONGEST_LOOK_MS = 5000;

const LOCKING = `
local name = ARGV[6]
local lock = root .. 'lock:' .. name       -- hash: fence, by, past; h:TOKEN, f:FENCE of each grant; w:TOKEN of who waits
local holders = root .. 'holders:' .. name -- zset: token -> ms at which its time is up
local line = root .. 'line:' .. name       -- zset: token -> its place

local function leave_line(token)
  redis.call('ZREM', line, token)
  redis.call('HDEL', lock, 'w:' .. token)
end

-- how many it says may hold the lock; when it was told that it is its turn, or 0; when it asks again by itself
local function waiter(token)
  local slots, told, look = string.match(redis.call('HGET', lock, 'w:' .. token) or '0 0 0', '^(%d+) (%d+) (%d+)$')
  return tonumber(slots), tonumber(told), tonumber(look)
end

local function note_waiter(token, slots, told, look)
  redis.call('HSET', lock, 'w:' .. token, text(slots) .. ' ' .. text(told) .. ' ' .. text(look))
end

-- false: nobody listens; PUBLISH would count those who listen to everything
local function tell(token, what)
  local turn = root .. 'turn:' .. token
  if redis.call('PUBSUB', 'NUMSUB', turn)[2] == 0 then return false end
  redis.call('PUBLISH', turn, what)
  return true
end

-- Goes along the line as far as what is free reaches. Those whose turn it is are told so, once, and a slot is kept for each for a while; those
-- who let that pass, or do not live any more, are dropped. The first whose turn it is not is told when to look again, if that is sooner than
-- it thinks. What is kept stays kept: who would be content with less waits until those in front have taken it. Says whether it is the turn of
-- 'me' (which asks now and would hold until 'ends'), how many slots are held or kept (no end of them if nobody who comes may have one), and
-- the first moment at which that may change.
local function walk(me, ends)
  local held = redis.call('ZRANGEBYSCORE', holders, '(' .. text(now), '+inf', 'WITHSCORES')
  local taken, soonest = #held / 2, math.min(now + ${LONGEST_LOOK_MS}, tonumber(held[2] or math.huge))
  local place, fewest, is_turn = 0, math.huge, false
  while true do
    local token = redis.call('ZRANGE', line, place, place)[1]
    if not token then return is_turn, taken < fewest and taken or math.huge, soonest end
    local slots, told, look = waiter(token)
    local stays, kept_until = true, nil
    if told > now then -- the clock was put back
      told = now
      note_waiter(token, slots, told, look)
    end
    if taken >= math.min(slots, fewest) then
      local must_know = token ~= me and (told > 0 or soonest < look)
      if must_know then
        stays = tell(token, text(soonest - now))
        if stays then note_waiter(token, slots, 0, soonest) end
      end
      if stays then return is_turn, math.huge, soonest end
    elseif token == me then
      is_turn, kept_until = true, ends
    elseif told == 0 then
      stays, kept_until = tell(token, ''), now + ${TURN_MS}
      if stays then note_waiter(token, slots, now, look) end
    else
      stays, kept_until = told + ${TURN_MS} > now, told + ${TURN_MS}
    end
    if stays then
      place, taken, soonest = place + 1, taken + 1, math.min(soonest, kept_until)
      if token ~= me then fewest = math.min(fewest, slots) end
    else
      leave_line(token)
    end
  end
end

-- how long all this is kept, and the list of locks by that time
local function remember()
  local last = redis.call('ZRANGE', holders, -1, -1, 'WITHSCORES')[2]
  local kept_until = text(math.max(now, tonumber(last or 0)) + ${LOCK_MEMORY_MS})
  for _, key in ipairs({lock, holders, line}) do redis.call('PEXPIREAT', key, kept_until) end
  redis.call('ZADD', root .. 'locks', kept_until, name)
  if lucky then redis.call('ZREMRANGEBYSCORE', root .. 'locks', '-inf', text(now)) end
end

-- what is said of a grant: fence, when its time is up, time to live; the latter as text
local function hold(token, fence, ttl, who)
  local ends = text(now + tonumber(ttl))
  redis.call('ZADD', holders, ends, token)
  redis.call('HSET', lock, 'h:' .. token, fence .. ' ' .. ttl .. ' ' .. who)
  remember()
  return {fence, ends, ttl}
end

local function is_held_by(token)
  return tonumber(redis.call('ZSCORE', holders, token) or 0) > now
end

-- what is known of a grant; nothing, if a server that evicts keys has lost it
local function grant_of(token)
  return string.match(redis.call('HGET', lock, 'h:' .. token) or '', '^(%d+) (%d+) (.*)$')
end

-- it is over; its fence stands on, until another grant
local function forget_grant(token)
  local fence = grant_of(token)
  if fence then redis.call('HSET', lock, 'past', (redis.call('HGET', lock, 'past') or '') .. fence .. ' ') end
  redis.call('HDEL', lock, 'h:' .. token)
  redis.call('ZREM', holders, token)
end

-- the fences of grants that are over
local function drop_past()
  for fence in string.gmatch(redis.call('HGET', lock, 'past') or '', '%d+') do redis.call('HDEL', lock, 'f:' .. fence) end
  redis.call('HDEL', lock, 'past')
end

-- A hash that has held something long stays large. So where nothing else is left what the fences need is written anew.
local function compact()
  local fence, owner, past = unpack(redis.call('HMGET', lock, 'fence', 'by', 'past'))
  if not past then return end
  redis.call('UNLINK', lock)
  redis.call('HSET', lock, 'fence', fence, 'by', owner, 'past', past)
  for number in string.gmatch(past, '%d+') do redis.call('HSET', lock, 'f:' .. number, '') end
end

-- begins the time of a grant anew; nil: the token holds nothing any more
local function renew(token, ttl)
  if not is_held_by(token) then return nil end
  local fence, before, who = grant_of(token)
  if not fence then return nil end
  local held = hold(token, fence, ttl or before, who)
  walk() -- it may be over sooner than it was before
  return held
end
`;

export function lockScript(body: string): Script {
  return script(`${LOCKING}${body}`);
}
