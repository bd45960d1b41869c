/* SPDX-License-Identifier: MIT */
/* What must not break: bytes that were cut or changed, memory that runs out at each allocation,
 * encoders inside encoders, handles, states that close. */
#include "base/alloc.h"
#include "vm/codec_test.h"
#include "vm/handle.h"

#define CHECK(condition)                                                                       \
    ((condition) ? (void)0                                                                     \
                 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition), abort()))

static const char sample[] =
    "local C = {} C.__index = C function C:m() return self.x end\n"
    "local n = 0 local function inc() n = n + 1 return n end\n"
    "local t = {1, nil, 3, 'text', ('long'):rep(20), x = 1.5, [2.5] = true, [-1] = 1 << 40} "
    "t.self = t\n"
    "t[t] = {t, 'text', setmetatable({x = t}, C), setmetatable({}, {__persist = function()\n"
    "  return function() return {made = true} end end}), C, string, string.format, _G}\n"
    "function helper() return other end other = {t, 1, 'text'}\n"
    "t.f, t.g = inc, function() return n + helper() end t.deep = {} local d = t.deep\n"
    "for i = 1, 40 do d[1] = {} d = d[1] end\n"
    "return function() return helper(), inc() end, t, 'x', nil, 17, -3.5, ('s'):rep(300)\n";

static int push_sample(lua_State *L, const char *code) {
    lua_settop(L, 0);
    CHECK(luaL_loadstring(L, code) == LUA_OK);
    lua_call(L, 0, LUA_MULTRET);
    return lua_gettop(L);
}

static const char home_sample[] = "local C = {} C.__index = C local mt = {__name = 'n'} local "
                                  "t = {1, 'two', x = {3.5, ('y'):rep(50)}}\n"
                                  "t.t = t return t, {t, 'two', setmetatable({}, C), C, "
                                  "setmetatable({mt}, mt)}, string.format, math,\n"
                                  "  {[{}] = 1, [1.5] = {{{{{}}}}}}, 42\n";

static void encode_sample(lua_State *L, struct fut_route route, struct fut_payload *out) {
    const char *message = "";
    int n = push_sample(L, route.home ? home_sample : sample);
    enum fut_err err = fut_encode(L, route, 1, n, FUT_ROLE_VALUE, out, &message);
    if (err != FUT_OK) fprintf(stderr, "%s\n", message);
    CHECK(err == FUT_OK && lua_gettop(L) == n);
}

/* Decodes all sequences; whatever the bytes are, it comes back. */
static int decode_all(lua_State *L) {
    struct fut_payload *p = lua_touserdata(L, 1);
    struct fut_route *route = lua_touserdata(L, 2);
    struct fut_decoder d;
    fut_payload_plain(p);
    fut_decoder_init(&d, p, *route);
    while (!fut_decoder_done(&d)) {
        int n, top = lua_gettop(L);
        enum fut_err err = fut_decoder_sequence(&d, L, &n);
        CHECK(lua_gettop(L) == top + (err == FUT_OK ? n : 0));
        CHECK(err == FUT_OK || *d.message);
        if (err != FUT_OK) return luaL_error(L, "%s", d.message);
        lua_settop(L, top);
    }
    return 0;
}

static int try_decode(lua_State *L, struct fut_payload *p, struct fut_route route) {
    lua_settop(L, 0);
    lua_pushcfunction(L, decode_all);
    lua_pushlightuserdata(L, p);
    lua_pushlightuserdata(L, &route);
    int status = lua_pcall(L, 2, 0, 0);
    lua_settop(L, 0);
    return status;
}

/* A payload with the same refs and other bytes. */
static struct fut_payload with_bytes(const struct fut_payload *p, unsigned char *bytes,
                                     size_t len) {
    struct fut_payload copy = *p;
    copy.heap = true;
    copy.bytes.block = bytes;
    copy.len = len;
    return copy;
}

static unsigned char *copy_bytes(const struct fut_payload *p, size_t len) {
    unsigned char *bytes = malloc(len ? len : 1);
    CHECK(bytes);
    memcpy(bytes, fut_payload_bytes(p), len);
    return bytes;
}

static void test_cut(void) {
    lua_State *L = test_state(), *W = test_state();
    struct fut_payload p = {0};
    encode_sample(L, (struct fut_route){.process = true}, &p);
    CHECK(try_decode(W, &p, (struct fut_route){.process = true}) == LUA_OK);
    for (size_t len = 1; len < p.len; len++) {
        unsigned char *bytes = copy_bytes(&p, len);
        struct fut_payload cut = with_bytes(&p, bytes, len);
        CHECK(try_decode(W, &cut, (struct fut_route){.process = true}) == LUA_ERRRUN);
        free(bytes);
    }
    fut_payload_deinit(&p);
    lua_close(L);
    lua_close(W);
    printf("ok cut at each byte\n");
}

