/* SPDX-License-Identifier: MIT */
/* fut_handle: the two-way door for userdata that stand for counted objects of this process
 * (futures, executors, sessions). The floor above registers each class in each state; the codec
 * carries any of them between threads without knowing them.
 *
 * LAYOUT: such a userdata starts with a `struct fut_object *` (NULL while empty or closed).
 * THREADS: that of its lua_State. */
#ifndef FUT_VM_HANDLE_H
#define FUT_VM_HANDLE_H

#include <lua.h>
#include <stdbool.h>

#include "core/object.h"

struct fut_handle_class {
    const struct fut_object_type *type; /* objects that the userdata of this class point to */
    const char *tname;                  /* their metatable's name in the registry */
    /* push(L, object): pushes the userdata that stands for object in L, making it when there is
     * none yet (and taking a count of its own then). May raise memory errors. */
    void (*push)(lua_State *L, struct fut_object *object);
    /* opens the class in a state that meets it for the first time (requires the module); may be
     * NULL. */
    void (*open)(lua_State *L);
    /* sent(L, index): the userdata at index is about to travel; may be NULL. May raise. */
    void (*sent)(lua_State *L, int index);
};

/* fut_handle_class_add(c): makes a class known to the process. Once per class, at module load;
 * thread-safe. c must live for ever. */
void fut_handle_class_add(const struct fut_handle_class *c);

/* fut_handle_test(L, index): the object behind the userdata at index, not counted, when its
 * metatable is that of a known class; else NULL. For the encoder: tells the class (`sent`). */
struct fut_object *fut_handle_test(lua_State *L, int index);

/* fut_handle_push(L, object): pushes the userdata for object; false when its class is unknown. */
bool fut_handle_push(lua_State *L, struct fut_object *object);

#endif
