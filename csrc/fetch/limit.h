/* SPDX-License-Identifier: MIT */
/* How many connections the system allows this process. */
#ifndef FUT_FETCH_LIMIT_H
#define FUT_FETCH_LIMIT_H

#include <stddef.h>

/* fut_limit_connections(wanted): raises the soft limit of file descriptors, if it is too low
 * for so many and what else the process needs; how many of the wanted ones there can be. At
 * least 1. Any thread. */
size_t fut_limit_connections(size_t wanted);

#endif
