/* SPDX-License-Identifier: MIT */
/* fut_sink: where the bytes of a body go: into memory, or into a file that gets its name only
 * when it is complete. Counts them against a limit.
 * STATE: zeroed memory is a closed sink. open, then write any number of times, then finish;
 * clear or deinit at any time, which removes a file that was not finished.
 * BLOCKING: a file is written at once.
 * THREADS: one at a time. */
#ifndef FUT_FETCH_SINK_H
#define FUT_FETCH_SINK_H

#include <stdint.h>

#include "base/buf.h"

struct fut_sink {
    struct fut_buf memory;
    uint64_t received;
    uint64_t limit;
    uint64_t expected; /* bytes in all, where that is known; or 0 */
    size_t touched;    /* bytes of `memory` whose pages are there */
    char *part_path;   /* NULL: the bytes go into memory */
    int fd;            /* meaningful while part_path is there */
};

enum fut_sink_result {
    FUT_SINK_OK,
    FUT_SINK_FULL, /* more bytes than the limit */
    FUT_SINK_MEMORY,
    FUT_SINK_FILE, /* the file cannot be made or written: errno */
    FUT_SINK_ODD,  /* what is there is no regular file */
    FUT_SINK_BUSY, /* another sink, of any process, writes it */
};

/* fut_sink_open_memory(s, limit): empty, room for `limit` bytes. */
void fut_sink_open_memory(struct fut_sink *s, uint64_t limit);

/* fut_sink_open_file(s, path, limit): makes `path.part`, and locks it until it is finished or
 * cleared. */
enum fut_sink_result fut_sink_open_file(struct fut_sink *s, const char *path, uint64_t limit);

/* fut_sink_expect(s, total): so many bytes are announced. Memory is taken for them ahead, but
 * not more than what a server may cost that announces much and sends little. */
void fut_sink_expect(struct fut_sink *s, uint64_t total);

/* fut_sink_write(s, bytes, n): after a result that is not OK the sink takes no more. */
enum fut_sink_result fut_sink_write(struct fut_sink *s, const void *bytes, size_t n);

/* fut_sink_finish(s, path): all is there; a file is renamed to `path`; memory that was taken
 * ahead in vain goes back. */
enum fut_sink_result fut_sink_finish(struct fut_sink *s, const char *path);

/* fut_sink_clear(s): closed again; an unfinished file is removed, memory is freed. */
void fut_sink_clear(struct fut_sink *s);

#endif
