/* SPDX-License-Identifier: MIT */
/* Names of values that both sides have: modules, fields of modules, the standard library.
 * A module is a table, function or full userdata in package.loaded under a string, which
 * another state can find: a standard module, one with a Lua loader in package.preload, or one
 * that package.path or package.cpath lead to. All access is raw. THREADS: that of the
 * lua_State. */
#ifndef FUT_VM_NAMES_H
#define FUT_VM_NAMES_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#include "vm/codec.h"

/* fut_names_standard(c, L): takes notice of the standard library's globals as they are now: its
 * C functions, its tables, _G and _VERSION; pushes a new table of them. */
void fut_names_standard(struct fut_codec *c, lua_State *L);

/* fut_names_is_standard(c, L, name, len, index): the value at index is what the standard
 * library has under that name. */
bool fut_names_is_standard(const struct fut_codec *c, lua_State *L, const char *name,
                           size_t len, int index);

/* fut_names_refresh(c, L): takes notice of modules that were loaded or dropped since the last
 * time. Costs a walk over package.loaded. */
void fut_names_refresh(struct fut_codec *c, lua_State *L);

/* fut_names_module(c, L, index): when the value at index is a module (as of the last refresh)
 * that another state can find: pushes its name and gives true. */
bool fut_names_module(struct fut_codec *c, lua_State *L, int index);

/* fut_names_member(c, L, index): when the value at index is a field of a module: pushes the
 * name of the module and that of the field and gives true. Only C functions are looked for in
 * _G. */
bool fut_names_member(struct fut_codec *c, lua_State *L, int index);

/* fut_names_holds(c, L, names, index): the module with the name at stack index `names` (and in
 * it the field named at `names` + 1, unless that is nil) is still the value at index. */
bool fut_names_holds(struct fut_codec *c, lua_State *L, int names, int index);

/* fut_names_require(c, L, name, len): pushes the module. Raises what require raises. */
void fut_names_require(struct fut_codec *c, lua_State *L, const char *name, size_t len);

/* fut_names_fetch(c, L, module, mlen, field, flen): pushes the field of the module. Raises an
 * error when there is none, and what require raises. */
void fut_names_fetch(struct fut_codec *c, lua_State *L, const char *module, size_t mlen,
                     const char *field, size_t flen);

#endif
