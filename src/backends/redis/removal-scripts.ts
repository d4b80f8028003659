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

/**
 * KEYS[2…], each once; ARGV: "" or the ms a key must have been unwritten. The number deleted. Of many, those that nobody can hear of go
 * together, and nothing is said of them: followers of a replica, or of another node, would not be counted.
 */
export const DELETE = script(`${BOOKS}
local unwritten_for = tonumber(ARGV[6])
frees_memory()
sweep()

local function may_go(key)
  if not unwritten_for then return true end
  local number = written_by_us(key)
  return number and math.floor(tonumber(number) / 1024) <= now - unwritten_for
end

local function present(keys)
  local gone = absent(keys)
  if not gone[1] and not unwritten_for then return keys end
  if gone[1] then settle_all(gone) end
  local is_gone, there = {}, {}
  for _, key in ipairs(gone) do is_gone[key] = true end
  for _, key in ipairs(keys) do
    if not is_gone[key] and may_go(key) then there[#there + 1] = key end
  end
  return there
end

-- whether nobody is elsewhere who may hear of it, and whether nobody is here
local function silence(count)
  local info = count > 15 and redis.pcall('INFO')
  if type(info) ~= 'string' then return false, false end
  local function no(what) return string.find(info, '\\n' .. what .. ':0\\r', 1, true) end
  return no('repl_backlog_active') and no('cluster_enabled'), no('pubsub_channels') and no('pubsub_patterns')
end

local keys = present({unpack(KEYS, 2)})
if not keys[1] then return 0 end
local is_alone, is_unheard = silence(#keys)
local first, unheard = draw(#keys), {}
for at, key in ipairs(keys) do
  local number = first + at - 1
  local followers = is_alone and is_unheard and 0 or announce(key)
  if is_alone and followers == 0 then
    unheard[#unheard + 1] = key
    append('', number, 'kind', 'del', 'key', key, 'by', by)
  else
    call('UNLINK', key)
    log(number, 'del', key, nil, by, followers)
  end
end
if unheard[1] then call('UNLINK', unpack(unheard)) end
forget_all(keys, call('ZCARD', expiries) > 0 and keys or {})
return #keys
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
