-- Requests of a VCS for wrk, 537 octets each. BATON_NEW=yes: each is a call of its own; BATON_CLOSE=yes: each has a
-- connection of its own; BATON_DELAY: milliseconds between an answer and the next request.
local head = "ALLOW_INTERWORKING=TRUE&AUTHENTICATED=TRUE&AUTHENTICATED_SOURCE_ALIAS=bob%40example.com" ..
  "&AUTHENTICATION_USER_NAME=bob&CLUSTER_NAME=vcs_cluster&DESTINATION_ALIAS=meet.sales%40example.com" ..
  "&GLOBAL_CALL_SERIAL_NUMBER="
local tail = "-b21c-11e0-91a2-000c29e127de&LOCAL_CALL_SERIAL_NUMBER=094f754a-b21c-11e0-91a2-000c29e127de" ..
  "&METHOD=INVITE&NETWORK_TYPE=IPV4&POLICY_TYPE=SEARCH&PROTOCOL=SIP&SOURCE_ADDRESS=192.0.2.10" ..
  "&SOURCE_IP=192.0.2.10&SOURCE_PORT=5061&TRAVERSAL_TYPE=TYPE_UNDEF" ..
  "&UTCTIME=2026-01-01%2000%3A00%3A00&ZONE_NAME=DefaultSubZone"
local is_new = os.getenv("BATON_NEW") == "yes"
local wait = tonumber(os.getenv("BATON_DELAY") or "0")
local headers = {
  ["Authorization"] = "Basic dmNzOnMzY3JldC1QYTU1",
  ["Content-Type"] = "application/x-www-form-urlencoded",
}
if os.getenv("BATON_CLOSE") == "yes" then headers["Connection"] = "close" end
local run = os.time() % 65536
local count = 0

request = function()
  local serial = "094f761c"
  if is_new then
    count = count + 1
    serial = string.format("%04x%06x", run, count)
  end
  return wrk.format("POST", "/policy", headers, head .. serial .. tail)
end

if wait > 0 then
  delay = function() return wait end
end

done = function(summary, latency)
  local bad = summary.errors.status + summary.errors.connect + summary.errors.read +
    summary.errors.write + summary.errors.timeout
  print(string.format("RESULT %.0f %d %d %d", summary.requests / summary.duration * 1e6,
    latency:percentile(50), latency:percentile(99), bad))
end
