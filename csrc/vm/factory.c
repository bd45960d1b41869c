/* SPDX-License-Identifier: MIT */
/* Factories: the inner function of `return function(_1, ...) return function() return _1, ...
 * end end` is replaced by the one that travels. Its upvalues then are the factory's parameters,
 * so a call gives it fresh cells, without loading the code again. */
#include <lauxlib.h>
#include <string.h>

#include "vm/bytecode.h"
#include "vm/proto.h"

/* Pushes the factory with n parameters and the inner function of the template. */
static bool push_template(lua_State *L, unsigned n) {
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (int part = 0; part < 2; part++) {
        luaL_addstring(&b, part == 0 ? "return function(" : ") return function() return ");
        for (unsigned i = 1; i <= n; i++) {
            lua_pushfstring(L, i == 1 ? "_%d" : ",_%d", (int)i);
            luaL_addvalue(&b);
        }
    }
    luaL_addstring(&b, " end end");
    luaL_pushresult(&b);
    size_t len;
    const char *text = lua_tolstring(L, -1, &len);
    if (luaL_loadbufferx(L, text, len, "=factory", "t") != LUA_OK) return false;
    lua_call(L, 0, 1);
    return true;
}

bool fut_bytecode_factory(lua_State *L, const struct fut_bytecode *b, struct fut_buf *out) {
    int top = lua_gettop(L);
    if (b->nups == 0 || b->nups > FUT_FACTORY_UPVALUES) return false;
    struct fut_buf dump = {0};
    struct fut_bytecode_inner inner;
    bool ok = push_template(L, b->nups) && fut_bytecode_dump(L, true, &dump) &&
              fut_bytecode_inner(&inner, dump.data, dump.len);
    size_t before = ok ? (size_t)(inner.at - dump.data) : 0;
    size_t ups = (size_t)(b->ups - b->body), body = (size_t)(b->end - b->body);
    size_t start = out->len;
    ok = ok && fut_buf_append(out, dump.data, before) && fut_buf_append(out, b->body, body) &&
         fut_buf_append(out, inner.end, (size_t)(dump.data + dump.len - inner.end));
    if (ok) {
        unsigned char *to = out->data + start + before + ups;
        for (unsigned i = 0; i < b->nups; i++, to += FUT_UPVALUE_BYTES) {
            to[0] = 1; /* a local variable of the factory */
            to[1] = (unsigned char)i;
            to[2] = 0; /* an ordinary variable */
        }
    }
    fut_buf_deinit(&dump);
    lua_settop(L, top);
    return ok;
}
