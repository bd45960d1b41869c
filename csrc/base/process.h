/* SPDX-License-Identifier: MIT */
/* What a freshly forked process does to itself. */
#ifndef FUT_BASE_PROCESS_H
#define FUT_BASE_PROCESS_H

/* fut_process_close_from(first, except): closes all file descriptors from `first` on but one
 * (-1: none is spared). Close-on-exec does nothing between forked siblings. */
void fut_process_close_from(int first, int except);

/* fut_process_forks(): how often this process came out of a fork since the library was
 * loaded, its parents' forks included. What was made under another number was made by
 * another process. A load, not a system call as getpid is. */
unsigned fut_process_forks(void);

/* What it counts, for hot paths: read it where something was made by somebody who has called
 * fut_process_forks. Written only in a new child, which has one thread. */
extern unsigned fut_process_forks_seen;

/* fut_process_reset_signals(): default handlers for all signals, none blocked; but SIGINT is
 * ignored at every moment, before and after: Ctrl-C is for the program. */
void fut_process_reset_signals(void);

/* fut_process_drop_output(): throws away what the parent has written to its streams and not yet
 * flushed: that is the parent's to write. All descriptors above 2 lose what they stood for, but
 * for `except`; close them afterwards. */
void fut_process_drop_output(int except);

#endif
