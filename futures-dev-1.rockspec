rockspec_format = "3.0"
package = "futures"
version = "dev-1"

source = {
    -- `luarocks make` builds the checkout that it stands in; a release names its archive here.
    url = "git+file://.",
}

description = {
    summary = "concurrent.futures for Lua 5.4: threads, processes, parallel HTTP",
    detailed = [[
        Runs Lua functions in pools of threads or processes; futures hand their results back.
        The module futures.fetch needs libcurl and zlib with their headers; where they are
        missing, the rest is built without it. Response:json() needs lua-cjson.
    ]],
    license = "MIT",
    labels = { "concurrency", "threads", "futures", "parallel", "http" },
}

dependencies = { "lua >= 5.4, < 5.5" }
test_dependencies = { "busted" }
test = { type = "busted" }

-- No file is demanded, so that the rock also builds without libcurl and zlib. What is given as
-- CURL_DIR, ZLIB_DIR, CURL_INCDIR and the like goes to CMake.
external_dependencies = { CURL = {}, ZLIB = {} }

build = {
    type = "cmake",
    variables = {
        CMAKE_INSTALL_PREFIX = "$(PREFIX)",
        CMAKE_C_COMPILER = "$(CC)",
        CMAKE_C_FLAGS = "$(CFLAGS)",
        CMAKE_PREFIX_PATH = "$(CURL_DIR);$(ZLIB_DIR)",
        CMAKE_INCLUDE_PATH = "$(CURL_INCDIR);$(ZLIB_INCDIR)",
        CMAKE_LIBRARY_PATH = "$(CURL_LIBDIR);$(ZLIB_LIBDIR)",
        LUA_INCDIR = "$(LUA_INCDIR)",
        LUADIR = "$(LUADIR)",
        LIBDIR = "$(LIBDIR)",
        FUT_TOOLS = "OFF",
    },
}
