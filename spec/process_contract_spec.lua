-- SPDX-License-Identifier: MIT
-- The executor contract, run against the process pool.

local futures = require "futures"

require "spec.executor_contract" {
    name = "ProcessPoolExecutor",
    kind = "process",
    new = function(options) return futures.ProcessPoolExecutor(options) end,
}
