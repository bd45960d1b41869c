-- SPDX-License-Identifier: MIT
--- The error classes of the library.
-- An error object is a table with `name` and `message` whose metatable is its class. The
-- classes are fields of this module, so an object that travels to another Lua state has the
-- same class there.

local errors = {}

-- class → the class above it; an entry for every error class, `false` at the root
local parents = {}

local function describe(self)
    return self.name .. ": " .. tostring(self.message)
end

local function class_name(class)
    return "error class " .. rawget(class, "name")
end

local function new_class(parent, name)
    local class = { name = name, message = "", __name = name, __tostring = describe }
    class.__index = class
    parents[class] = parent or false
    return setmetatable(class, { __index = parent, __tostring = class_name })
end

--- A new class below `parent`. Keep it as a field of a loaded module if its objects are to
--- travel.
function errors.subclass(parent, name)
    if parents[parent] == nil then
        error("bad argument #1 to 'subclass' (error class expected)", 2)
    elseif type(name) ~= "string" then
        error("bad argument #2 to 'subclass' (string expected, got " .. type(name) .. ")", 2)
    end
    return new_class(parent, name)
end

--- A new error object; `fields` are added to it.
function errors.new(class, message, fields)
    if parents[class] == nil then
        error("bad argument #1 to 'new' (error class expected)", 2)
    end
    local object = { name = rawget(class, "name"), message = message }
    for key, value in pairs(fields or {}) do
        object[key] = value
    end
    return setmetatable(object, class)
end

--- Is `value` an error object of this library; with `class`, one of that class or of a class
--- below it?
function errors.iserror(value, class)
    if class ~= nil and parents[class] == nil then
        error("bad argument #2 to 'iserror' (error class expected)", 2)
    end
    local candidate = type(value) == "table" and getmetatable(value) or nil
    if candidate == nil or parents[candidate] == nil then
        return false
    end
    while candidate do
        if class == nil or candidate == class then
            return true
        end
        candidate = parents[candidate]
    end
    return false
end

errors.Error = new_class(nil, "Error")
errors.CancelledError = new_class(errors.Error, "CancelledError")
errors.TimeoutError = new_class(errors.Error, "TimeoutError")
errors.InvalidStateError = new_class(errors.Error, "InvalidStateError")
errors.TransferError = new_class(errors.Error, "TransferError")
errors.WorkerLostError = new_class(errors.Error, "WorkerLostError")
errors.QueueFullError = new_class(errors.Error, "QueueFullError")
errors.BrokenExecutor = new_class(errors.Error, "BrokenExecutor")
errors.BrokenThreadPool = new_class(errors.BrokenExecutor, "BrokenThreadPool")
errors.BrokenProcessPool = new_class(errors.BrokenExecutor, "BrokenProcessPool")

return errors
