/** What the scripts share that append to logs. */

/** The key of a channel's log; the changes count as the channel without a name. */
export const STREAM_OF = `
local function stream_of(channel)
  return channel == '' and root .. 'changes' or root .. 'channel:' .. channel
end
`;

/** Appending to a log: a channel's, or that of all changes. */
export const LOGGING = `${STREAM_OF}
local channels = root .. 'channels'
local newest, appended = {}, {} -- of each channel that this script appends to: number of the last entry, and how many

local function kept_of(channel)
  return channel == '' and changes_kept or messages_kept
end

-- Each entry names the one before it, so that a reader sees whether something went between. The rest are its other fields.
local function append(channel, number, ...)
  local kept, stream, before, entry = kept_of(channel), stream_of(channel), newest[channel], id(number)
  newest[channel], appended[channel] = number, (appended[channel] or 0) + 1
  if kept == '0' then return end
  if before then
    call('XADD', stream, entry, 'before', text(before), ...)
    return
  end
  before = call('ZSCORE', channels, channel) or '0'
  -- the first entry of each second tidies; readers look at the age themselves
  local is_tidy = math.floor(tonumber(before) / 1024000) == math.floor(now / 1000)
  if is_tidy and call('XADD', stream, 'NOMKSTREAM', 'MAXLEN', '=', kept, entry, 'before', before, ...) then return end
  call('XADD', stream, 'MAXLEN', '=', kept, entry, 'before', before, ...)
  call('XTRIM', stream, 'MINID', '=', text(oldest_kept))
  call('PEXPIRE', stream, age_kept + 1000)
end

finish = function()
  for channel, number in pairs(newest) do
    local kept = kept_of(channel)
    if kept ~= '0' and appended[channel] > 1 then call('XTRIM', stream_of(channel), 'MAXLEN', '=', kept) end
    call('ZADD', channels, text(number), channel)
  end
  if lucky and next(newest) then
    -- a day longer than the entries: a reader who was away that long must still be told that there were some
    call('ZREMRANGEBYSCORE', channels, '-inf', '(' .. text(math.max(oldest_kept - 86400000, 0) * 1024))
  end
end
`;

/**
 * Sending a message. Reports how many it was delivered to. The failure is JSON, or ''. The envelope is first of all, because a user's rights may end
 * here, and what a script has done before it fails stays done; then the message: nothing can come between these.
 */
export const PUBLISHING = `${LOGGING}
local function publish(channel, payload, database, number, failure)
  local envelope = database .. ' ' .. id(number) .. ' ' .. by
  if failure ~= '' then envelope = envelope .. '\\n' .. failure end
  call('PUBLISH', root .. 'envelope:' .. channel, envelope)
  local receivers = call('PUBLISH', channel, payload)
  if failure == '' then
    append(channel, number, 'payload', payload, 'by', by)
  else
    append(channel, number, 'payload', payload, 'by', by, 'failure', failure)
  end
  return receivers
end
`;
