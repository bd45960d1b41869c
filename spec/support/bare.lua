-- SPDX-License-Identifier: MIT
-- Bare futures that are done already.

local futures = require "futures"

local bare = {}

function bare.finished(...)
    local f = futures.Future()
    f:set_result(...)
    return f
end

function bare.failed(err)
    local f = futures.Future()
    f:set_exception(err)
    return f
end

function bare.cancelled()
    local f = futures.Future()
    assert(f:cancel())
    return f
end

return bare
