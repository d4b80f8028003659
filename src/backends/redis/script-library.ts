/** What the scripts share, in parts: a server makes every function of a script anew at each call. */

/** The header, the clock, and ids: the beginning of every script. */
export const LIBRARY = `
local root, by = ARGV[1], ARGV[2]
local changes_kept, messages_kept, age_kept = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])

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
`;

/** The key of a channel's log; the changes count as the channel without a name. */
export const STREAM_OF = `
local function stream_of(channel)
  return channel == '' and root .. 'changes' or root .. 'channel:' .. channel
end
`;

/** Appending to a log: a channel's, or that of all changes. */
const LOGGING = `${STREAM_OF}
-- each entry names the one before it, so that a reader sees whether something went between
local function append(channel, kept, number, fields)
  local channels, stream = root .. 'channels', stream_of(channel)
  local before = redis.call('ZSCORE', channels, channel) or '0'
  if kept > 0 then
    fields[#fields + 1] = 'before'
    fields[#fields + 1] = before
    local add = {'XADD', stream, 'NOMKSTREAM', 'MAXLEN', '=', kept, id(number), unpack(fields)}
    -- the first entry of each second tidies; readers look at the age themselves
    local is_tidy = math.floor(tonumber(before) / 1024000) == math.floor(now / 1000)
    if not is_tidy or not redis.call(unpack(add)) then
      table.remove(add, 3)
      redis.call(unpack(add))
      redis.call('XTRIM', stream, 'MINID', '=', text(oldest_kept))
      redis.call('PEXPIRE', stream, age_kept + 1000)
    end
  end
  redis.call('ZADD', channels, text(number), channel)
  if lucky then
    -- a day longer than the entries: a reader who was away that long must still be told that there were some
    redis.call('ZREMRANGEBYSCORE', channels, '-inf', '(' .. text(math.max(oldest_kept - 86400000, 0) * 1024))
  end
end
`;

/**
 * The books: the log of changes, who wrote what, and what has expired; and telling those who follow keys. The last argument of a script
 * with books is the database: a script cannot ask which it is in.
 */
export const BOOKS = `${LOGGING}
local database = ARGV[#ARGV]
local meta = root .. 'meta'         -- hash: key -> "<number> <fingerprint> <author>" of our last write
local firsts = root .. 'firsts'     -- zset: key -> number of the write that made it
local expiries = root .. 'expiries' -- zset: key -> ms at which its time to live ends

-- Says to those who follow the key that it is about to be changed by us: what the server tells of the key until it is logged
-- is no foreign client's doing. A script's effects reach a connection together: nothing can come between. How many follow.
local function announce(key)
  return redis.call('PUBLISH', root .. 'change:' .. key, '')
end

-- what was announced does not happen
local function call_off(key)
  redis.call('PUBLISH', root .. 'change:' .. key, '-')
end

-- Tells those who follow the key, and appends to the log. The followers of a replica are not counted: they fetch the value.
local function log(number, kind, key, value, author, followers)
  local entry = {'kind', kind, 'key', key, 'by', author}
  local told = database .. ' ' .. id(number) .. ' ' .. kind .. ' ' .. (value and text(#value) or '-') .. ' ' .. author
  if value then
    entry[7] = 'size'
    entry[8] = text(#value)
    if #value <= 65536 then
      entry[9] = 'value'
      entry[10] = value
      if followers ~= 0 then told = told .. '\\n' .. value end
    end
  end
  -- first, because a user's rights may end here, and what a script has done before it fails stays done
  redis.call('PUBLISH', root .. 'change:' .. key, told)
  append('', changes_kept, number, entry)
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

-- those who follow keys log expiries in time: they must know when the next one is, or that there is none
local function tell_due(ms)
  redis.call('PUBLISH', root .. 'due', database .. ' ' .. (ms and text(ms - now) or '-'))
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
  if redis.call('ZRANGE', expiries, 0, 0)[1] == key then tell_due(ms) end
end

-- a key that is gone leaves books behind; if its time had come, that is one entry in the log
local function settle(key)
  if redis.call('EXISTS', key) == 1 then return end
  local due = redis.call('ZSCORE', expiries, key)
  forget(key)
  if due and tonumber(due) <= now then log(next_number(), 'expired', key, nil, '') end
end

local function sweep_due(most)
  local due = redis.call('ZRANGEBYSCORE', expiries, '-inf', text(now), 'LIMIT', 0, most)
  for _, key in ipairs(due) do
    if redis.call('EXISTS', key) == 1 then expires_at(key, nil) else settle(key) end
  end
end

-- a few keys whose time has come, and now and then a few that a foreign client may have deleted
local function sweep()
  sweep_due(8)
  if not lucky then return end
  local step = redis.call('HSCAN', meta, redis.call('GET', root .. 'cursor') or '0', 'COUNT', 16)
  redis.call('SET', root .. 'cursor', step[1])
  for at = 1, #step[2], 2 do settle(step[2][at]) end
end
`;

/** Whether `key` has the value `expected`: the length first, for comparing must not copy a large value for nothing. */
export const IS_EXPECTED = "redis.call('STRLEN', key) == #expected and redis.call('GET', key) == expected";

/** Says that `key` is not as it should be: whether it exists, and who wrote what it holds. */
export const REFUSE = `
  local number, author = written_by_us(key)
  return {0, now, redis.call('EXISTS', key), number or false, author or false}
`;

/** Sending a message. */
export const PUBLISHING = `${LOGGING}
-- Deliveries, the id's number, and how many followers may have got it more than once. The failure is JSON, or ''.
local function publish(channel, payload, database, failure)
  local number = next_number()
  -- first of all, because a user's rights may end here, and what a script has done before it fails stays done
  local envelope = database .. ' ' .. id(number) .. ' ' .. by
  if failure ~= '' then envelope = envelope .. '\\n' .. failure end
  -- the envelope and then the message: nothing can come between these
  redis.call('PUBLISH', root .. 'envelope:' .. channel, envelope)
  local receivers = redis.call('PUBLISH', channel, payload)
  local fields = {'payload', payload, 'by', by}
  if failure ~= '' then
    fields[5] = 'failure'
    fields[6] = failure
  end
  append(channel, messages_kept, number, fields)
  local several = receivers > 1 and redis.call('PUBSUB', 'NUMSUB', root .. 'several')[2] or 0
  return {receivers, text(number), several}
end
`;
