/* SPDX-License-Identifier: MIT */
#include "vm/proto.h"

#include <lua.h>
#include <stdint.h>

/* Constants. The tag is the type with its variant in the bits 4 and 5. */
enum { K_NIL = 0x00, K_FALSE = 0x01, K_TRUE = 0x11, K_INT = 0x03, K_FLOAT = 0x13 };
enum { K_SHORT = 0x04, K_LONG = 0x14 };

void fut_reader_skip(struct fut_reader *r, size_t n) {
    if (r->at && n <= (size_t)(r->end - r->at))
        r->at += n;
    else
        r->at = NULL;
}

static unsigned char byte(struct fut_reader *r) {
    if (!r->at || r->at == r->end) {
        r->at = NULL;
        return 0;
    }
    return *r->at++;
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
static const unsigned char *string(struct fut_reader *r, size_t *len) {
    size_t n = number(r);
    *len = n ? n - 1 : 0;
    const unsigned char *bytes = r->at;
    fut_reader_skip(r, *len);
    return n ? bytes : NULL;
}

static void skip_string(struct fut_reader *r) {
    size_t len;
    string(r, &len);
}

/* n items of a fixed size. */
static const unsigned char *items(struct fut_reader *r, size_t *n, size_t size) {
    *n = number(r);
    const unsigned char *at = r->at;
    if (*n > SIZE_MAX / size) r->at = NULL;
    fut_reader_skip(r, *n * size);
    return at;
}

const unsigned char *fut_reader_constant(struct fut_reader *r, size_t *len) {
    switch (byte(r)) {
    case K_NIL:
    case K_FALSE:
    case K_TRUE:
        return NULL;
    case K_INT:
        fut_reader_skip(r, sizeof(lua_Integer));
        return NULL;
    case K_FLOAT:
        fut_reader_skip(r, sizeof(lua_Number));
        return NULL;
    case K_SHORT:
    case K_LONG:
        return string(r, len);
    default:
        r->at = NULL;
        return NULL;
    }
}

static void skip_debug(struct fut_reader *r) {
    size_t n;
    items(r, &n, 1); /* line of each instruction, relative */
    for (n = number(r); n > 0 && r->at; n--) number(r), number(r);
    for (n = number(r); n > 0 && r->at; n--) skip_string(r), number(r), number(r);
    for (n = number(r); n > 0 && r->at; n--) skip_string(r); /* names of the upvalues */
}

void fut_reader_proto(struct fut_reader *r, struct fut_proto *p) {
    skip_string(r);        /* source */
    number(r), number(r);  /* first and last line */
    fut_reader_skip(r, 3); /* parameters, vararg, stack size */
    p->code = items(r, &p->ncode, sizeof(uint32_t));
    p->nconstants = number(r);
    p->constants = r->at;
    for (size_t i = 0, len; i < p->nconstants && r->at; i++) fut_reader_constant(r, &len);
    p->ups = items(r, &p->nups, FUT_UPVALUE_BYTES);
    p->nprotos = number(r);
    p->protos = r->at;
    for (size_t i = 0; i < p->nprotos && r->at; i++)
        fut_reader_proto(r, &(struct fut_proto){0});
    skip_debug(r);
    p->end = r->at;
}
