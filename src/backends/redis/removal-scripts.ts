/** The scripts that delete keys, in Lua; see `scripts.ts`. */
import { BOOKS, IS_EXPECTED, REFUSE } from "./script-library.ts";
import { script } from "./scripts.ts";

const REMOVING = `${BOOKS}
local function remove(key)
  local followers = announce(key)
  redis.call('UNLINK', key)
  log(next_number(), 'del', key, nil, by, followers)
  forget(key)
end
`;

/** KEYS[2…]; ARGV: "" or the ms a key must have been unwritten. The number deleted. */
export const DELETE = script(`${REMOVING}
local unwritten_for = tonumber(ARGV[6])
frees_memory()
sweep()

local function may_go(key)
  if not unwritten_for then return true end
  local number = written_by_us(key)
  return number and math.floor(tonumber(number) / 1024) <= now - unwritten_for
end

local deleted = 0
for at = 2, #KEYS do
  local key = KEYS[at]
  settle(key)
  if redis.call('EXISTS', key) == 1 and may_go(key) then
    remove(key)
    deleted = deleted + 1
  end
end
return deleted
`);

/** KEYS[2]; ARGV: the value it must have. {1}, or as SET says that a condition does not hold. */
export const DELETE_IF = script(`${REMOVING}
local key, expected = KEYS[2], ARGV[6]
frees_memory()
sweep()
settle(key)
if not (${IS_EXPECTED}) then ${REFUSE} end
remove(key)
return {1}
`);

/**
 * KEYS[2…]: candidates; ARGV: the greatest number of a write that made one, if they are in order, the oldest first; "foreign": those of
 * which no such number is known; or "any": all, foreign ones last. Deletes the first that is a plain string: {key, now, what DESCRIBE says
 * of a key}. Else how many are gone, or are others now.
 */
export const TAKE = script(`${REMOVING}
local wanted, candidates = ARGV[6], {unpack(KEYS, 2)}
frees_memory()
sweep()

local function made(key)
  return tonumber(redis.call('ZSCORE', firsts, key) or math.huge)
end

local function may_go(key)
  if wanted == 'any' then return true end
  if wanted == 'foreign' then return made(key) == math.huge end
  return made(key) <= tonumber(wanted)
end

if wanted == 'any' then
  local numbers = {}
  for _, key in ipairs(candidates) do numbers[key] = made(key) end
  table.sort(candidates, function(one, other) return numbers[one] < numbers[other] end)
end

local gone = 0
for _, key in ipairs(candidates) do
  settle(key)
  local kind = redis.call('TYPE', key).ok
  if kind == 'string' and may_go(key) then
    local value, ttl, number, author = redis.call('GET', key), redis.call('PTTL', key), written_by_us(key)
    remove(key)
    return {key, now, {ttl, #value, number or false, author or false, value}}
  end
  if kind == 'string' or kind == 'none' then gone = gone + 1 end
end
return gone
`);
