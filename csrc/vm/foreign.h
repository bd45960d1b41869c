/* SPDX-License-Identifier: MIT */
/* Objects of C modules (include/futures.h): counted memory that is a fut_object to the core, a
 * handle to Lua, bytes to another process, and may be all of an outcome.
 *
 * STATE: classes are known to the process for ever once they were opened.
 * THREADS: what takes a lua_State, its thread; all else any. */
#ifndef FUT_VM_FOREIGN_H
#define FUT_VM_FOREIGN_H

#include <lua.h>

#include "core/outcome.h"
#include "futures.h"
#include "vm/decoder.h"
#include "vm/encoder.h"
#include "vm/handle.h"

/* See class_open, object_new, object_hold, object_drop, object_sole, object_slot, object_fill
 * and object_test in futures.h. */
void fut_foreign_open(lua_State *L, const struct fut_class *c);
void *fut_foreign_new(const struct fut_class *c, size_t size);
void fut_foreign_hold(void *object);
void fut_foreign_drop(void *object);
bool fut_foreign_sole(void *object);
void fut_foreign_slot(lua_State *L, const struct fut_class *c);
void fut_foreign_fill(lua_State *L, int index, void *object);
void *fut_foreign_test(lua_State *L, int index, const struct fut_class *c);

/* fut_foreign_head(object): the counted object behind the module's. */
struct fut_object *fut_foreign_head(void *object);

/* fut_foreign_outcome(o, result): the empty `o` becomes what the result says; takes its object
 * or encoded values in any case. */
void fut_foreign_outcome(struct fut_outcome *o, struct fut_result *result);

/* Encoded values, as they are on their way. */
struct fut_values {
    struct fut_payload payload;
};
void fut_foreign_values_free(struct fut_values *v);

/* fut_foreign_call(call, out): makes the empty payload `out` a task of a thread pool that runs
 * the call. On success the payload releases it. */
enum fut_err fut_foreign_call(const struct fut_native_call *call, struct fut_payload *out);

/* fut_foreign_call_disown(call): it will not be released: nobody has run it. */
void fut_foreign_call_disown(struct fut_payload *call);

/* fut_foreign_run(call, out): runs such a payload. */
void fut_foreign_run(const struct fut_payload *call, struct fut_outcome *out);

/* For the codec: the object of the handle on the top, of a class with pack, as bytes; and
 * back. */
enum fut_err fut_foreign_pack(struct fut_encoder *e, lua_State *L,
                              const struct fut_handle_class *c);
enum fut_err fut_foreign_unpack(struct fut_reading *r);

#endif
