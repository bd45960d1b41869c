/* SPDX-License-Identifier: MIT */
/* The format of encoded values. Flat bytes, written and read in one pass, for readers of the
 * same machine (byte order and sizes are its own).
 *
 *   sequence  header value* global* NIL       header: varint, number of values * 4 + flags
 *   global    string value                    set in the reader's globals
 *   value     tag, then what the tag says below
 *
 * Shared references: a value that is met again is written as REF with the offset of its first
 * occurrence, counted from the start of the sequence. Only then is the tag of that occurrence
 * given the bit FUT_TAG_SHARED, so the reader remembers just those values that it will need.
 *
 * Lengths, offsets and indices are varints (LEB128, 64 bit). */
#ifndef FUT_VM_FORMAT_H
#define FUT_VM_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fut_tag {
    FUT_TAG_NIL,
    FUT_TAG_FALSE,
    FUT_TAG_TRUE,
    FUT_TAG_INT,     /* zigzag varint */
    FUT_TAG_FLOAT,   /* 8 bytes */
    FUT_TAG_STRING,  /* length, bytes */
    FUT_TAG_REF,     /* offset */
    FUT_TAG_PERSIST, /* a function value: called without arguments it gives the value */

    /* u32 narr, u32 nhash, [identity], narr values (from index 1), nhash keys and values,
     * [metatable]: which of the bracketed are there say the two bits. An identity is a struct
     * fut_identity. */
    FUT_TAG_TABLE,
    FUT_TABLE_META = 1,
    FUT_TABLE_IDENTITY = 2,

    /* Ref index of the code, then its upvalues: each a cell or a value in a cell of its own. */
    FUT_TAG_FUNCTION = FUT_TAG_TABLE + 4,
    FUT_TAG_PLAIN,     /* ref index of the code: no upvalue but the globals */
    FUT_TAG_CELL,      /* a value, in a cell that several functions may share */
    FUT_TAG_CELLREF,   /* offset of the CELL */
    FUT_TAG_GLOBALS,   /* the table of globals */
    FUT_TAG_MODULE,    /* name: length, bytes */
    FUT_TAG_MEMBER,    /* name of a module and of its field, each length, bytes */
    FUT_TAG_IDENTREF,  /* identity, offset: the table there gets this identity from here on */
    FUT_TAG_IDENTITY,  /* identity: the reader has that table */
    FUT_TAG_HANDLE,    /* ref index of the object */
    FUT_TAG_CFUNCTION, /* address, 8 bytes: threads only */
    FUT_TAG_LIGHT,     /* address, 8 bytes: threads only */
    FUT_TAG_PACKED,    /* object of a C module: name of its class, module, u64 length, bytes */
    FUT_TAG_LAST = FUT_TAG_PACKED,

    FUT_TAG_SHARED = 0x20, /* bit of every tag below FUT_TAG_SMALL */
    FUT_TAG_SHORT = 0x40,  /* to 0x5f: a string of 0 to 31 bytes */
    FUT_TAG_SMALL = 0x80,  /* to 0xff: an integer from FUT_SMALL_MIN */
};

enum {
    FUT_HEAD_COMPOUND = 1, /* there are other values than scalars, or globals */
    FUT_HEAD_LINKED = 2,   /* values are shared, or nested deeper than FUT_DEPTH_SMALL */
    FUT_HEAD_BITS = 2,
    FUT_DEPTH_SMALL = 16,
    FUT_SMALL_MIN = -16,
    FUT_SMALL_MAX = FUT_SMALL_MIN + 0x7f,
    FUT_SHORT_MAX = 0x1f,
    FUT_VARINT_MAX = 10,    /* bytes of the longest varint */
    FUT_TABLE_COUNTS = 8,   /* bytes of narr and nhash */
    FUT_DEPTH_MAX = 200000, /* containers inside each other */
};

/* fut_put_varint(to, v): writes at most FUT_VARINT_MAX bytes; gives the address behind them. */
static inline unsigned char *fut_put_varint(unsigned char *to, uint64_t v) {
    while (v >= 0x80) {
        *to++ = (unsigned char)(v | 0x80);
        v >>= 7;
    }
    *to++ = (unsigned char)v;
    return to;
}

/* fut_get_varint(at, end, v): the address behind the varint, or NULL when it is cut or too
 * long. */
static inline const unsigned char *fut_get_varint(const unsigned char *at,
                                                  const unsigned char *end, uint64_t *v) {
    if (at < end && *at < 0x80) {
        *v = *at;
        return at + 1;
    }
    uint64_t value = 0;
    for (unsigned shift = 0; at < end && shift < 64; shift += 7) {
        unsigned char byte = *at++;
        if (shift == 63 && byte > 1) return NULL;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *v = value;
            return at;
        }
    }
    return NULL;
}

static inline uint64_t fut_zigzag(int64_t v) {
    return ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0);
}

static inline int64_t fut_unzigzag(uint64_t v) {
    return (int64_t)((v >> 1) ^ (0 - (v & 1)));
}

#endif
