/** The scripts of a worker about what it holds, in Lua; see `consumer-library.ts`. ARGV[7] is the member. */
import { consumerScript } from "./consumer-library.ts";
import { PUBLISHING } from "./log-library.ts";

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
redis.call('XACK', stream, consumer, '0-0') -- refused here, if at all: what a script has done before stays done
publish(ARGV[10], ARGV[11], ARGV[12], next_number(), ARGV[13])
redis.call('XACK', stream, consumer, entry)
return 1
`);
