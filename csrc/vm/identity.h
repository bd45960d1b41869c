/* SPDX-License-Identifier: MIT */
/* Identities of metatables (classes): which table of one state is a copy of which table of
 * another, so that an object comes home under the metatable that it left with. An identity is
 * the uid of the state where the original is and its number there. Copies keep the original's
 * identity.
 * THREADS: that of the lua_State. */
#ifndef FUT_VM_IDENTITY_H
#define FUT_VM_IDENTITY_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "vm/codec.h"

struct fut_identity {
    uint64_t uid;
    uint64_t number;
};

enum { FUT_UID_BYTES = 8 };

/* fut_identity_find(c, L, index, id): the identity that the table at index (absolute) has;
 * false when it has none. */
bool fut_identity_find(struct fut_codec *c, lua_State *L, int index, struct fut_identity *id);

/* fut_identity_give(c, L, index, id): a new one for a table that has none. */
void fut_identity_give(struct fut_codec *c, lua_State *L, int index, struct fut_identity *id);

/* fut_identity_push(c, L, id): pushes the table that got it in this state; false when it was
 * given elsewhere, or the table is no more. */
bool fut_identity_push(struct fut_codec *c, lua_State *L, struct fut_identity id);

/* fut_identity_adopt(c, L, index, id): the table at index (absolute) is a copy of the
 * original. */
void fut_identity_adopt(struct fut_codec *c, lua_State *L, int index, struct fut_identity id);

#endif
