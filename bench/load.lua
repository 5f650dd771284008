-- wrk's requests: unique keys, wallets chosen uniformly from a file, the whole request put together
-- here because wrk.format would build it from a table of headers each time.
--
-- wrk … -s load.lua URL -- KIND PREFIX SEED WALLETS KEY
-- KIND: uniform, credit-one, debit-one (the first wallet is the one), sessions.
-- PREFIX makes keys unique between runs; the thread's number and a counter do so within one.

local SESSIONS_BEHIND = 1024 -- more than there are connections: its reservation was answered before
local threads = 0

function setup(thread)
  thread:set("thread_number", threads)
  threads = threads + 1
end

local kind, prefix, head
local wallets = {}
local counter = 0

function init(args)
  kind, prefix = args[1], args[2] .. "-" .. thread_number .. "-"
  math.randomseed(tonumber(args[3]) + thread_number)
  for line in io.lines(args[4]) do
    wallets[#wallets + 1] = line
  end
  head = " HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " .. args[5]
    .. "\r\nContent-Type: application/json\r\nContent-Length: "
end

local function post(path, body)
  return "POST " .. path .. head .. #body .. "\r\n\r\n" .. body
end

local function two_wallets()
  local from = math.random(#wallets)
  local to = math.random(#wallets - 1)
  if to >= from then
    to = to + 1
  end
  return wallets[from], wallets[to]
end

local function transfer(from, to, session)
  return post("/v1/transfers", '{"fromWalletId":"' .. from .. '","toWalletId":"' .. to
    .. '","amount":"0.01","externalUniqueId":"' .. prefix .. counter .. '"' .. session .. "}")
end

local function other_wallet()
  return wallets[math.random(2, #wallets)]
end

-- A reservation, then a transfer that spends one made a while ago; always on the session's wallet.
local function of_a_session()
  local number = math.floor(counter / 2)
  if counter % 2 == 0 then
    local wallet = wallets[number % #wallets + 1]
    return post("/v1/wallets/" .. wallet .. "/reservations", '{"amount":"0.02","sessionId":"' .. prefix
      .. number .. '","expires":"2999-01-01T00:00:00Z","externalUniqueId":"' .. prefix .. counter .. '"}')
  end
  local spent = number - SESSIONS_BEHIND
  if spent < 0 then
    local from, to = two_wallets()
    return transfer(from, to, "")
  end
  return transfer(wallets[spent % #wallets + 1], wallets[(spent + 1) % #wallets + 1],
    ',"sessionId":"' .. prefix .. spent .. '"')
end

function request()
  counter = counter + 1
  if kind == "sessions" then
    return of_a_session()
  elseif kind == "credit-one" then
    return transfer(other_wallet(), wallets[1], "")
  elseif kind == "debit-one" then
    return transfer(wallets[1], other_wallet(), "")
  end
  local from, to = two_wallets()
  return transfer(from, to, "")
end

-- One line of JSON: counts, and latencies in microseconds.
function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"duration_us":%d,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d,'
      .. '"p50":%d,"p90":%d,"p99":%d,"p999":%d,"max":%d,"mean":%.1f}\n',
    summary.requests, summary.duration, e.connect, e.read, e.write, e.status, e.timeout,
    latency:percentile(50), latency:percentile(90), latency:percentile(99), latency:percentile(99.9),
    latency.max, latency.mean))
end
