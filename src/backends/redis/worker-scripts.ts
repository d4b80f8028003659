/** The scripts of a worker, in Lua; see `consumer-library.ts`. ARGV[7] is the member. */
import { consumerScript } from "./consumer-library.ts";
import { PUBLISHING } from "./script-library.ts";

/**
 * ARGV: born, most messages, ack timeout in ms, channels … If the consumer born then is no more: {0, when the board's
 * first consumer was made}. Else {1, items, channels that may have more}; an item is {channel, id, payload, author,
 * failure, attempt}, or a gap {channel, after} or {channel, after, next}.
 */
export const TAKE = consumerScript(`
local member, most, patience = ARGV[7], tonumber(ARGV[9]), tonumber(ARGV[10])
local room, ahead = 4194304, 1048576 -- bytes of payload in the answer, and looked at; the last may go beyond
local items, more, places = {}, {}, {}

frees_memory()
local start, born = birth()
if born ~= ARGV[8] then return {0, redis.call('HGET', consumers, '') or ''} end

local function has_room() return most > 0 and room > 0 end

local function tell_gap(place, after, next)
  items[#items + 1] = {place.channel, id(after), next}
end

local function fields_of(entry)
  local fields = {}
  for at = 1, #entry[2], 2 do fields[entry[2][at]] = entry[2][at + 1] end
  return fields
end

local function hand_out(place, entry, fields, attempt)
  items[#items + 1] = {place.channel, entry[1], fields.payload, fields.by or '', fields.failure or '', attempt}
  most = most - 1
  room = room - #fields.payload
end

-- a channel, its group made if need be; nil if there is nothing in it
local function open(channel)
  local stream, newest = stream_of(channel), newest_of(channel)
  redis.call('XTRIM', stream, 'MINID', '=', text(oldest_kept))
  if redis.call('EXISTS', stream) == 0 then return nil end
  local position, held = redis.call('HGET', positions, channel), {}
  if not position then
    if newest <= tonumber(start) then return nil end
    position = start
    redis.call('XGROUP', 'DESTROY', stream, consumer) -- left over from a deleted consumer of this name
    redis.call('XGROUP', 'CREATE', stream, consumer, id(tonumber(start)))
    redis.call('HSET', positions, channel, start)
  else
    held = redis.pcall('XPENDING', stream, consumer, '-', '+', 1)
    if held.err then redis.call('XGROUP', 'CREATE', stream, consumer, id(tonumber(position))) end -- it had expired
  end
  return {channel = channel, stream = stream, position = tonumber(position), newest = newest, holds = held[1]}
end

-- who is alive and holds what retention dropped can still finish it
local function is_alive(holder)
  return redis.call('PUBSUB', 'NUMSUB', root .. 'worker:' .. consumer .. '\\n' .. holder)[2] > 0
end

local function take_over(place, entry, holder, count)
  if is_kept(place.stream, entry) then
    local claimed = redis.call('XCLAIM', place.stream, consumer, member, 0, entry)[1]
    hand_out(place, claimed, fields_of(claimed), count + 1)
  elseif not is_alive(holder) then
    redis.call('XACK', place.stream, consumer, entry)
    tell_gap(place, number_of(entry) - 1, oldest_of(place.stream))
  end
end

-- what others hold and did not renew in time, neither by their own measure nor by ours; whether that was all
local function take_over_all(place)
  local from = '-'
  while has_room() do
    local page = redis.call('XPENDING', place.stream, consumer, 'IDLE', patience, from, '+', 100)
    for _, held in ipairs(page) do
      local entry, holder, idle, count = unpack(held)
      if not has_room() then return false end
      if holder ~= member and idle >= (tonumber(string.match(holder, ':(%d+)$')) or 0) then
        take_over(place, entry, holder, count)
      end
    end
    if #page < 100 then return true end
    from = '(' .. page[100][1]
  end
  return false
end

-- the server counts what a group has read, but not what it missed
local function recount(place, entry)
  local facts = redis.call('XINFO', 'STREAM', place.stream)
  for at = 1, #facts, 2 do
    if facts[at] == 'entries-added' then
      local read = facts[at + 1] - redis.call('XLEN', place.stream) + 1
      redis.call('XGROUP', 'SETID', place.stream, consumer, entry, 'ENTRIESREAD', read)
    end
  end
end

local function read(place)
  local reply = redis.call('XREADGROUP', 'GROUP', consumer, member, 'COUNT', 1, 'STREAMS', place.stream, '>')
  if not reply then
    place.newest = place.position -- retention dropped the rest
    return
  end
  local entry = reply[1][2][1]
  local fields = fields_of(entry)
  if (tonumber(fields.before) or 0) > place.position then
    tell_gap(place, place.position, entry[1])
    recount(place, entry[1])
  end
  place.position, place.moved = number_of(entry[1]), true
  if fields.payload then
    hand_out(place, entry, fields, 1)
  else
    redis.call('XACK', place.stream, consumer, entry[1]) -- nothing of ours
  end
end

-- finds the number of the next message, unless there is only one channel, or what was read for that is too much
local function look_ahead(place)
  place.next = nil
  if place.position >= place.newest then return end
  if #places == 1 then
    place.next = place.position
  elseif ahead > 0 then
    local next = redis.call('XRANGE', place.stream, '(' .. id(place.position), '+', 'COUNT', 1)[1]
    if not next then
      place.newest = place.position
      return
    end
    place.next = number_of(next[1])
    ahead = ahead - #(fields_of(next).payload or '')
  end
end

local function first_of_all()
  local first
  for _, place in ipairs(places) do
    if place.next and (not first or place.next < first.next) then first = place end
  end
  return first
end

for at = 11, #ARGV do
  local place = has_room() and open(ARGV[at])
  if place == false or (place and place.holds and not take_over_all(place)) then
    more[#more + 1] = ARGV[at]
  elseif place then
    places[#places + 1] = place
  end
end
for _, place in ipairs(places) do look_ahead(place) end
local first = first_of_all()
while first and has_room() do
  read(first)
  look_ahead(first)
  first = first_of_all()
end

for _, place in ipairs(places) do
  if place.moved then redis.call('HSET', positions, place.channel, text(place.position)) end
  if place.position < place.newest then more[#more + 1] = place.channel end
end

-- now and then: members that ended without a word, and positions in channels that are forgotten
local function tidy(place)
  for _, one in ipairs(redis.call('XINFO', 'CONSUMERS', place.stream, consumer)) do
    local name, held, idle = one[2], one[4], one[6]
    if held == 0 and idle > patience and name ~= member then
      redis.call('XGROUP', 'DELCONSUMER', place.stream, consumer, name)
    end
  end
end

if lucky then
  for _, place in ipairs(places) do tidy(place) end
  for _, channel in ipairs(redis.call('HRANDFIELD', positions, 4)) do
    if newest_of(channel) == 0 then redis.call('HDEL', positions, channel) end
  end
end
return {1, items, more}
`);