static uint64_t random_state = 42;

static uint64_t next_random(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void mutate(unsigned char *bytes, size_t len) {
    for (uint64_t n = next_random() % 4 + 1; n > 0; n--) {
        size_t at = next_random() % len;
        switch (next_random() % 4) {
        case 0:
            bytes[at] = (unsigned char)next_random();
            break;
        case 1:
            bytes[at] ^= (unsigned char)(1u << next_random() % 8);
            break;
        case 2:
            bytes[at] = bytes[next_random() % len];
            break;
        default:
            bytes[at] = (unsigned char)(next_random() % 0x20);
            break;
        }
    }
}

static void test_mutated(bool home) {
    lua_State *L = test_state(), *W = NULL;
    struct fut_payload p = {0};
    struct fut_route route = {.process = true, .home = home};
    encode_sample(L, route, &p);
    unsigned char *bytes = copy_bytes(&p, p.len);
    int good = 0;
    for (int i = 0; i < 100000; i++) {
        if (i % 5000 == 0) { /* what was decoded may have changed its globals */
            if (W) lua_close(W);
            W = test_state();
            lua_pushnil(W);
            lua_setglobal(W, "require");
        }
        memcpy(bytes, fut_payload_bytes(&p), p.len);
        mutate(bytes, p.len);
        struct fut_payload changed = with_bytes(&p, bytes, p.len);
        good += try_decode(W, &changed, route) == LUA_OK;
    }
    free(bytes);
    fut_payload_deinit(&p);
    lua_close(L);
    lua_close(W);
    printf("ok mutated%s (%d still made sense)\n", home ? ", on the way home" : "", good);
}

/* Memory: the n-th allocation fails, in our allocator or in Lua's. */

static long lua_allocs_left; /* 0: no limit */

static void *failing_alloc(void *ud, void *block, size_t old, size_t size) {
    (void)ud, (void)old;
    if (size == 0) {
        free(block);
        return NULL;
    }
    if (lua_allocs_left > 0 && (!block || size > old)) {
        if (lua_allocs_left == 1) return NULL;
        lua_allocs_left--;
    }
    return realloc(block, size);
}

static int open_libs(lua_State *L) {
    luaL_openlibs(L);
    return 0;
}

static lua_State *failing_state(void) {
    lua_State *L = lua_newstate(failing_alloc, NULL);
    CHECK(L);
    lua_pushcfunction(L, open_libs);
    CHECK(lua_pcall(L, 0, 0, 0) == LUA_OK);
    return L;
}

/* Arguments: payload to fill, values. */
static int encode_values(lua_State *L) {
    struct fut_payload *p = lua_touserdata(L, 1);
    const char *message;
    enum fut_err err =
        fut_encode(L, (struct fut_route){0}, 2, lua_gettop(L) - 1, FUT_ROLE_VALUE, p, &message);
    CHECK(err == FUT_OK || p->len == 0);
    CHECK(err == FUT_OK || err == FUT_ENOMEM);
    return err == FUT_OK ? 0 : luaL_error(L, "not enough memory");
}

static int encode_protected(lua_State *L, struct fut_payload *p) {
    int top = lua_gettop(L);
    lua_pushcfunction(L, encode_values);
    lua_pushlightuserdata(L, p);
    for (int i = 1; i <= top; i++) lua_pushvalue(L, i);
    int status = lua_pcall(L, top + 1, 0, 0);
    lua_settop(L, top);
    return status;
}

static void set_limit(bool lua, long n) {
    if (lua)
        lua_allocs_left = n;
    else
        fut_alloc_fail_after(n);
}

static void test_memory(bool lua) {
    long encoded = 0, decoded = 0;
    for (long n = 1;; n++) {
        lua_State *L = failing_state();
        push_sample(L, sample);
        struct fut_payload p = {0};
        set_limit(lua, n);
        int status = encode_protected(L, &p);
        set_limit(lua, 0);
        if (status == LUA_OK) encoded = n;
        if (status != LUA_OK) CHECK(encode_protected(L, &p) == LUA_OK);
        lua_State *W = failing_state();
        set_limit(lua, n);
        status = try_decode(W, &p, (struct fut_route){0});
        set_limit(lua, 0);
        if (status == LUA_OK) decoded = n;
        if (status != LUA_OK) CHECK(try_decode(W, &p, (struct fut_route){0}) == LUA_OK);
        lua_close(W);
        fut_payload_deinit(&p);
        lua_close(L);
        if (encoded && decoded) break;
    }
    printf("ok the n-th allocation fails in %s (%ld to encode, %ld to decode)\n",
           lua ? "Lua" : "C", encoded, decoded);
}

/* A class of handles: a counted number. */

struct number {
    struct fut_object object;
    int value;
};

static int numbers;

static void number_free(struct fut_object *o) {
    numbers--;
    free(o);
}

static const struct fut_object_type number_type = {.name = "number", .free = number_free};

static int number_gc(lua_State *L) {
    struct fut_object **o = lua_touserdata(L, 1);
    if (*o) fut_object_drop(*o);
    *o = NULL;
    return 0;
}

static int number_value(lua_State *L) {
    struct number **n = luaL_checkudata(L, 1, "test.number");
    lua_pushinteger(L, (*n)->value);
    return 1;
}

static void open_number(lua_State *L) {
    static const luaL_Reg methods[] = {
        {"value", number_value}, {"__gc", number_gc}, {NULL, NULL}};
    luaL_newmetatable(L, "test.number");
    luaL_setfuncs(L, methods, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

static void push_number(lua_State *L, struct fut_object *object) {
    struct fut_object **o = lua_newuserdatauv(L, sizeof *o, 0);
    *o = NULL;
    luaL_setmetatable(L, "test.number");
    fut_object_hold(object);
    *o = object;
}

static int sent;

static void number_sent(lua_State *L, int index) {
    struct fut_payload p = {0};
    CHECK(lua_type(L, index) == LUA_TUSERDATA);
    lua_pushliteral(L, "encoded meanwhile");
    CHECK(fut_encode(L, (struct fut_route){0}, lua_gettop(L), 1, FUT_ROLE_VALUE, &p, NULL) ==
          FUT_OK);
    lua_pop(L, 1);
    fut_payload_deinit(&p);
    lua_gc(L, LUA_GCCOLLECT);
    sent++;
}

static const struct fut_handle_class number_class = {.type = &number_type,
                                                     .tname = "test.number",
                                                     .home = true,
                                                     .make = push_number,
                                                     .sent = number_sent};

static int new_number(lua_State *L) {
    struct number *n = malloc(sizeof *n);
    CHECK(n);
    fut_object_init(&n->object, &number_type);
    n->value = (int)luaL_checkinteger(L, 1);
    numbers++;
    push_number(L, &n->object);
    fut_object_drop(&n->object);
    return 1;
}

static void run_code(lua_State *L, const char *code) {
    if (luaL_dostring(L, code) == LUA_OK) return;
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    abort();
}

static void test_handles(void) {
    fut_handle_class_add(&number_class);
    fut_handle_class_add(&number_class);
    lua_State *L = test_open();
    open_number(L);
    lua_register(L, "number", new_number);
    test_worker = test_state();
    open_number(test_worker);
    run_code(L,
             "local n = number(7)\n"
             "same(send(function() return n:value() end), 7)\n"
             "local five = number(5)\n"
             "local a, b, c = send(function(t) return t[1]:value() + t.x:value(), t.x, t[1] == "
             "t[2] end,\n"
             "  {n, x = five, n, n}) same(a, 12) same(b, five) same(c, true)\n"
             "local many = {} for i = 1, 100 do many[i] = number(i) end\n"
             "same(send(function(t) return t[100]:value() end, many), 100)\n"
             "process = true\n"
             "same(refusal(print, {n}), 'argument 1[1]: number cannot travel to a process')");
    CHECK(sent > 4);
    test_close(L);
    CHECK(numbers == 0);
    printf("ok handles\n");
}

/* Sequences of one payload, user code and collections between them, and a refused one. */
static void test_sequences(void) {
    lua_State *L = test_open();
    struct fut_payload p = {0};
    lua_settop(L, 0);
    struct fut_encoder *e = fut_encoder_begin(L, (struct fut_route){0});
    for (int i = 0; i < 100; i++) {
        CHECK(lua_gettop(L) == 1);
        lua_pushinteger(L, i);
        lua_createtable(L, 0, 0);
        if (i % 10 == 9) lua_newuserdatauv(L, 1, 0);
        enum fut_err err = fut_encoder_sequence(e, L, 2, lua_gettop(L) - 1, FUT_ROLE_RESULT);
        CHECK(err == (i % 10 == 9 ? FUT_ETRANSFER : FUT_OK));
        if (err != FUT_OK)
            CHECK(strcmp(fut_encoder_message(e), "result 3: userdata cannot travel") == 0);
        CHECK(fut_encoder_byte(e, (unsigned char)i) == FUT_OK);
        run_code(L, "send(function(t) return t end, {1, 2, {}}) collectgarbage()");
        lua_settop(L, 1);
    }
    CHECK(fut_encoder_end(e, &p) == FUT_OK);
    lua_settop(L, 0);
    struct fut_decoder d;
    fut_decoder_init(&d, &p, (struct fut_route){0});
    for (int i = 0; i < 100; i++) {
        int n;
        unsigned char byte;
        if (i % 10 != 9) {
            CHECK(fut_decoder_sequence(&d, L, &n) == FUT_OK && n == 2);
            CHECK(lua_tointeger(L, 1) == i && lua_istable(L, 2));
        }
        CHECK(fut_decoder_byte(&d, &byte) == FUT_OK && byte == i);
        lua_settop(L, 0);
    }
    CHECK(fut_decoder_done(&d));
    fut_payload_deinit(&p);
    test_close(L);
    printf("ok sequences\n");
}

/* A finalizer that sends while its state closes. */
static void test_closing(void) {
    lua_State *L = test_open();
    run_code(
        L, "local n = {1} setmetatable({}, {__gc = function() closing = 'no'\n"
           "  local x = send(function(t) return t[1] + #n end, {1, 'abc', {}}) check(x == 2)\n"
           "  for i = 1, 3 do send(load('return ' .. i)) end end})\n"
           "send(print == 0 or function() return n end)\n"
           "setmetatable({}, {__gc = function() send(function() return n end) end})");
    test_close(L);
    printf("ok closing states\n");
}

/* Finalizers that send run in the middle of encoding and decoding. */
static void test_finalizers(void) {
    test_mode = TEST_GENERATIONAL; /* a step is a whole collection */
    lua_State *L = test_open();
    run_code(
        L,
        "local runs, busy = 0, false\n"
        "local function finalize()\n"
        "  if busy or not sending then return end busy = true runs = runs + 1 local v = runs\n"
        "  same(send(load('return ' .. v)), v)\n"
        "  same(send(function(t) return v + #t end, {v, 'x' .. v}), v + 2)\n"
        "  busy = false\n"
        "end\n"
        "local function drop() setmetatable({}, {__gc = finalize}) end\n"
        "for i = 1, 2000 do\n"
        "  local f = load('local a = ' .. i .. ' return function(t) drop_global() "
        "return a + '\n"
        "    .. i .. ' + #t, t end')()\n"
        "  _G['g' .. i % 7] = {i} drop_global = function() return type, g0, g1, "
        "string.rep end\n"
        "  local args = {i, {i}, 's' .. i, setmetatable({}, {__index = {}})}\n"
        "  collectgarbage('stop') drop() collectgarbage('restart') -- the next to allocate "
        "runs it\n"
        "  sending = true local n, t = send(f, args) sending = false\n"
        "  check(n == 2 * i + 4 and t[2][1] == i and t[3] == 's' .. i, i)\n"
        "end\n"
        "check(runs > 1000, runs)");
    test_close(L);
    test_mode = TEST_NORMAL;
    printf("ok finalizers\n");
}

static void test_plain(void) {
    lua_State *L = test_state();
    struct fut_payload p = {0};
    run_code(L, "return 1, 'text', nil, true, 2.5, ('x'):rep(100), 1 << 40");
    CHECK(fut_encode(L, (struct fut_route){0}, 1, lua_gettop(L), FUT_ROLE_VALUE, &p, NULL) ==
          FUT_OK);
    CHECK(fut_payload_plain(&p));
    fut_payload_deinit(&p);
    run_code(L, "return 1, {}");
    CHECK(fut_encode(L, (struct fut_route){0}, lua_gettop(L), 1, FUT_ROLE_VALUE, &p, NULL) ==
          FUT_OK);
    CHECK(!fut_payload_plain(&p));
    fut_payload_deinit(&p);
    lua_close(L);
    printf("ok plain payloads\n");
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    test_plain();
    test_sequences();
    test_handles();
    test_closing();
    test_finalizers();
    test_cut();
    test_mutated(false);
    test_mutated(true);
    test_memory(false);
    test_memory(true);
    return 0;
}
