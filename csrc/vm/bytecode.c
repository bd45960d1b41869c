/* SPDX-License-Identifier: MIT */
#include "vm/bytecode.h"

#include <string.h>

#include "vm/proto.h"

/* The dump's head: signature, version 5.4, format 0, then data that tell whether numbers look
 * the way they should; behind it the number of upvalues. */
static bool read_head(struct fut_reader *r) {
    static const unsigned char head[] = "\x1bLua\x54\x00\x19\x93\r\n\x1a\n";
    static const unsigned char sizes[] = {sizeof(uint32_t), sizeof(lua_Integer),
                                          sizeof(lua_Number)};
    const lua_Integer integer = 0x5678;
    const lua_Number real = 370.5;
    const unsigned char *at = r->at;
    fut_reader_skip(r, sizeof head - 1 + sizeof sizes + sizeof integer + sizeof real + 1);
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
