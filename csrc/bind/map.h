/* SPDX-License-Identifier: MIT */
/* The fast parts of Executor:map. lua/futures/map.lua decides what is submitted when; here
 * items are read from the sources, packed into chunks, and taken out of a chunk's outcome one
 * by one. */
#ifndef FUT_BIND_MAP_H
#define FUT_BIND_MAP_H

#include <lua.h>

/* fut_map_open(L): adds `map` to the module table at the top, a table with
 *
 *   new(advance, sources) -> map object. Calling it gives the next `index, results...` of the
 *     chunk that was installed last, or, when none is left, what advance(self) says: true (a
 *     chunk was installed: go on), or nil (the end), or an index and results.
 *   row(self) -> one value from each source, or nothing when the shortest has ended
 *   chunk(self, executor, fn, size, options) -> the future of a task that runs up to `size`
 *     rows, and their number; nothing when the sources have ended. For options see
 *     bind/submit.h
 *   install(self, future, first, rows): its results are next; `first` is the index of the first
 *   stop(self): nothing is next, and the sources are not asked again
 *   metatable: of map objects; lua/futures/map.lua completes it. */
void fut_map_open(lua_State *L);

#endif
