-- wrk script: requests with bearer tokens from a file, one a line. Arguments: the file, how many of its first
-- tokens are in constant use, the percentage of requests that use those, where to begin among the others, and how
-- many milliseconds a connection waits between two requests on average.
-- `done` prints one line of JSON.
local tokens, hot, percent, at_hot, at_cold = {}, 0, 100, 0, 0

function init(args)
  for line in io.lines(args[1]) do tokens[#tokens + 1] = line end
  hot, percent, at_cold = tonumber(args[2]), tonumber(args[3]), tonumber(args[4])
  math.randomseed(4711)
  local pause = tonumber(args[5])
  -- wrk asks for it wherever there is one.
  if pause > 0 then delay = function() return math.random(0, 2 * pause) end end
end

local headers = {
  ["Accept"] = "application/json",
  ["CF-Connecting-IP"] = "203.0.113.7",
  ["Accept-Encoding"] = "gzip, deflate, br",
  ["Accept-Language"] = "en-GB,en;q=0.9",
  ["User-Agent"] = "bench/1.0",
}

function request()
  local token
  if hot > 0 and math.random(100) <= percent then
    at_hot = at_hot % hot + 1
    token = tokens[at_hot]
  else
    at_cold = at_cold % (#tokens - hot) + 1
    token = tokens[hot + at_cold]
  end
  headers["Authorization"] = "Bearer " .. token
  return wrk.format("GET", nil, headers)
end

function done(summary, latency)
  local e = summary.errors
  print(string.format(
    '{"requests":%d,"seconds":%.6f,"p50_ms":%.3f,"p99_ms":%.3f,"failed":%d}',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    e.connect + e.read + e.write + e.status + e.timeout
  ))
end
