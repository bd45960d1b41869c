/* SPDX-License-Identifier: MIT */
/* The encoder from the inside, for the files that make it up:
 *   encode.c           the calls of encode.h: buffers, sequences
 *   encode_value.c     scalars, tables, the loop
 *   encode_function.c  functions, upvalues, the globals that they need
 *   encode_object.c    modules, metatables, userdata, __persist
 *   path.c             what a refusal says
 *
 * Nothing recurses: containers that are being encoded are frames on a stack in C memory,
 * their Lua values are on the Lua stack. A frame owns the slots from `slot` up and pops them
 * at its end.
 *
 *   frame      slots
 *   table      table [key [value]] | table metatable
 *   function   function [upvalue]
 *   persist    object closure */
#ifndef FUT_VM_ENCODER_H
#define FUT_VM_ENCODER_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "core/payload.h"
#include "vm/codec.h"
#include "vm/encode.h"
#include "vm/format.h"
#include "vm/identity.h"
#include "vm/map.h"

enum fut_frame_kind { FUT_FRAME_TABLE, FUT_FRAME_FUNCTION, FUT_FRAME_PERSIST };

/* What of a table is being encoded: a value (its key is below it), a key, the metatable. */
enum fut_frame_part { FUT_PART_VALUE, FUT_PART_KEY, FUT_PART_META };

struct fut_frame {
    enum fut_frame_kind kind;
    enum fut_frame_part part;
    int slot;  /* on the Lua stack */
    size_t at; /* offset in the bytes: of the counts of a table, of the tag of the others */
    union {
        struct {
            lua_Integer next;  /* index of the next array item; 0: the array part has ended */
            lua_Integer limit; /* last index that the array part may have */
            uint64_t narr, nhash;
            bool meta; /* a metatable follows */
            bool weak;
        } table;
        struct {
            const struct fut_code *code;
            int up;      /* upvalue being encoded, from 1 */
            int globals; /* upvalue that becomes the globals, or 0 */
        } function;
    } u;
};

/* A function of the sequence whose globals must travel. */
struct fut_needy {
    const struct fut_code *code; /* one of the refs */
    int env;                     /* index in the anchors, or 0: the globals */
};

struct fut_encoder {
    struct fut_codec *codec;
    struct fut_route route;
    bool busy;
    bool fresh; /* the names of modules are up to date */

    struct fut_buf out;
    struct fut_object **refs; /* a count held of each */
    uint32_t nrefs, refs_cap;

    /* Of the sequence: */
    size_t start;
    unsigned char flags; /* FUT_HEAD_... */
    struct fut_map
        seen; /* address of a value or cell -> offset from start; address of a counted
                          * object -> index in refs; that of a code + 1 -> 0 when it is needy */
    const void *globals; /* address of the table of globals, once it was needed */
    int anchors;         /* stack index of a table, or nil: index -> a value that must not be
                          * collected, name of a global -> whether it was met */
    int nanchors;
    struct fut_frame *frames;
    size_t depth, frames_cap;
    size_t persists; /* how many frames are of __persist */
    struct fut_needy *needy;
    size_t nneedy, needy_cap;

    /* Where we are, for messages. */
    enum fut_role role;
    int root;            /* of the values, from 0 */
    const char *global;  /* or a global */
    const char *message; /* of the last refusal; FUT_REF_MESSAGE is the string */
};

/* encode_value.c */

/* fut_encoder_enter(e, L): encodes the value on the stack's top, which is no scalar and is
 * taken off, or makes a frame for it. */
enum fut_err fut_encoder_enter(struct fut_encoder *e, lua_State *L);

/* fut_encoder_value(e, L, index): encodes the value at index (absolute) with all that is in
 * it. */
enum fut_err fut_encoder_value(struct fut_encoder *e, lua_State *L, int index);

/* fut_encoder_globals_table(e, L): the address of the table of globals. */
static inline const void *fut_encoder_globals_table(struct fut_encoder *e, lua_State *L) {
    if (!e->globals) {
        lua_pushglobaltable(L);
        e->globals = lua_topointer(L, -1);
        lua_pop(L, 1);
    }
    return e->globals;
}

/* fut_encoder_scalar(e, L, index, type, track): nil, boolean, number or string; with `track` a
 * string that was seen before becomes a REF. */
enum fut_err fut_encoder_scalar(struct fut_encoder *e, lua_State *L, int index, int type,
                                bool track);
static inline bool fut_is_scalar(int type) {
    return type <= LUA_TSTRING && type != LUA_TLIGHTUSERDATA;
}

/* fut_encoder_table(e, L, meta, id): makes a frame for the table on the top: whether its
 * metatable follows, and its identity, or NULL. */
