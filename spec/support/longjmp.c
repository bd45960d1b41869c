/* SPDX-License-Identifier: MIT */
/* Part of programs with Lua inside that are built with ThreadSanitizer. A Lua library built
 * with _FORTIFY_SOURCE leaves errors by __longjmp_chk, which TSan does not know: its stack
 * of calls would grow with each error, and everything would become slower until it crashed. */
#undef _FORTIFY_SOURCE
#include <setjmp.h>

/* The name is glibc's, so it is reserved, and in no header. */
_Noreturn void __longjmp_chk(jmp_buf place, int value); /* NOLINT */

_Noreturn void __longjmp_chk(jmp_buf place, int value) { /* NOLINT */
    longjmp(place, value);
}
