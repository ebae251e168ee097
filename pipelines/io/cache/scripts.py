"""What is done in one step inside Redis. One server, or a primary with replicas; not a cluster (keys are computed)."""

from __future__ import annotations

WRITE = """
local profile, version, until_ms, gone_ms, count = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local key = 'tidemark:' .. profile .. ':s'
local floor = redis.call('GET', 'tidemark:floor')
if floor and version < floor then return 0 end
local known = redis.call('HGET', key, '_v')
if known and known >= version then return 0 end

local former = redis.call('HGET', key, '_ids') or ''
redis.call('DEL', key)

local claimed, ids = {}, ''
if count > 0 then
  for place = 6 + 2 * count, #ARGV do
    local pointer = 'tidemark:i:' .. ARGV[place]
    local owner = redis.call('GET', pointer)
    local newer = false
    if owner and owner ~= profile then
      local said = redis.call('HGET', 'tidemark:' .. owner .. ':s', '_v')
      newer = said and said > version
    end
    if not newer then
      if until_ms == '' then redis.call('SET', pointer, profile)
      else redis.call('SET', pointer, profile, 'PXAT', until_ms) end
      claimed[ARGV[place]] = true
      ids = ids .. '\\0' .. ARGV[place]
    end
  end
  redis.call('HSET', key, '_v', version, '_ids', ids)
  for place = 6, 4 + 2 * count, 2 do redis.call('HSET', key, ARGV[place], ARGV[place + 1]) end
  if until_ms ~= '' then redis.call('PEXPIREAT', key, until_ms) end
else
  redis.call('HSET', key, '_v', version)
  redis.call('PEXPIRE', key, gone_ms)
end

for id in string.gmatch(former, '[^%z]+') do
  local pointer = 'tidemark:i:' .. id
  if not claimed[id] and redis.call('GET', pointer) == profile then redis.call('DEL', pointer) end
end
return 1
"""
"""Profile, version, when to forget it (ms; '' never), for how long a tombstone stays (ms), number of segments, pairs of
segment and value, identifiers. 1: written; 0: something newer is there.

A profile in no segment leaves its version only (a tombstone), so that what is older cannot bring it back. An identifier
goes to whoever said last that it was theirs: the version of a pointer is the version of the profile it points to.
"""

READ = """
local answers, found = {redis.call('GET', 'tidemark:ready') or ''}, false
for place = 1, #ARGV do
  if ARGV[place] == '' then
    answers[#answers + 1] = found or {'', {}}
    found = false
  elseif not found then
    local profile = redis.call('GET', 'tidemark:i:' .. ARGV[place])
    if profile then found = {profile, redis.call('HGETALL', 'tidemark:' .. profile .. ':s')} end
  end
end
return answers
"""
"""Look-ups: of each the typed identifiers, of which the first one that is known counts, and an empty text behind them.
Whether the cache is complete, then of each the profile and its hash.
"""

BEGIN = """
local floor = redis.call('GET', 'tidemark:floor')
if not floor or floor < ARGV[1] then redis.call('SET', 'tidemark:floor', ARGV[1]) end
return 1
"""
"""A filling of this version begins: nothing older is written from now on."""

END = """
local ready = redis.call('GET', 'tidemark:ready')
if not ready or ready < ARGV[1] then redis.call('SET', 'tidemark:ready', ARGV[1]) end
return redis.call('GET', 'tidemark:floor') and 1 or 0
"""
"""A filling of this version is complete. 0: what it wrote was lost meanwhile."""
