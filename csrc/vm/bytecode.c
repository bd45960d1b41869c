/* SPDX-License-Identifier: MIT */
#include "vm/bytecode.h"

#include <string.h>

#include "vm/proto.h"

/* Constants. The tag is the type with its variant in the bits 4 and 5. */
enum { K_NIL = 0x00, K_FALSE = 0x01, K_TRUE = 0x11, K_INT = 0x03, K_FLOAT = 0x13 };
enum { K_SHORT = 0x04, K_LONG = 0x14 };

static void skip(struct fut_reader *r, size_t n) {
    if (r->at && n <= (size_t)(r->end - r->at))
        r->at += n;
    else
        r->at = NULL;
}

static unsigned char byte(struct fut_reader *r) {
    const unsigned char *at = r->at;
    skip(r, 1);
    return r->at ? *at : 0;
}

/* Seven bits a byte, highest first, the last byte with its highest bit set. */
static size_t number(struct fut_reader *r) {
    size_t n = 0;
    for (;;) {
        unsigned char b = byte(r);
        if (!r->at || n > SIZE_MAX >> 7) {
            r->at = NULL;
            return 0;
        }
        n = n << 7 | (b & 0x7f);
        if (b & 0x80) return n;
    }
}

/* A string's length is written plus one; zero is no string. */
const unsigned char *fut_reader_string(struct fut_reader *r, size_t *len) {
    size_t n = number(r);
    *len = n ? n - 1 : 0;
    const unsigned char *bytes = r->at;
    skip(r, *len);
    return n ? bytes : NULL;
}

static void skip_string(struct fut_reader *r) {
    size_t len;
    fut_reader_string(r, &len);
}

/* n items of a fixed size. */
static const unsigned char *items(struct fut_reader *r, size_t *n, size_t size) {
    *n = number(r);
    const unsigned char *at = r->at;
    if (*n > SIZE_MAX / size) r->at = NULL;
    skip(r, *n * size);
    return at;
}

const unsigned char *fut_reader_constant(struct fut_reader *r, size_t *len) {
    switch (byte(r)) {
    case K_NIL:
    case K_FALSE:
    case K_TRUE:
        return NULL;
    case K_INT:
        skip(r, sizeof(lua_Integer));
        return NULL;
    case K_FLOAT:
        skip(r, sizeof(lua_Number));
        return NULL;
    case K_SHORT:
    case K_LONG:
        return fut_reader_string(r, len);
    default:
        r->at = NULL;
        return NULL;
    }
}

static void skip_debug(struct fut_reader *r, struct fut_proto *p) {
    size_t n;
    items(r, &n, 1); /* line of each instruction, relative */
    for (n = number(r); n > 0 && r->at; n--) number(r), number(r);
    for (n = number(r); n > 0 && r->at; n--) skip_string(r), number(r), number(r);
    p->nnames = number(r);
    p->names = r->at;
    for (n = p->nnames; n > 0 && r->at; n--) skip_string(r);
}

void fut_reader_proto(struct fut_reader *r, struct fut_proto *p) {
    skip_string(r);       /* source */
    number(r), number(r); /* first and last line */
    skip(r, 3);           /* parameters, vararg, stack size */
    p->code = items(r, &p->ncode, sizeof(uint32_t));
    p->nconstants = number(r);
    p->constants = r->at;
    for (size_t i = 0, len; i < p->nconstants && r->at; i++) fut_reader_constant(r, &len);
    p->ups = items(r, &p->nups, FUT_UPVALUE_BYTES);
    p->nprotos = number(r);
    p->protos = r->at;
    for (size_t i = 0; i < p->nprotos && r->at; i++)
        fut_reader_proto(r, &(struct fut_proto){0});
    skip_debug(r, p);
    p->end = r->at;
}

/* The dump's head: signature, version 5.4, format 0, then data that tell whether numbers look
 * the way they should; behind it the number of upvalues. */
static bool read_head(struct fut_reader *r) {
    static const unsigned char head[] = "\x1bLua\x54\x00\x19\x93\r\n\x1a\n";
    static const unsigned char sizes[] = {sizeof(uint32_t), sizeof(lua_Integer),
                                          sizeof(lua_Number)};
    const lua_Integer integer = 0x5678;
    const lua_Number real = 370.5;
    const unsigned char *at = r->at;
    skip(r, sizeof head - 1 + sizeof sizes + sizeof integer + sizeof real + 1);
    if (!r->at || memcmp(at, head, sizeof head - 1) != 0) return false;
    at += sizeof head - 1;
    if (memcmp(at, sizes, sizeof sizes) != 0) return false;
    at += sizeof sizes;
    return memcmp(at, &integer, sizeof integer) == 0 &&
           memcmp(at + sizeof integer, &real, sizeof real) == 0;
}

bool fut_bytecode_read(struct fut_bytecode *b, const unsigned char *bytes, size_t len) {
    struct fut_reader r = {bytes, bytes + len};
    struct fut_proto p;
    if (!read_head(&r)) return false;
    b->body = r.at;
    fut_reader_proto(&r, &p);
    if (!r.at || p.nups > 255) return false;
    b->end = p.end;
    b->ups = p.ups;
    b->nups = (unsigned)p.nups;
    b->env = -1;
    b->sets_env = false;
    return true;
}

bool fut_bytecode_inner(struct fut_bytecode_inner *inner, const unsigned char *bytes,
                        size_t len) {
    struct fut_reader r = {bytes, bytes + len};
    struct fut_proto p;
    if (!read_head(&r)) return false;
    fut_reader_proto(&r, &p);
    if (!r.at || p.nprotos != 1) return false;
    r.at = inner->at = p.protos;
    fut_reader_proto(&r, &p);
    inner->end = r.at;
    return r.at != NULL;
}

static int write_dump(lua_State *L, const void *bytes, size_t len, void *to) {
    (void)L;
    return fut_buf_append(to, bytes, len) ? 0 : 1;
}

bool fut_bytecode_dump(lua_State *L, bool strip, struct fut_buf *out) {
    return lua_dump(L, write_dump, out, strip) == 0;
}
