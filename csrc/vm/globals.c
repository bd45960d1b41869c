/* SPDX-License-Identifier: MIT */
/* Which globals does a function read? Instructions are looked at, since names of globals are
 * constants like any other. */
#include <lauxlib.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "vm/bytecode.h"
#include "vm/proto.h"

/* Instructions: an opcode in the lowest 7 bits, then A (8), k (1), B (8), C (8), or A, Bx
 * (17). */
enum {
    OP_LOADK = 3,     /* R[A] := K[Bx] */
    OP_LOADKX = 4,    /* R[A] := K[Ax of the next instruction] */
    OP_GETUPVAL = 9,  /* R[A] := U[B] */
    OP_SETUPVAL = 10, /* U[B] := R[A] */
    OP_GETTABUP = 11, /* R[A] := U[B][K[C]] */
    OP_GETTABLE = 12, /* R[A] := R[B][R[C]] */
    OP_GETFIELD = 14, /* R[A] := R[B][K[C]] */
};

static uint32_t instruction(const struct fut_proto *p, size_t pc) {
    uint32_t i;
    memcpy(&i, p->code + pc * sizeof i, sizeof i);
    return i;
}

static unsigned op(uint32_t i) {
    return i & 0x7f;
}
static unsigned arg_a(uint32_t i) {
    return (i >> 7) & 0xff;
}
static unsigned arg_b(uint32_t i) {
    return (i >> 16) & 0xff;
}
static unsigned arg_c(uint32_t i) {
    return i >> 24;
}
static unsigned arg_bx(uint32_t i) {
    return i >> 15;
}
static unsigned arg_ax(uint32_t i) {
    return i >> 7;
}

struct text {
    const unsigned char *bytes; /* NULL: not a string */
    size_t len;
};

/* The constants of p as an array at the end of `room`. */
static const struct text *index_constants(const struct fut_proto *p, struct fut_buf *room) {
    room->len = 0;
    unsigned char *to = fut_buf_reserve(room, (p->nconstants + 1) * sizeof(struct text));
    if (!to) return NULL;
    struct text *texts = (struct text *)(void *)to;
    struct fut_reader r = {p->constants, p->end};
    for (size_t i = 0; i < p->nconstants; i++) {
        texts[i].len = 0;
        texts[i].bytes = fut_reader_constant(&r, &texts[i].len);
    }
    return texts;
}

/* The constant by whose name the instruction at pc reads a global, or -1. The usual form is
 * GETTABUP. Constants beyond the 256th and long names need three instructions: GETUPVAL, LOADK,
 * GETTABLE. */
static long global_read(const struct fut_proto *p, size_t pc, unsigned env) {
    uint32_t i = instruction(p, pc);
    if (op(i) == OP_GETTABUP) return arg_b(i) == env ? (long)arg_c(i) : -1;
    if (op(i) != OP_GETUPVAL || arg_b(i) != env || pc + 3 >= p->ncode) return -1;
    uint32_t load = instruction(p, pc + 1);
    unsigned key = arg_bx(load);
    size_t next = pc + 2;
    if (op(load) == OP_LOADKX)
        key = arg_ax(instruction(p, next++));
    else if (op(load) != OP_LOADK)
        return -1;
    uint32_t get = instruction(p, next);
    if (op(get) != OP_GETTABLE || arg_b(get) != arg_a(i) || arg_c(get) != arg_a(load))
        return -1;
    return (long)key;
}

static bool add_name(struct fut_buf *names, const struct text *t) {
    static const unsigned char zero = 0;
    if (!t->bytes || t->len == 0 || memchr(t->bytes, 0, t->len)) return true;
    return fut_buf_append(names, t->bytes, t->len) && fut_buf_append(names, &zero, 1);
}

/* The constant by whose name the instruction after pc reads a field of what pc has read, or -1:
 * of _G that is a global, too. */
static long field_read(const struct fut_proto *p, size_t pc) {
    if (pc + 1 >= p->ncode) return -1;
    uint32_t next = instruction(p, pc + 1);
    bool reads = op(next) == OP_GETFIELD && arg_b(next) == arg_a(instruction(p, pc));
    return reads ? (long)arg_c(next) : -1;
}

static bool is_text(const struct text *t, const char *name) {
    return t->bytes && t->len == strlen(name) && memcmp(t->bytes, name, t->len) == 0;
}

