-- SPDX-License-Identifier: MIT
std = "lua54"
max_line_length = 96
max_cyclomatic_complexity = 20
cache = false
exclude_files = { "build", "build.luarocks", "lua_modules" }

files["spec"] = { std = "+busted" }
files[".luacheckrc"] = { std = "+luacheckrc" }
files["*.rockspec"] = { std = "+rockspec" }
files["lua/futures/types.lua"] = { ignore = { "211", "212", "241" } }
