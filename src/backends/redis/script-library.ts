/** What the scripts share that keep books of keys. */
import { LOGGING } from "./log-library.ts";

/**
 * The books: the log of changes, who wrote what, and what has expired; and telling those who follow keys. The last argument of a script
 * with books is the database: a script cannot ask which it is in.
 */
export const BOOKS = `${LOGGING}
local database = ARGV[#ARGV]
local meta = root .. 'meta'         -- hash: key -> "<number> <fingerprint> <author>" of our last write
local firsts = root .. 'firsts'     -- zset: key -> number of the write that made it
local expiries = root .. 'expiries' -- zset: key -> ms at which its time to live ends
local written, made, ends = {}, {}, {} -- what comes into these at the end of the script; false: the key does not expire

-- Says to those who follow the key that it is about to be changed by us: what the server tells of the key until it is logged
-- is no foreign client's doing. A script's effects reach a connection together: nothing can come between. How many follow.
local function announce(key)
  return call('PUBLISH', root .. 'change:' .. key, '')
end

-- what was announced does not happen
local function call_off(key)
  call('PUBLISH', root .. 'change:' .. key, '-')
end

-- Tells those who follow the key, and appends to the log. The followers of a replica are not counted: they fetch the value.
local function log(number, kind, key, value, author, followers)
  local size = value and text(#value)
  local is_kept = value and #value <= 65536
  local told = database .. ' ' .. id(number) .. ' ' .. kind .. ' ' .. (size or '-') .. ' ' .. author
  if is_kept and followers ~= 0 then told = told .. '\\n' .. value end
  -- first, because a user's rights may end here, and what a script has done before it fails stays done
  call('PUBLISH', root .. 'change:' .. key, told)
  if is_kept then
    append('', number, 'kind', kind, 'key', key, 'by', author, 'size', size, 'value', value)
  elseif value then
    append('', number, 'kind', kind, 'key', key, 'by', author, 'size', size)
  else
    append('', number, 'kind', kind, 'key', key, 'by', author)
  end
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
  if size <= 4096 then return digest(size, call('GET', key) or '') end
  return digest(size, call('GETRANGE', key, 0, 2047) .. call('GETRANGE', key, -2048, -1))
end

-- notes who wrote a key; is in the books at the end of the script
local function remember(key, number, value)
  local at = #written + 1
  written[at], written[at + 1] = key, text(number) .. ' ' .. fingerprint(value) .. ' ' .. by
  made[at], made[at + 1] = text(number), key
end

-- Keys that are gone, and those of them of which it is noted when they end. Who wrote a key is noted with when that was first; a lucky script
-- also looks where it is not, for a server may evict the one and keep the other.
local function forget_all(keys, ending)
  if call('ZREM', firsts, unpack(keys)) > 0 or lucky then call('HDEL', meta, unpack(keys)) end
  if ending[1] then call('ZREM', expiries, unpack(ending)) end
end

local function forget(key)
  forget_all({key}, {key})
end

-- number and author of the last write, or nothing if that was not ours: the key holds something else by now
local function written_by_us(key)
  local known = call('HGET', meta, key)
  if not known then return nil end
  local number, written, author = string.match(known, '^(%d+) (%S+) (.*)$')
  if number and written == present_fingerprint(key) then return number, author end
  return nil
end

-- those who follow keys log expiries in time: they must know when the next one is, or that there is none
local function tell_due(ms)
  call('PUBLISH', root .. 'due', database .. ' ' .. (ms and text(ms - now) or '-'))
end

-- notes when a key ends; nil: when the server says it does; false: never
local function expires_at(key, ms)
  if ms == nil then
    local left = redis.pcall('PTTL', key)
    if type(left) ~= 'number' then return end -- not for this user
    ms = left >= 0 and now + left
  end
  ends[key] = ms
end

local function close_expiries()
  local ending, endless = {}, {}
  for key, ms in pairs(ends) do
    if ms then
      ending[#ending + 1] = text(ms)
      ending[#ending + 1] = key
    else
      endless[#endless + 1] = key
    end
  end
  ends = {}
  if endless[1] then call('ZREM', expiries, unpack(endless)) end
  if not ending[1] then return end
  call('ZADD', expiries, unpack(ending))
  local first = call('ZRANGE', expiries, 0, 0)[1]
  for at = 2, #ending, 2 do
    if ending[at] == first then return tell_due(tonumber(ending[at - 1])) end
  end
end

local close_logs = finish
finish = function()
  close_expiries()
  if written[1] then
    call('HSET', meta, unpack(written))
    call('ZADD', firsts, 'NX', unpack(made))
  end
  close_logs()
end

-- keys that the user may not touch count as there
local function absent(keys)
  local there = redis.pcall('EXISTS', unpack(keys))
  if there == #keys then return {} end
  if there == 0 then return keys end
  local gone = {}
  for _, key in ipairs(keys) do
    if redis.pcall('EXISTS', key) == 0 then gone[#gone + 1] = key end
  end
  return gone
end

-- A key that is gone leaves books behind; if its time had come, that is one entry in the log.
local function settle_gone(gone)
  if not gone[1] then return end
  local ending, expired, seen = {}, {}, {}
  for at, due in ipairs(call('ZMSCORE', expiries, unpack(gone))) do
    local key = gone[at]
    if due then ending[#ending + 1] = key end
    if due and tonumber(due) <= now and not seen[key] then expired[#expired + 1] = key end
    seen[key] = true
  end
  forget_all(gone, ending)
  local number = expired[1] and draw(#expired)
  for at, key in ipairs(expired) do log(number + at - 1, 'expired', key, nil, '') end
end

local function settle_all(keys)
  settle_gone(absent(keys))
end

local function settle(key)
  settle_all({key})
end

local function sweep_due(most)
  local due = call('ZRANGEBYSCORE', expiries, '-inf', text(now), 'LIMIT', 0, most)
  if not due[1] then return end
  local gone, is_gone = absent(due), {}
  settle_gone(gone)
  for _, key in ipairs(gone) do is_gone[key] = true end
  for _, key in ipairs(due) do
    if not is_gone[key] then expires_at(key, nil) end
  end
  close_expiries()
end

-- A few keys whose time has come, and now and then a few that a foreign client may have deleted. A script that writes several
-- keys sweeps so many more: else what expires would grow faster than it is swept.
local function sweep(count)
  sweep_due(7 + (count or 1))
  if not lucky then return end
  local step = call('HSCAN', meta, call('GET', root .. 'cursor') or '0', 'COUNT', 16)
  call('SET', root .. 'cursor', step[1])
  local keys = {}
  for at = 1, #step[2], 2 do keys[#keys + 1] = step[2][at] end
  if keys[1] then settle_all(keys) end
end
`;

/** Whether `key` has the value `expected`: the length first, for comparing must not copy a large value for nothing. */
export const IS_EXPECTED = "call('STRLEN', key) == #expected and call('GET', key) == expected";

/** Says that `key` is not as it should be: whether it exists, and who wrote what it holds. */
export const REFUSE = `
  local number, author = written_by_us(key)
  return {0, now, call('EXISTS', key), number or false, author or false}
`;
