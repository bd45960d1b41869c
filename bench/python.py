# SPDX-License-Identifier: MIT
"""The same work on concurrent.futures.

Usage: python.py threads|processes WORKLOAD   prints "workload value"

A rate does not depend on the count, so the slow ones get fewer tasks.
"""

import functools
import gc
import sys
import threading
import time
from concurrent import futures
from statistics import median

WORKERS = 2
THREADS = sys.argv[1] == "threads"
Executor = futures.ThreadPoolExecutor if THREADS else futures.ProcessPoolExecutor
TASKS = 100_000 if THREADS else 10_000
TRIPS = 10_000 if THREADS else 2_000
ITEMS = 100_000 if THREADS else 1_000_000
NOTHING_TRAVELS = "nothing is copied between its threads"

now = time.perf_counter


def sample(run):
    """The median of three figures, after one that does not count."""
    run()
    return median([run(), run(), run()])


def rate(submit, wait):
    def run():
        start = now()
        wait([submit(i) for i in range(TASKS)])
        return TASKS / (now() - start)

    return sample(run)


def identity(x):
    return x


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def results(fs):
    for f in fs:
        f.result()


def probe(pool):
    return pool.submit(identity, 1).result()


def noop(pool):
    return rate(lambda i: pool.submit(identity, i), results)


def closure(pool):
    def submit_lambda(i):
        return pool.submit(lambda: i)

    def submit_partial(i):
        return pool.submit(functools.partial(identity, i))

    return rate(submit_lambda if THREADS else submit_partial, results)


def roundtrip(pool):
    def run():
        times = []
        for i in range(TRIPS):
            start = now()
            pool.submit(identity, i).result()
            times.append(now() - start)
        return median(times) * 1e6

    return sample(run)


def records(pool):
    if THREADS:
        return NOTHING_TRAVELS
    rows = [{"id": i, "name": f"name {i}", "v": i / 2} for i in range(1, 10_001)]

    def run():
        start = now()
        for _ in range(10):
            assert len(pool.submit(identity, rows).result()) == len(rows)
        return 10 * len(rows) / (now() - start)

    return sample(run)


def string1mb(pool):
    if THREADS:
        return NOTHING_TRAVELS
    text = b"x" * (1 << 20)

    def run():
        start = now()
        for _ in range(5):
            results([pool.submit(len, text) for _ in range(16)])
        return 5 * 16 * len(text) / (now() - start) * 1e-9

    return sample(run)


def map_small(pool):
    def run():
        start = now()
        total = sum(pool.map(identity, range(ITEMS), chunksize=1000))
        assert total == ITEMS * (ITEMS - 1) // 2
        return ITEMS / (now() - start)

    return sample(run)


def as_completed(pool):
    def wait(fs):
        assert sum(1 for _ in futures.as_completed(fs)) == len(fs)

    return rate(lambda i: pool.submit(identity, i), wait)


def fib_speedup(pool):
    if THREADS:
        return "one interpreter lock"
    probe(pool)
    start = now()
    for _ in range(16):
        fib(30)
    middle = now()
    results([pool.submit(fib, 30) for _ in range(16)])
    return (middle - start) / (now() - middle)


def start_worker(_):
    rounds = 200 if THREADS else 10

    def run():
        start = now()
        for i in range(rounds):
            with Executor(1) as ex:
                ex.submit(identity, i).result()
        return (now() - start) / rounds * 1e6

    return sample(run)


def resident():
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * 4096


def memory(_):
    if not THREADS:
        return "nothing holds its worker back"
    gate = threading.Event()
    with Executor(1) as ex:
        ex.submit(gate.wait)
        gc.collect()
        before = resident()
        fs = [ex.submit(identity, i) for i in range(TASKS)]
        per_task = (resident() - before) / len(fs)
        gate.set()
    return per_task


WORKLOADS = {
    "probe": probe,
    "noop": noop,
    "closure": closure,
    "roundtrip": roundtrip,
    "records": records,
    "string1mb": string1mb,
    "map_small": map_small,
    "as_completed": as_completed,
    "fib": fib_speedup,
    "start": start_worker,
    "memory": memory,
}


def main():
    name = sys.argv[2]
    with Executor(WORKERS) as pool:
        figure = WORKLOADS[name](pool)
    print(name, "skip " + figure if isinstance(figure, str) else f"{figure:.6g}")


if __name__ == "__main__":
    main()
