/* SPDX-License-Identifier: MIT */
/* fut_handle: the two-way door for userdata that stand for counted objects of this process
 * (futures, executors, sessions). The floor above registers each class once; the codec carries
 * any of them between threads without knowing them.
 *
 * LAYOUT: such a userdata starts with a `struct fut_object *` (NULL while empty).
 * Each state has one handle per object that came to it or was sent from it: what comes twice,
 * or comes back, is the same value.
 * THREADS: that of its lua_State. */
#ifndef FUT_VM_HANDLE_H
#define FUT_VM_HANDLE_H

#include <lua.h>
#include <stdbool.h>

#include "core/object.h"
#include "futures.h"

struct fut_handle_class {
    const struct fut_object_type *type; /* of the objects that its userdata point to */
    const char *tname;                  /* their metatable's name in the registry */
    bool home;                          /* travels from a worker home, too */
    /* make(L, object): pushes a new userdata for object, which takes a count. May raise. */
    void (*make)(lua_State *L, struct fut_object *object);
    /* sent(L, index): the userdata at index is about to travel; may be NULL. May raise. */
    void (*sent)(lua_State *L, int index);
    const struct fut_class *foreign; /* of a C module (vm/foreign.h), or NULL */
};

/* fut_handle_class_add(c): makes a class known to the process; c lives for ever. Any thread; a
 * second time it does nothing. */
void fut_handle_class_add(const struct fut_handle_class *c);

/* fut_handle_class_of(L, index): the class of the value at index, or NULL when it is no handle
 * or an empty one. */
const struct fut_handle_class *fut_handle_class_of(lua_State *L, int index);

/* fut_handle_class_foreign(c): the class that stands for a C module's, or NULL. */
const struct fut_handle_class *fut_handle_class_foreign(const struct fut_class *c);

/* fut_handle_class_named(name, len): that of the C module's class with this name, or NULL. */
const struct fut_handle_class *fut_handle_class_named(const char *name, size_t len);

/* fut_handle_send(L, index, c): the object behind the handle of class c at index, not
 * counted. */
struct fut_object *fut_handle_send(lua_State *L, int index, const struct fut_handle_class *c);

/* fut_handle_push(L, object): pushes the state's handle for object; false when its class is
 * unknown. Requires the module in a state that has not done so. */
bool fut_handle_push(lua_State *L, struct fut_object *object);

#endif