/**
 * ARGV: channel, first and last id of a range ("-", "+", "(id"), "leave" or "", ids … Of what the worker holds in the range
 * it renews those, and gives the rest back: nobody knows of it. The ids that are not its own any more.
 */
export const SETTLE = consumerScript(`
local member, channel, from, to, leaving = ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11] == 'leave'
local stream = stream_of(channel)
local wanted, renewed, released, lost = {}, {}, false, {}
for at = 12, #ARGV do wanted[ARGV[at]] = true end
frees_memory()
local held = redis.pcall('XPENDING', stream, consumer, from, to, 2000, member)
local oldest = not held.err and held[1] and oldest_of(stream)

for _, one in ipairs(held.err and {} or held) do
  local entry, count = one[1], one[4]
  local kept = oldest and number_of(entry) >= number_of(oldest) -- claiming what is not kept would lose track of it
  if wanted[entry] then
    wanted[entry] = nil
    if kept then renewed[#renewed + 1] = entry end
  elseif kept then
    local back = math.max(count - 1, 0)
    redis.call('XCLAIM', stream, consumer, 'released', 0, entry, 'TIME', 0, 'RETRYCOUNT', back, 'JUSTID')
    released = true
  end
end
if #renewed > 0 then
  renewed[#renewed + 1] = 'JUSTID'
  redis.call('XCLAIM', stream, consumer, member, 0, unpack(renewed))
end
if released then redis.call('PUBLISH', root .. 'nudge:' .. consumer, channel) end
if leaving and not held.err and #redis.call('XPENDING', stream, consumer, '-', '+', 1, member) == 0 then
  redis.call('XGROUP', 'DELCONSUMER', stream, consumer, member) -- which would drop what it holds
end
for entry in pairs(wanted) do lost[#lost + 1] = entry end
return lost
`);

/** ARGV: channel, id. Whether it is still the worker's; it then counts one attempt more, and its time begins anew. */
export const RETRY = consumerScript(`
local member, stream, entry = ARGV[7], stream_of(ARGV[8]), ARGV[9]
frees_memory()
local held = pending(stream, entry)
if not held or held[2] ~= member then return 0 end
if is_kept(stream, entry) then
  redis.call('XCLAIM', stream, consumer, member, 0, entry, 'RETRYCOUNT', held[4] + 1, 'JUSTID')
end
return 1
`);

/**
 * ARGV: channel, id, the channel it goes to, payload, database, failure. 1 if it went; 0 if it is another worker's; -1 if
 * it was acknowledged already.
 */
export const GIVE_UP = consumerScript(`${PUBLISHING}
local member, stream, entry = ARGV[7], stream_of(ARGV[8]), ARGV[9]
local held = pending(stream, entry)
if not held then return -1 end
if held[2] ~= member then return 0 end
publish(ARGV[10], ARGV[11], ARGV[12], ARGV[13])
redis.call('XACK', stream, consumer, entry)
return 1
`);
