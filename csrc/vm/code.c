/* SPDX-License-Identifier: MIT */
#include "vm/code.h"

#include <string.h>

#include "base/alloc.h"
#include "vm/bytecode.h"

static void code_free(struct fut_object *object) {
    fut_free(object);
}

const struct fut_object_type fut_code_type = {.name = "function", .free = code_free};

static uint64_t mix(uint64_t a, uint64_t b) {
    __uint128_t product = (__uint128_t)(a ^ 0xA0761D6478BD642Fu) * (b ^ 0xE7037ED1A0B428DBu);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t fut_code_hash(const unsigned char *bytes, size_t len) {
    uint64_t hash = len;
    for (; len >= 16; bytes += 16, len -= 16) {
        uint64_t word[2];
        memcpy(word, bytes, 16);
        hash = mix(word[0] ^ hash, word[1]);
    }
    uint64_t rest[2] = {0, 0};
    memcpy(rest, bytes, len);
    return mix(rest[0] ^ hash, rest[1]);
}

/* Sorts the zero-terminated names and drops repeated ones, in place; their number. Functions
 * read few globals, so insertion into a list of offsets will do. */
static uint32_t sort_names(struct fut_buf *names, struct fut_buf *sorted) {
    uint32_t n = 0;
    for (size_t at = 0; at < names->len; n++) {
        const char *name = (const char *)names->data + at;
        at += strlen(name) + 1;
        size_t to = 0;
        int order = 1;
        while (to < sorted->len && (order = strcmp((char *)sorted->data + to, name)) < 0)
            to += strlen((char *)sorted->data + to) + 1;
        size_t size = strlen(name) + 1;
        if (to < sorted->len && order == 0) {
            n--;
            continue;
        }
        memmove(sorted->data + to + size, sorted->data + to, sorted->len - to);
        memcpy(sorted->data + to, name, size);
        sorted->len += size;
    }
    return n;
}

struct parts {
    struct fut_bytecode bytecode;
    struct fut_buf names, sorted, factory;
    uint32_t nglobals;
    unsigned nups;
    int env;
};

/* The upvalue named _ENV; in code without names the one whose value is the globals. */
static void find_env(lua_State *L, int index, struct parts *p) {
    lua_pushglobaltable(L);
    p->env = -1;
    const char *name;
    while ((name = lua_getupvalue(L, index, (int)p->nups + 1))) {
        bool unnamed = *name == '\0' || *name == '(';
        if (p->env < 0 && (strcmp(name, "_ENV") == 0 || (unnamed && lua_rawequal(L, -1, -2))))
            p->env = (int)p->nups;
        p->nups++;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* The factory comes first: making it may raise, when nothing else is held yet. */
static bool read_parts(lua_State *L, struct parts *p, const unsigned char *bytes, size_t len) {
    bool known;
    if (fut_bytecode_known(L, &known) != FUT_OK) return false;
    if (!known || !fut_bytecode_read(&p->bytecode, bytes, len)) return true;
    p->bytecode.env = p->env;
    if (p->nups > 0 && p->nups <= FUT_FACTORY_UPVALUES &&
        !fut_bytecode_factory(L, &p->bytecode, &p->factory))
        return false;
    if (fut_bytecode_globals(&p->bytecode, &p->names) != FUT_OK) return false;
    if (p->names.len == 0) return true;
    if (!fut_buf_reserve(&p->sorted, p->names.len)) return false;
    p->nglobals = sort_names(&p->names, &p->sorted);
    return true;
}

static unsigned char *put(unsigned char *to, const void *bytes, size_t len) {
    if (len) memcpy(to, bytes, len);
    return to + len;
}

uint64_t fut_code_next_id(void) {
    static atomic_uint_least64_t last_id;
    return atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1;
}

/* One block: the struct, then names, factory and bytes. */
static struct fut_code *assemble(const struct parts *p, const unsigned char *bytes,
                                 size_t len) {
    struct fut_code *c = fut_zalloc(sizeof *c + p->sorted.len + p->factory.len + len);
    if (!c) return NULL;
    unsigned char *to = (unsigned char *)(c + 1);
    fut_object_init(&c->object, &fut_code_type);
    c->id = fut_code_next_id();
    c->hash = fut_code_hash(bytes, len);
    c->nups = (unsigned char)p->nups;
    c->env = p->env;
    c->sets_env = p->bytecode.sets_env;
    c->nglobals = p->nglobals;
    c->globals = (const char *)to;
    to = put(to, p->sorted.data, p->sorted.len);
    if (p->factory.len) c->factory = to;
    c->factory_len = p->factory.len;
    to = put(to, p->factory.data, p->factory.len);
    c->bytes = to;
    c->len = len;
    put(to, bytes, len);
    return c;
}

struct fut_code *fut_code_new(lua_State *L, int index, const unsigned char *bytes, size_t len) {
    struct parts p = {0};
    find_env(L, index, &p);
    struct fut_code *c = read_parts(L, &p, bytes, len) ? assemble(&p, bytes, len) : NULL;
    fut_buf_deinit(&p.factory);
    fut_buf_deinit(&p.sorted);
    fut_buf_deinit(&p.names);
    return c;
}
