-- SPDX-License-Identifier: MIT
--- Why a request gave no response.

local errors = require "futures.errors"

---@class futures.FetchError : futures.Error
---@field kind string one of: url scheme connect dns timeout denied io tls redirect truncated protocol too_large status
---@field message string what happened, with the method and the URL, without credentials
---@field url string where it happened: the last one of a chain of redirects
---@field attempt integer which attempt it was, from 1
---@field status? integer of a response that had begun
---@field bytes integer of its body, as far as it came
---@field retryable boolean may the same request succeed in a moment?
---@field code? integer libcurl's number, where the failure is libcurl's
---@field phase? string of a timeout: connect, first_byte, body or deadline
local FetchError = errors.subclass(errors.Error, "FetchError")

return { FetchError = FetchError }
