/** What a run of any script begins and ends with. */

/** The header, the clock, and ids: the beginning of every script. */
export const LIBRARY = `
local call = redis.call
local root, by = ARGV[1], ARGV[2]
local changes_kept, messages_kept, age_kept = ARGV[3], ARGV[4], tonumber(ARGV[5])

local clock = call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local oldest_kept = math.max(now - age_kept, 0)
local chance = tonumber(clock[2]) % 64
local lucky = chance == 0 -- one operation in 64 does the slower tidying
local finish              -- what is left to do when the script has done its work

-- A full server refuses a script at its first write and never later, so the first write decides. This one is refused
-- and changes nothing; without it a script that begins with a HDEL would write past the limit.
local function needs_memory()
  call('SETRANGE', root .. 'id', 0, '')
end

-- This one is let through: deleting must work on a full server, although it is logged.
local function frees_memory()
  call('UNLINK', root .. 'nothing')
end

-- tostring() would round: 1.8e+15. The same number is wanted as text several times, and formatting is slow: less so in two halves, each an
-- integer of 32 bits, than as a floating point number.
local texts = {}
local function text(number)
  local known = texts[number]
  if not known then
    if number < 1e8 then
      known = string.format('%d', number)
    else
      known = string.format('%d%08d', math.floor(number / 1e8), number % 1e8)
    end
    texts[number] = known
  end
  return known
end

-- the id of a log entry: the milliseconds, and a number within the millisecond
local known_number, known_id
local function id(number)
  if number ~= known_number then
    known_number, known_id = number, string.format('%s-%d', text(math.floor(number / 1024)), number % 1024)
  end
  return known_id
end

-- so many numbers in a row, the first of which is returned; they grow strictly whatever the clock does
local function draw(count)
  local last = tonumber(call('GET', root .. 'id') or 0)
  local first = math.max(last + 1, now * 1024)
  call('SET', root .. 'id', text(first + count - 1))
  return first
end

local function next_number()
  return draw(1)
end
`;

/** Several operations in one run. One that fails does so alone. */
export const STEPS = `
-- what it returns, or "-" and the reason, as the server would have said it
local function attempt(step, ...)
  local is_done, outcome = pcall(step, ...)
  if is_done then return outcome end
  return '-' .. (type(outcome) == 'table' and outcome.err or tostring(outcome))
end
`;

/** The end of every script. */
export const ENDING = `
local outcome = run()
if finish then finish() end
return outcome
`;
