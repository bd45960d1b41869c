-- SPDX-License-Identifier: MIT
--- Why a request gave no response.

local errors = require "futures.errors"

---@alias futures.FetchErrorKind
---| "url" # not a URL
---| "scheme" # neither http nor https; not https, for HTTP/2
---| "connect" # refused, unreachable
---| "dns" # the name has no address
---| "timeout" # see `phase`
---| "denied" # a private address under `deny_private`
---| "io" # a file of `output` or `multipart`
---| "tls" # no secure connection: certificate, handshake
---| "redirect" # too many, or to where none may lead
---| "truncated" # the body is shorter than announced
---| "protocol" # not HTTP, not the version that was asked for, or its gzip is no good
---| "too_large" # body or headers over the limit
---| "status" # 4xx or 5xx under `raise_for_status`
---| "shutdown" # the session was closed
---| "forked" # the request is that of the parent of this process

---@class futures.FetchError : futures.Error
---@field kind futures.FetchErrorKind
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
