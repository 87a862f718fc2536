-- One decision over all limits of a key: it is taken from all buckets, or from none.
--
-- KEYS: a bucket a limit. ARGV: the cost, then units, period in microseconds and burst of each limit.
-- Answers: 1 when admitted, else 0; microseconds to wait, -1 for ever; then of each limit what is left, and
-- microseconds until it is full.
--
-- A bucket holds when it will be full: whole microseconds of the server's clock, and n-ths of one, n being the units of
-- a period. What is kept is whole and below 2^53, so that it is never rounded, and no rate drifts: see gcra.rs. What is
-- only compared may be larger, and is then off by less than a millionth of a unit.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local cost = tonumber(ARGV[1])
local buckets, wait, never = {}, 0, false

for i, key in ipairs(KEYS) do
  local units, period, burst = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1])
  local full, nths = now, 0
  local held = redis.call('GET', key)
  if held then
    local stored, part = string.match(held, '^(%d+) (%d+)$')
    if stored and tonumber(stored) >= now then
      full, nths = tonumber(stored), tonumber(part)
    end
  end
  -- The clock was set back, or another server with another clock has taken over: no bucket misses more than all.
  if (full - now) * units + nths > burst * period then
    local refill = burst * period
    full, nths = now + math.floor(refill / units), math.fmod(refill, units)
  end
  local interval = math.floor(period / units)
  local more = nths + cost * (period - interval * units)
  local bucket = {
    full = full + cost * interval + math.floor(more / units),
    nths = math.fmod(more, units),
    before = (full - now) * units + nths,
    units = units, period = period, capacity = burst * period,
  }
  bucket.after = (bucket.full - now) * units + bucket.nths
  if cost > burst then
    never = true
  elseif bucket.after > bucket.capacity then
    wait = math.max(wait, math.ceil((bucket.after - bucket.capacity) / units))
  end
  buckets[i] = bucket
end

local admitted = wait == 0 and not never
local answer = { admitted and 1 or 0, never and -1 or wait }
for i, bucket in ipairs(buckets) do
  local missing = admitted and bucket.after or bucket.before
  if admitted and missing > 0 then
    local value = string.format('%.0f %.0f', bucket.full, bucket.nths)
    redis.call('SET', KEYS[i], value, 'PX', string.format('%.0f', math.ceil(missing / bucket.units / 1000) + 1))
  end
  answer[2 * i + 1] = math.floor((bucket.capacity - missing) / bucket.period)
  answer[2 * i + 2] = math.ceil(missing / bucket.units)
end
return answer
