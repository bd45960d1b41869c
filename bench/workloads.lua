-- SPDX-License-Identifier: MIT
-- What is measured, in the order of the table. `better` says which way is up. A goal of ours is
-- a figure; one against another contestant is how many times better than it we want to be.

return {
    {
        name = "noop",
        text = "100,000 no-op tasks, submit all, then result all",
        unit = "tasks/s",
        better = "more",
        goals = {
            ["ours threads"] = 1e6,
            ["ours processes"] = 300e3,
            limit = 0.6,
            luv = 2,
            ["python threads"] = 10,
        },
    },
    {
        name = "closure",
        text = "the same with a fresh closure with one upvalue a task",
        unit = "tasks/s",
        better = "more",
        goals = { ["ours threads"] = 0.5e6 },
    },
    {
        name = "roundtrip",
        text = "submit one no-op task and take its result, median",
        unit = "us",
        better = "less",
        goals = { ["ours threads"] = 8, ["ours processes"] = 40, limit = 1 / 1.5, luv = 1 },
    },
    {
        name = "records",
        text = "10,000 records {id=, name=, v=} as one argument out and back",
        unit = "records/s",
        better = "more",
        goals = { ["ours threads"] = 1.2e6, luv = 2 },
    },
    {
        name = "string1mb",
        text = "strings of 1 MB to the workers, 16 in flight",
        unit = "GB/s",
        better = "more",
        goals = { ["ours threads"] = 12, ["ours processes"] = 3 },
    },
    {
        name = "map_small",
        text = "map of 1,000,000 small items, chunksize 1000",
        unit = "items/s",
        better = "more",
        goals = { ["ours threads"] = 5e6, ["ours processes"] = 4e6 },
    },
    {
        name = "as_completed",
        text = "100,000 no-op tasks, submit all, then as_completed",
        unit = "tasks/s",
        better = "more",
        goals = { ["ours threads"] = 0.5e6 },
    },
    {
        name = "fib",
        text = "16 x fib(30), speed-up of 2 workers over a plain loop",
        unit = "times",
        better = "more",
        goals = { ["ours threads"] = 1.95 },
    },
    {
        name = "start",
        text = "a pool of 1 worker made, one task run, the pool shut down",
        unit = "us",
        better = "less",
        goals = { ["ours threads"] = 90 },
    },
    {
        name = "memory",
        text = "resident memory of a pending task with one small argument, of 100,000",
        unit = "bytes",
        better = "less",
        goals = { ["ours threads"] = 400 },
    },
}
