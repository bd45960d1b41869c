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

/* Where the parts are, in their order, and how many items each has. */
struct fut_proto {
    const unsigned char *code, *constants, *ups, *protos, *names, *end;
    size_t ncode, nconstants, nups, nprotos, nnames;
};

/* fut_reader_proto(r, p): reads one function with all inside it. p->protos is the start of the
 * inner ones, to be read in turn. */
void fut_reader_proto(struct fut_reader *r, struct fut_proto *p);

/* fut_reader_constant(r, len): reads one constant. The bytes of a string, or NULL for the other
 * kinds. */
const unsigned char *fut_reader_constant(struct fut_reader *r, size_t *len);

/* fut_reader_string(r, len): reads one string; NULL when it is absent. */
const unsigned char *fut_reader_string(struct fut_reader *r, size_t *len);

#endif