static enum fut_err scan_code(const struct fut_proto *p, unsigned env, struct fut_buf *names,
                              struct fut_buf *room, bool *sets_env) {
    const struct text *texts = index_constants(p, room);
    if (!texts) return FUT_ENOMEM;
    for (size_t pc = 0; pc < p->ncode; pc++) {
        uint32_t i = instruction(p, pc);
        if (op(i) == OP_SETUPVAL && arg_b(i) == env) *sets_env = true;
        long k = global_read(p, pc, env);
        if (k < 0 || (size_t)k >= p->nconstants) continue;
        if (!add_name(names, &texts[k])) return FUT_ENOMEM;
        k = is_text(&texts[k], "_G") ? field_read(p, pc) : -1;
        if (k >= 0 && (size_t)k < p->nconstants && !add_name(names, &texts[k]))
            return FUT_ENOMEM;
    }
    return FUT_OK;
}

/* The upvalue of an inner function that is upvalue `env` of the function around it, or -1. */
static int inner_env(const struct fut_proto *inner, int env) {
    for (size_t i = 0; i < inner->nups; i++) {
        const unsigned char *up = inner->ups + i * FUT_UPVALUE_BYTES;
        if (up[0] == 0 && up[1] == env) return (int)i;
    }
    return -1;
}

/* Recursion is as deep as functions are nested, which the compiler limits to 200. */
static enum fut_err scan(const struct fut_proto *p, int env, struct fut_buf *names,
                         struct fut_buf *room, bool *sets_env) {
    enum fut_err err = scan_code(p, (unsigned)env, names, room, sets_env);
    struct fut_reader r = {p->protos, p->end};
    for (size_t i = 0; i < p->nprotos && err == FUT_OK; i++) {
        struct fut_proto inner;
        fut_reader_proto(&r, &inner);
        int own = inner_env(&inner, env);
        if (own >= 0) err = scan(&inner, own, names, room, sets_env);
    }
    return err;
}

enum fut_err fut_bytecode_globals(struct fut_bytecode *b, struct fut_buf *names) {
    if (b->env < 0) return FUT_OK;
    struct fut_buf room = {0};
    struct fut_reader r = {b->body, b->end};
    struct fut_proto p;
    fut_reader_proto(&r, &p);
    enum fut_err err = scan(&p, b->env, names, &room, &b->sets_env);
    fut_buf_deinit(&room);
    return err;
}

/* Reads one global in each of the two forms, in an inner function too; the rest must not
 * count. */
static const char sample[] =
    "local function sample(a) "
    "  local s = 'no'; written = a; "
    "  local t = name; "
    "  local u = a_name_that_is_longer_than_the_forty_bytes_of_short_strings; "
    "  return function() _ENV = _ENV; return inner, t.field, s, _G.member end "
    "end return sample";
static const char sample_globals[] =
    "name\0a_name_that_is_longer_than_the_forty_bytes_of_short_strings\0inner\0_G\0member";

enum answer { UNKNOWN, YES, NO };

/* Memory may be short: then nothing is known yet. */
static enum answer check_dump(lua_State *L, struct fut_buf *dump, struct fut_buf *names) {
    struct fut_bytecode b;
    if (!fut_bytecode_dump(L, false, dump)) return UNKNOWN;
    if (!fut_bytecode_read(&b, dump->data, dump->len) || b.nups != 1) return NO;
    b.env = 0;
    if (fut_bytecode_globals(&b, names) != FUT_OK) return UNKNOWN;
    bool same = b.sets_env && names->len == sizeof sample_globals &&
                memcmp(names->data, sample_globals, names->len) == 0;
    return same ? YES : NO;
}

static enum answer check(lua_State *L) {
    int top = lua_gettop(L);
    int status = luaL_loadbufferx(L, sample, sizeof sample - 1, "=sample", "t");
    if (status != LUA_OK) {
        lua_settop(L, top);
        return status == LUA_ERRMEM ? UNKNOWN : NO;
    }
    lua_call(L, 0, 1);
    struct fut_buf dump = {0}, names = {0};
    enum answer answer = check_dump(L, &dump, &names);
    fut_buf_deinit(&names);
    fut_buf_deinit(&dump);
    lua_settop(L, top);
    return answer;
}

enum fut_err fut_bytecode_known(lua_State *L, bool *known) {
    static atomic_int kept;
    int answer = atomic_load_explicit(&kept, memory_order_relaxed);
    if (answer == UNKNOWN) {
        answer = (int)check(L);
        atomic_store_explicit(&kept, answer, memory_order_relaxed);
    }
    *known = answer == YES;
    return answer == UNKNOWN ? FUT_ENOMEM : FUT_OK;
}
