-- wrk: clients that poll one job with its entity tag, each at a fixed pace.
-- args: KEY PATH PACE_MILLISECONDS (0: as fast as the service answers)
local etag
local pace
local others = {}

function init(args)
  wrk.path = args[2]
  wrk.headers["Authorization"] = "Bearer " .. args[1]
  pace = tonumber(args[3])
  statuses = {}
  math.randomseed(os.time() + tonumber(tostring(statuses):match("0x(%x+)"), 16) % 100000)
end

function delay()
  -- Spread, so that a thousand clients do not come at the same moment.
  if pace == 0 then return 0 end
  return math.random(math.floor(pace * 0.5), math.floor(pace * 1.5))
end

function request()
  if etag then wrk.headers["If-None-Match"] = etag end
  return wrk.format("GET")
end

function response(status, headers)
  statuses[status] = (statuses[status] or 0) + 1
  etag = headers["ETag"] or headers["etag"] or etag
end

local threads = {}
function setup(thread) table.insert(threads, thread) end

function done(summary, latency, requests)
  local all = {}
  for _, thread in ipairs(threads) do
    for status, count in pairs(thread:get("statuses")) do
      all[status] = (all[status] or 0) + count
    end
  end
  local parts = {}
  for status, count in pairs(all) do table.insert(parts, string.format('"%d": %d', status, count)) end
  io.write(string.format(
    'RESULT {"requests": %d, "seconds": %.3f, "p50_ms": %.2f, "p90_ms": %.2f, "p99_ms": %.2f, "p999_ms": %.2f, "max_ms": %.2f, "errors": {"connect": %d, "read": %d, "write": %d, "timeout": %d}, "statuses": {%s}}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(90) / 1e3,
    latency:percentile(99) / 1e3, latency:percentile(99.9) / 1e3, latency.max / 1e3,
    summary.errors.connect, summary.errors.read, summary.errors.write, summary.errors.timeout,
    table.concat(parts, ", ")))
end
