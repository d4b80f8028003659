/** How a worker gets its messages, in Lua; see `consumer-library.ts`. ARGV[7] is the member. */
import { consumerScript } from "./consumer-library.ts";

/**
 * ARGV: born, most entries, ack timeout in ms, in how many of the channels (the first ones) the worker goes in order,
 * channels … If the consumer born then is no more: {0, when the board's first consumer was made, the selection of another one of its
 * name, JSON without the first brace, or nothing}. Else {1, items, channels that may have more, 1 if the consumer has no other worker, channels where nobody else holds anything,
 * waits}; the last three are about going in order. An item is {channel, id, attempt, its fields}, or a gap
 * {channel, after} or {channel, after, next}; a wait is {channel, how many others hold, ms until the first of them may
 * be taken over, ms until all may}.
 */
export const TAKE = consumerScript(`
local member, most, patience, ordered = ARGV[7], tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local room, ahead = 4194304, 1048576 -- bytes in the answer, and looked at; the last may go beyond
local items, more, free, waits, places = {}, {}, {}, {}, {}

frees_memory()
local start, born, selection = birth()
if born ~= ARGV[8] then return {0, redis.call('HGET', consumers, '') or '', selection or ''} end

local function has_room() return most > 0 and room > 0 end

local function tell_gap(place, after, next)
  items[#items + 1] = {place.channel, id(after), next}
end

local function field_of(entry, name)
  for at = 1, #entry[2], 2 do
    if entry[2][at] == name then return entry[2][at + 1] end
  end
  return nil
end

local function size_of(entry)
  local size = 0
  for _, field in ipairs(entry[2]) do size = size + #field end
  return size
end

local function hand_out(place, entry, attempt)
  items[#items + 1] = {place.channel, entry[1], attempt, entry[2]}
  most = most - 1
  room = room - size_of(entry)
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
  local kept = is_kept(place.stream, entry)
  -- nothing, if somebody took it out of the stream by hand
  local claimed = kept and redis.call('XCLAIM', place.stream, consumer, member, 0, entry)[1]
  if claimed then
    hand_out(place, claimed, count + 1)
  elseif kept or not is_alive(holder) then
    redis.call('XACK', place.stream, consumer, entry)
    tell_gap(place, number_of(entry) - 1, oldest_of(place.stream))
  end
end

-- who listens, beside ourselves
local function is_alone()
  local heard = redis.call('PUBSUB', 'NUMSUB', root .. 'nudge:' .. consumer, root .. 'worker:' .. consumer .. '\\n' .. member)
  return heard[2] <= heard[4]
end

-- ms that are left to a holder to renew, by its own measure and by ours
local function time_left(holder, idle)
  if holder == 'released' then return 0 end
  return math.max(patience, tonumber(string.match(holder, ':(%d+)$')) or 0) - idle
end

-- notes what others hold from an entry on; so many at most are counted
local function wait_for(place, entry, left)
  local count, longest = 0, left
  for _, held in ipairs(redis.call('XPENDING', place.stream, consumer, entry, '+', 2000)) do
    if held[2] ~= member and held[2] ~= 'released' then
      count, longest = count + 1, math.max(longest, time_left(held[2], held[3]))
    end
  end
  waits[#waits + 1] = {place.channel, count, left, longest}
end

-- what others hold and did not renew in time; in order: up to the first that has time left. Whether that was "all", "some" if
-- there may be more, or all that can be had before it is time to "wait"
local function take_over_all(place, in_order)
  local from = '-'
  while has_room() do
    local page = redis.call('XPENDING', place.stream, consumer, 'IDLE', in_order and 0 or patience, from, '+', 100)
    for _, held in ipairs(page) do
      local entry, holder, idle, count = unpack(held)
      local left = time_left(holder, idle)
      if not has_room() then return 'some' end
      if holder ~= member and left <= 0 then
        take_over(place, entry, holder, count)
      elseif holder ~= member and in_order then
        wait_for(place, entry, left)
        return 'wait'
      end
    end
    if #page < 100 then return 'all' end
    from = '(' .. page[100][1]
  end
  return 'some'
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
  if (tonumber(field_of(entry, 'before')) or 0) > place.position then
    tell_gap(place, place.position, entry[1])
    recount(place, entry[1])
  end
  place.position, place.moved = number_of(entry[1]), true
  hand_out(place, entry, 1)
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
    ahead = ahead - size_of(next)
  end
end

local function first_of_all()
  local first
  for _, place in ipairs(places) do
    if place.next and (not first or place.next < first.next) then first = place end
  end
  return first
end

local alone = ordered > 0 and is_alone()
for at = 12, #ARGV do
  local place, in_order, had = has_room() and open(ARGV[at]), alone and at < 12 + ordered, 'all'
  if place == false then
    had = 'some'
  elseif place and place.holds then
    had = take_over_all(place, in_order)
  end
  if had == 'some' then more[#more + 1] = ARGV[at] end
  if had == 'all' and place then places[#places + 1] = place end
  if had == 'all' and in_order then free[#free + 1] = ARGV[at] end
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
    if channel ~= '' and newest_of(channel) == 0 then redis.call('HDEL', positions, channel) end
  end
end
return {1, items, more, alone and 1 or 0, free, waits}
`);
