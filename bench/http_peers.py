# SPDX-License-Identifier: MIT
"""The same requests by Python's clients: requests in threads, aiohttp, pycurl's multi handle.

Usage: http_peers.py requests|aiohttp|pycurl WORKLOAD   prints "workload value"
"""

import asyncio
import importlib
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

CLIENT, WORKLOAD = sys.argv[1:3]
SERVER, SLOW = os.environ.get("BENCH_URL", ""), os.environ.get("BENCH_SLOW_URL", "")
JOBS = {  # URL, how many of them, how many in flight
    "fetch_small": (SERVER + "/ok", 10_000, 100),
    "fetch_slow": (SLOW + "/delay/100", 1_000, 1_000),
    "fetch_large": (SERVER + "/100k.bin", 500, 50),
    "fetch_cpu": (SERVER + "/ok", 10_000, 100),
    "fetch_memory": (SLOW + "/delay/3000", 1_000, 1_000),
}
library = importlib.import_module(CLIENT)


def by_requests(url, count, parallel):
    here = threading.local()

    def get(_):
        if not hasattr(here, "session"):
            here.session = library.Session()
        answer = here.session.get(url)
        assert answer.status_code == 200
        return answer.content

    with ThreadPoolExecutor(parallel) as pool:
        return list(pool.map(get, range(count)))


def by_aiohttp(url, count, parallel):
    async def get(session):
        async with session.get(url) as answer:
            assert answer.status == 200
            return await answer.read()

    async def all_of_them():
        connector = library.TCPConnector(limit=parallel)
        async with library.ClientSession(connector=connector) as session:
            return await asyncio.gather(*(get(session) for _ in range(count)))

    return asyncio.run(all_of_them())


def by_pycurl(url, count, parallel):
    multi, bodies, begun = library.CurlMulti(), [], 0
    multi.setopt(library.M_MAXCONNECTS, parallel)
    free = [library.Curl() for _ in range(min(count, parallel))]
    while len(bodies) < count:
        while free and begun < count:
            easy = free.pop()
            easy.body = BytesIO()
            easy.setopt(library.URL, url)
            easy.setopt(library.WRITEDATA, easy.body)
            multi.add_handle(easy)
            begun += 1
        multi.perform()
        left = 1
        while left:
            left, done, failed = multi.info_read()
            assert not failed, failed
            for easy in done:
                multi.remove_handle(easy)
                bodies.append(easy.body.getvalue())
                free.append(easy)
        multi.select(1.0)
    return bodies


def resident_kb():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4


def memory(fetch_all, url, count, parallel):
    """Kilobytes of a transfer in flight, looked at when none is answered yet."""
    seen = []
    before = resident_kb()
    looker = threading.Timer(2, lambda: seen.append(resident_kb()))
    looker.start()
    fetch_all(url, count, parallel)
    looker.join()
    return (seen[0] - before) / count


def main():
    fetch_all = {"requests": by_requests, "aiohttp": by_aiohttp, "pycurl": by_pycurl}[CLIENT]
    if WORKLOAD not in JOBS:
        return "1" if WORKLOAD == "probe" else "skip not measured"
    url, count, parallel = JOBS[WORKLOAD]
    fetch_all(SERVER + "/ok", 1, 1)
    if WORKLOAD == "fetch_memory":
        return memory(fetch_all, url, count, parallel)
    start, cpu_start = time.perf_counter(), time.process_time()
    bodies = fetch_all(url, count, parallel)
    assert len(bodies) == count
    if WORKLOAD == "fetch_cpu":
        return (time.process_time() - cpu_start) / count * 1e6
    return time.perf_counter() - start


print(WORKLOAD, main())