enum fut_err fut_encoder_table(struct fut_encoder *e, lua_State *L, bool meta,
                               const struct fut_identity *id);

/* fut_encoder_seen(e, L, address, seen): looks the address up; when it is new, what is
 * appended next is its first occurrence. When it was seen, and *seen is set, a REF to it has
 * been appended. */
enum fut_err fut_encoder_seen(struct fut_encoder *e, lua_State *L, const void *address,
                              bool *seen);

/* fut_encoder_frame(e, L, kind): a new topmost frame that owns the slot on the stack's top
 * and those to come. */
enum fut_err fut_encoder_frame(struct fut_encoder *e, lua_State *L, enum fut_frame_kind kind);

static inline struct fut_frame *fut_encoder_top(struct fut_encoder *e) {
    return &e->frames[e->depth - 1];
}

/* fut_encoder_leave(e, L): ends the topmost frame. */
void fut_encoder_leave(struct fut_encoder *e, lua_State *L);

/* fut_encoder_put(e, tag, bytes, n): appends a tag and n bytes. */
enum fut_err fut_encoder_put(struct fut_encoder *e, unsigned char tag, const void *bytes,
                             size_t n);

/* fut_encoder_tag(e, tag): appends a tag. */
static inline enum fut_err fut_encoder_tag(struct fut_encoder *e, unsigned char tag) {
    unsigned char *to = fut_buf_reserve(&e->out, 1);
    if (!to) return FUT_ENOMEM;
    *to = tag;
    e->out.len++;
    return FUT_OK;
}

/* fut_encoder_put_number(e, tag, v): appends a tag and a varint. */
enum fut_err fut_encoder_put_number(struct fut_encoder *e, unsigned char tag, uint64_t v);

/* fut_encoder_put_text(e, text, len): appends length and bytes. */
enum fut_err fut_encoder_put_text(struct fut_encoder *e, const char *text, size_t len);

/* fut_encoder_share(e, offset): tells the reader to remember the value there. */
static inline void fut_encoder_share(struct fut_encoder *e, uint64_t offset) {
    e->out.data[e->start + offset] |= FUT_TAG_SHARED;
    e->flags |= FUT_HEAD_LINKED;
}

/* encode.c */

/* fut_encoder_ref(e, object, index): the object's index among the refs; takes a count of its
 * own when it is new there. */
enum fut_err fut_encoder_ref(struct fut_encoder *e, struct fut_object *object, uint32_t *index);

/* fut_encoder_anchor(e, L, index): keeps the value at index alive until the sequence ends;
 * its index in the table of anchors. Raises memory errors. */
int fut_encoder_anchor(struct fut_encoder *e, lua_State *L, int index);

/* fut_encoder_anchors(e, L): makes the table at stack index e->anchors, if not yet done. */
void fut_encoder_anchors(struct fut_encoder *e, lua_State *L);

/* encode_function.c */

enum fut_err fut_encoder_function(struct fut_encoder *e, lua_State *L);
enum fut_err fut_encoder_function_step(struct fut_encoder *e, lua_State *L);

/* fut_encoder_globals(e, L): appends the globals that functions of the sequence need. */
enum fut_err fut_encoder_globals(struct fut_encoder *e, lua_State *L);

/* encode_object.c */

/* Tables that are more than their content (globals, modules, with a metatable, a metatable
 * themselves); the others become a frame at once. The table is on the top; it was not seen
 * before. */
enum fut_err fut_encoder_object(struct fut_encoder *e, lua_State *L, const void *address);
enum fut_err fut_encoder_metatable(struct fut_encoder *e, lua_State *L);
enum fut_err fut_encoder_userdata(struct fut_encoder *e, lua_State *L);

/* fut_encoder_named(e, L, k): appends the name of a module or of a field in it. */
enum fut_err fut_encoder_named(struct fut_encoder *e, lua_State *L, const struct fut_known *k);

/* path.c */

/* fut_encoder_refuse(e, L, why, ...): sets the message to the path of the place where the
 * encoder is and the reason, a format of lua_pushfstring. Gives FUT_ETRANSFER. */
enum fut_err fut_encoder_refuse(struct fut_encoder *e, lua_State *L, const char *why, ...);

/* fut_encoder_refuse_value(e, L, index, why): the same with the kind of the value at index
 * in front: "userdata (FILE*) cannot travel". */
enum fut_err fut_encoder_refuse_value(struct fut_encoder *e, lua_State *L, int index,
                                      const char *why);

/* fut_encoder_way(e): where the values go, for messages about processes. */
static inline const char *fut_encoder_way(const struct fut_encoder *e) {
    return e->route.home ? "home from a process" : "to a process";
}

#endif
