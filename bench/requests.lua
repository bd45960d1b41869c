-- SPDX-License-Identifier: MIT
-- What is asked for in the workloads of fetch, for our contestant and for curl.

local server, slow = os.getenv("BENCH_URL"), os.getenv("BENCH_SLOW_URL")

--- URL, how many of them, how many in flight.
return {
    fetch_small = { url = (server or "") .. "/ok", count = 10000, parallel = 100 },
    fetch_slow = { url = (slow or "") .. "/delay/100", count = 1000, parallel = 1000 },
    fetch_large = { url = (server or "") .. "/100k.bin", count = 500, parallel = 50 },
    fetch_cpu = { url = (server or "") .. "/ok", count = 10000, parallel = 100 },
    fetch_cancel = { url = (slow or "") .. "/delay/60000", count = 1000, parallel = 1000 },
    fetch_interrupt = { url = (slow or "") .. "/delay/500", count = 10000, parallel = 200 },
    fetch_memory = { url = (slow or "") .. "/delay/3000", count = 1000, parallel = 1000 },
}
