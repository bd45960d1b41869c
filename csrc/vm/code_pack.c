/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/alloc.h"
#include "vm/code.h"

/* What stands before the names, the factory and the bytes, which follow each other here as they
 * do behind the struct. */
struct head {
    uint64_t hash, names, factory, bytes; /* the last three: lengths */
    int32_t env;
    uint32_t nglobals;
    unsigned char nups, sets_env;
};

uint64_t fut_code_ref_id(const struct fut_object *ref) {
    return ((const struct fut_code *)ref)->id;
}

enum fut_err fut_code_pack(const struct fut_object *ref, struct fut_buf *out) {
    const struct fut_code *c = (const struct fut_code *)ref;
    const unsigned char *names = (const unsigned char *)c->globals;
    struct head h = {
        .hash = c->hash,
        .names = (uint64_t)(c->bytes - names) - c->factory_len,
        .factory = c->factory_len,
        .bytes = c->len,
        .env = c->env,
        .nglobals = c->nglobals,
        .nups = c->nups,
        .sets_env = c->sets_env,
    };
    size_t n = (size_t)(h.names + h.factory + h.bytes);
    return fut_buf_append(out, &h, sizeof h) && fut_buf_append(out, names, n) ? FUT_OK
                                                                              : FUT_ENOMEM;
}

enum fut_err fut_code_unpack(const unsigned char *bytes, size_t len, struct fut_object **out) {
    struct head h;
    if (len < sizeof h) return FUT_ECORRUPT;
    memcpy(&h, bytes, sizeof h);
    size_t n = len - sizeof h;
    if (h.names > n || h.factory > n - h.names || h.bytes != n - h.names - h.factory)
        return FUT_ECORRUPT;
    struct fut_code *c = fut_zalloc(sizeof *c + n);
    if (!c) return FUT_ENOMEM;
    unsigned char *to = memcpy(c + 1, bytes + sizeof h, n);
    fut_object_init(&c->object, &fut_code_type);
    c->id = fut_code_next_id();
    c->hash = h.hash;
    c->nups = h.nups;
    c->env = h.env;
    c->sets_env = h.sets_env;
    c->nglobals = h.nglobals;
    c->globals = (const char *)to;
    c->factory = h.factory > 0 ? to + h.names : NULL;
    c->factory_len = (size_t)h.factory;
    c->bytes = to + h.names + h.factory;
    c->len = (size_t)h.bytes;
    *out = &c->object;
    return FUT_OK;
}
