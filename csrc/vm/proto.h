/* SPDX-License-Identifier: MIT */
/* The parts of a function in a dump of Lua 5.4, for those who read bytecode.
 * THREADS: any. */
#ifndef FUT_VM_PROTO_H
#define FUT_VM_PROTO_H

#include <stddef.h>

/* A reader with at == NULL has met something unexpected, and stays so. */
struct fut_reader {
    const unsigned char *at, *end;
};

enum { FUT_UPVALUE_BYTES = 3 }; /* of the description of one upvalue */

/* Where the parts are, in their order, and how many items each has. */
struct fut_proto {
    const unsigned char *code, *constants, *ups, *protos, *end;
    size_t ncode, nconstants, nups, nprotos;
};

/* fut_reader_skip(r, n): passes n bytes. */
void fut_reader_skip(struct fut_reader *r, size_t n);

/* fut_reader_proto(r, p): reads one function with all inside it. p->protos is the start of the
 * inner ones, to be read in turn. */
void fut_reader_proto(struct fut_reader *r, struct fut_proto *p);

/* fut_reader_constant(r, len): reads one constant. The bytes of a string, or NULL for the other
 * kinds. */
const unsigned char *fut_reader_constant(struct fut_reader *r, size_t *len);

#endif
