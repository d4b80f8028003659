/** The part of every script that keeps the board's books: ids, the log, who wrote what, and what has expired. */

export const LIBRARY = `
local root, by = ARGV[1], ARGV[2]
local changes_kept, messages_kept, age_kept = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])

local meta = root .. 'meta'         -- hash: key -> "<number> <fingerprint> <author>" of our last write
local firsts = root .. 'firsts'     -- zset: key -> number of the write that made it
local expiries = root .. 'expiries' -- zset: key -> ms at which its time to live ends

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local oldest_kept = math.max(now - age_kept, 0)
local lucky = tonumber(clock[2]) % 64 == 0 -- one script in 64 does the slower tidying

-- A full server refuses a script at its first write and never later, so the first write decides. This one is refused
-- and changes nothing; without it a script that begins with a HDEL would write past the limit.
local function needs_memory()
  redis.call('SETRANGE', root .. 'id', 0, '')
end

-- This one is let through: deleting must work on a full server, although it is logged.
local function frees_memory()
  redis.call('UNLINK', root .. 'nothing')
end

-- tostring() would round: 1.8e+15
local function text(number)
  return string.format('%.0f', number)
end

-- the id of a log entry: the milliseconds, and a number within the millisecond
local function id(number)
  return text(math.floor(number / 1024)) .. '-' .. text(number % 1024)
end

-- ids grow strictly whatever the clock does
local function next_number()
  local last = tonumber(redis.call('GET', root .. 'id') or 0)
  local number = math.max(last + 1, now * 1024)
  redis.call('SET', root .. 'id', text(number))
  return number
end

local function log(number, kind, key, value, author)
  if changes_kept <= 0 then return end
  local entry = {'kind', kind, 'key', key, 'by', author}
  if value then
    entry[7] = 'size'
    entry[8] = text(#value)
    if #value <= 65536 then
      entry[9] = 'value'
      entry[10] = value
    end
  end
  local stream = root .. 'changes'
  redis.call('XADD', stream, 'MAXLEN', '=', changes_kept, id(number), unpack(entry))
  redis.call('XTRIM', stream, 'MINID', '=', text(oldest_kept))
  redis.call('PEXPIRE', stream, age_kept)
end

-- what a value looks like, at a cost that does not grow with it
local function digest(size, ends)
  return text(size) .. '-' .. string.sub(redis.sha1hex(ends), 1, 16)
end

local function fingerprint(value)
  if #value <= 4096 then return digest(#value, value) end
  return digest(#value, string.sub(value, 1, 2048) .. string.sub(value, -2048))
end

-- the same of what a key holds now; nil if that is not a string
local function present_fingerprint(key)
  local size = redis.pcall('STRLEN', key)
  if type(size) ~= 'number' then return nil end
  if size <= 4096 then return digest(size, redis.call('GET', key) or '') end
  return digest(size, redis.call('GETRANGE', key, 0, 2047) .. redis.call('GETRANGE', key, -2048, -1))
end

local function remember(key, number, value)
  redis.call('HSET', meta, key, text(number) .. ' ' .. fingerprint(value) .. ' ' .. by)
  redis.call('ZADD', firsts, 'NX', text(number), key)
end

local function forget(key)
  redis.call('HDEL', meta, key)
  redis.call('ZREM', firsts, key)
  redis.call('ZREM', expiries, key)
end

-- number and author of the last write, or nothing if that was not ours: the key holds something else by now
local function written_by_us(key)
  local known = redis.call('HGET', meta, key)
  if not known then return nil end
  local number, written, author = string.match(known, '^(%d+) (%S+) (.*)$')
  if number and written == present_fingerprint(key) then return number, author end
  return nil
end

-- notes when a key ends; nil: when the server says it does
local function expires_at(key, ms)
  if not ms then
    local left = redis.call('PTTL', key)
    if left < 0 then
      redis.call('ZREM', expiries, key)
      return
    end
    ms = now + left
  end
  redis.call('ZADD', expiries, text(ms), key)
end

-- a key that is gone leaves books behind; if its time had come, that is one entry in the log
local function settle(key)
  if redis.call('EXISTS', key) == 1 then return end
  local due = redis.call('ZSCORE', expiries, key)
  if due and tonumber(due) <= now then log(next_number(), 'expired', key, nil, '') end
  forget(key)
end

-- a few keys whose time has come, and now and then a few that a foreign client may have deleted
local function sweep()
  local due = redis.call('ZRANGEBYSCORE', expiries, '-inf', text(now), 'LIMIT', 0, 8)
  for _, key in ipairs(due) do
    if redis.call('EXISTS', key) == 1 then expires_at(key, nil) else settle(key) end
  end
  if not lucky then return end
  local step = redis.call('HSCAN', meta, redis.call('GET', root .. 'cursor') or '0', 'COUNT', 16)
  redis.call('SET', root .. 'cursor', step[1])
  for at = 1, #step[2], 2 do settle(step[2][at]) end
end
`;
