/**
 * What the scripts of consumers share. A consumer is a Redis consumer group of its name on each channel's stream, made when
 * the channel is first read, and a position in each channel, which outlives a stream that expires. The changes of keys are one
 * channel, without a name; a consumer has either these or messages.
 *
 * All get, behind the board's header, ARGV[6] the consumer. A *member* is a worker's name in the groups,
 * `<agent>#<8 hex digits>:<its ack timeout in ms>`; what was given back is held by the member `released`.
 */
import { STREAM_OF } from "./log-library.ts";
import { type Script, script } from "./scripts.ts";

/** Holds what was given back. No worker has this name. */
export const RELEASED = "released";

const CONSUMING = `
local consumer = ARGV[6]
local consumers = root .. 'consumers'              -- hash: name -> {"start":<number>,"born":<number>,<selection>
local positions = root .. 'positions:' .. consumer -- hash: channel -> number of the last entry handed out

${STREAM_OF}
local function number_of(entry)
  local ms, rest = string.match(entry, '^(%d+)-(%d+)$')
  return tonumber(ms) * 1024 + tonumber(rest)
end

-- where a consumer began, when it was made, and its selection, JSON without the first brace; all as text
local function birth()
  local known = redis.call('HGET', consumers, consumer) or ''
  return string.match(known, '^{"start":(%d+),"born":(%d+),(.*)$')
end

local function newest_of(channel)
  return tonumber(redis.call('ZSCORE', root .. 'channels', channel) or 0)
end

-- its id, if there is one
local function oldest_of(stream)
  local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
  return first and first[1]
end

local function is_kept(stream, entry)
  local oldest = oldest_of(stream)
  return oldest and number_of(oldest) <= number_of(entry)
end

-- {id, member, ms since it was handed out, how often} of an entry that is not acknowledged; nil if it is
local function pending(stream, entry)
  return redis.pcall('XPENDING', stream, consumer, entry, entry, 1)[1]
end
`;

export function consumerScript(body: string): Script {
  return script(`${CONSUMING}${body}`);
}
