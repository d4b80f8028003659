/** The scripts about consumers as a whole, in Lua; see `consumer-library.ts`. */
import { consumerScript } from "./consumer-library.ts";

/**
 * ARGV: "start" | "now", the selection as JSON. As text: when the consumer was made, and when the board's first one was; and how
 * many workers it has already. The second, kept under the name that no consumer has, tells a consumer that was deleted from a server that
 * lost its data. Or why not: "kind" if it follows messages instead of keys, or the other way round, "keys" if it has workers that watch others.
 * Without such workers it is made anew for other keys, where it is, so that a worker that comes back ends.
 */
export const JOIN = consumerScript(`
local begin, selection = ARGV[7], string.sub(ARGV[8], 2)
local workers = redis.call('PUBSUB', 'NUMSUB', root .. 'nudge:' .. consumer)[2]
local start, born, known = birth()

local function is_of_keys(one) return string.sub(one, 1, 7) == '"keys":' end

local of_keys = is_of_keys(selection)
local differs = start and of_keys and known ~= selection
if start and is_of_keys(known) ~= of_keys then return {'kind'} end
if differs and workers > 0 then return {'keys'} end
needs_memory()
redis.call('HSETNX', consumers, '', text(now))
if not start then
  local last = redis.call('GET', root .. 'id')
  start = begin == 'now' and last ~= '' and last or '0'
  if of_keys then -- one position for all of them: from here, whichever change comes first
    redis.pcall('XGROUP', 'DESTROY', stream_of(''), consumer) -- left over from a deleted consumer of this name
    redis.call('HSET', positions, '', start)
  end
end
if differs or not born then born = text(next_number()) end
redis.call('HSET', consumers, consumer, '{"start":' .. start .. ',"born":' .. born .. ',' .. selection)
return {born, redis.call('HGET', consumers, ''), workers}
`);

/** Names and what is known of each, in turn; the empty name is no consumer's. */
export const CONSUMERS = consumerScript(`
return redis.call('HGETALL', consumers)
`);

/** The channels that it had groups in, to be dissolved; nil if there is no such consumer. */
export const FORGET = consumerScript(`
frees_memory()
if redis.call('HDEL', consumers, consumer) == 0 then return false end
local channels = redis.call('HKEYS', positions)
redis.call('UNLINK', positions)
redis.call('PUBLISH', root .. 'nudge:' .. consumer, '')
return channels
`);

/** ARGV: channels … Nothing is done if the consumer is there again. */
export const DISSOLVE = consumerScript(`
if birth() then return 0 end
for at = 7, #ARGV do redis.pcall('XGROUP', 'DESTROY', stream_of(ARGV[at]), consumer) end
return 1
`);

/**
 * ARGV: cursor, ack timeout in ms. Of the channels it has read: the next cursor, and those with something new or with
 * something that was not renewed in time.
 */
export const LOOK = consumerScript(`
local step = redis.call('HSCAN', positions, ARGV[7], 'COUNT', 100)
local found = {}
for at = 1, #step[2], 2 do
  local channel, position = step[2][at], tonumber(step[2][at + 1])
  local late = redis.pcall('XPENDING', stream_of(channel), consumer, 'IDLE', ARGV[8], '-', '+', 1)
  if newest_of(channel) > position or (not late.err and late[1]) then found[#found + 1] = channel end
end
return {step[1], found}
`);

/**
 * ARGV: channels … Of each: {its position as a number, pending, messages behind the position or nil where they must be
 * counted, member, what it holds, member, …}.
 */
export const FACTS = consumerScript(`
local start = birth() or '0'

local function lag_of(stream, position, newest, groups)
  local oldest = oldest_of(stream)
  if newest <= position or not oldest then return 0 end
  local length = redis.call('XLEN', stream)
  if number_of(oldest) > position then return length end
  local lag = groups and groups.lag
  return lag and math.min(lag, length) or false
end

local function group_in(stream)
  local groups = redis.pcall('XINFO', 'GROUPS', stream)
  for _, group in ipairs(groups.err and {} or groups) do
    local facts = {}
    for at = 1, #group, 2 do facts[group[at]] = group[at + 1] end
    if facts.name == consumer then return facts end
  end
end

local answers = {}
for at = 7, #ARGV do
  local stream, newest = stream_of(ARGV[at]), newest_of(ARGV[at])
  redis.pcall('XTRIM', stream, 'MINID', '=', text(oldest_kept)) -- a replica may not, and counts what is too old
  local position = redis.call('HGET', positions, ARGV[at]) or start
  local group = group_in(stream)
  local facts = {position, group and group.pending or 0, lag_of(stream, tonumber(position), newest, group)}
  for _, one in ipairs(group and redis.call('XINFO', 'CONSUMERS', stream, consumer) or {}) do
    facts[#facts + 1] = one[2]
    facts[#facts + 1] = one[4]
  end
  answers[#answers + 1] = facts
end
return answers
`);

/** ARGV: channel, id. How many messages are behind it; or, if they are many, of how many, and the id to go on behind. */
export const COUNT = consumerScript(`
local stream, from, page, count, room = stream_of(ARGV[7]), ARGV[8], 1, 0, 1048576
while room > 0 and count < 2000 do
  local entries = redis.call('XRANGE', stream, '(' .. from, '+', 'COUNT', page)
  for _, entry in ipairs(entries) do
    for _, field in ipairs(entry[2]) do room = room - #field end
  end
  count = count + #entries
  if #entries < page then return {count} end
  from = entries[page][1]
  page = math.min(page * 2, 256)
end
return {count, from}
`);
