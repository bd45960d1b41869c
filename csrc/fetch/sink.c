/* SPDX-License-Identifier: MIT */
#include "fetch/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

static const char part_suffix[] = ".part";

void fut_sink_open_memory(struct fut_sink *s, uint64_t limit) {
    fut_sink_clear(s);
    s->limit = limit;
}

static bool is_other(const char *path, const struct stat *file) {
    struct stat named;
    return stat(path, &named) != 0 || named.st_ino != file->st_ino ||
           named.st_dev != file->st_dev;
}

/* The file is empty, and locked: the bytes of two requests would mix. Whoever had the lock
 * before may have renamed it meanwhile, then it is not what is wanted. */
static enum fut_sink_result claim(int fd, const char *part_path) {
    struct stat file;
    if (fstat(fd, &file) != 0) return FUT_SINK_FILE;
    if (!S_ISREG(file.st_mode)) return FUT_SINK_ODD;
    bool is_locked = flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (is_locked || is_other(part_path, &file)) return FUT_SINK_BUSY;
    return ftruncate(fd, 0) == 0 ? FUT_SINK_OK : FUT_SINK_FILE;
}

/* Never blocks, as a FIFO would; never takes the place of a device. */
static enum fut_sink_result open_part(const char *path, const char *part_path, int *fd) {
    struct stat target;
    if (stat(path, &target) == 0 && !S_ISREG(target.st_mode)) return FUT_SINK_ODD;
    *fd = open(part_path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
    if (*fd < 0) return errno == ENXIO ? FUT_SINK_ODD : FUT_SINK_FILE;
    enum fut_sink_result result = claim(*fd, part_path);
    if (result == FUT_SINK_OK) return result;
    int reason = errno;
    close(*fd);
    *fd = -1;
    errno = reason;
    return result;
}

enum fut_sink_result fut_sink_open_file(struct fut_sink *s, const char *path, uint64_t limit) {
    fut_sink_open_memory(s, limit);
    size_t len = strlen(path);
    char *part_path = fut_alloc(len + sizeof part_suffix);
    if (!part_path) return FUT_SINK_MEMORY;
    memcpy(part_path, path, len);
    memcpy(part_path + len, part_suffix, sizeof part_suffix);
    enum fut_sink_result result = open_part(path, part_path, &s->fd);
    if (result == FUT_SINK_OK) {
        s->part_path = part_path;
    } else {
        int reason = errno;
        fut_free(part_path);
        errno = reason;
    }
    return result;
}

void fut_sink_expect(struct fut_sink *s, uint64_t total) {
    s->expected = total;
}

/* Addresses are taken for an announced body in one piece, so it is not copied while it grows;
 * more than AHEAD only as bytes come. Pages are taken for less: these cost memory. */
enum { AHEAD = 4 << 20, PAGES_AHEAD = 256 << 10, PAGES_MIN = 16 << 10 };

static bool make_room(struct fut_sink *s, size_t n) {
    struct fut_buf *b = &s->memory;
    if (b->cap - b->len >= n) return true;
    if (s->expected <= b->len + n) return fut_buf_grow(b, n);
    uint64_t cap = b->cap + n < AHEAD / 2 ? AHEAD : 2 * (b->cap + n);
    return fut_buf_resize(b, (size_t)(cap < s->expected ? cap : s->expected));
}

static void touch(struct fut_sink *s, size_t n) {
    struct fut_buf *b = &s->memory;
    size_t from = s->touched > b->len ? s->touched : b->len, to = b->len + n;
    if (to <= from) return;
    if (s->expected > to) to += PAGES_AHEAD;
    if (to > b->cap) to = b->cap;
    if (to - from >= PAGES_MIN) fut_alloc_touch(b->data + from, to - from);
    s->touched = to;
}

static enum fut_sink_result write_memory(struct fut_sink *s, const void *bytes, size_t n) {
    if (!make_room(s, n)) return FUT_SINK_MEMORY;
    touch(s, n);
    fut_buf_append(&s->memory, bytes, n);
    return FUT_SINK_OK;
}

static enum fut_sink_result write_file(int fd, const char *bytes, size_t n) {
    while (n > 0) {
        ssize_t written = write(fd, bytes, n);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return FUT_SINK_FILE;
        bytes += written;
        n -= (size_t)written;
    }
    return FUT_SINK_OK;
}

enum fut_sink_result fut_sink_write(struct fut_sink *s, const void *bytes, size_t n) {
    if (n > s->limit - s->received) return FUT_SINK_FULL;
    if (n == 0) return FUT_SINK_OK;
    enum fut_sink_result result =
        s->part_path ? write_file(s->fd, bytes, n) : write_memory(s, bytes, n);
    if (result == FUT_SINK_OK) s->received += n;
    return result;
}

static void trim(struct fut_buf *b) {
    if (b->len == 0)
        fut_buf_deinit(b);
    else if (b->cap - b->len > b->len / 8 + 64)
        fut_buf_resize(b, b->len);
}

enum fut_sink_result fut_sink_finish(struct fut_sink *s, const char *path) {
    trim(&s->memory);
    if (!s->part_path) return FUT_SINK_OK;
    /* close says whether all was written; a copy keeps the lock until the file has its name */
    int fd = s->fd;
    s->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (close(fd) != 0 || rename(s->part_path, path) != 0) return FUT_SINK_FILE;
    if (s->fd >= 0) close(s->fd);
    fut_free(s->part_path);
    s->part_path = NULL;
    return FUT_SINK_OK;
}

void fut_sink_clear(struct fut_sink *s) {
    if (s->part_path) {
        unlink(s->part_path);
        if (s->fd >= 0) close(s->fd);
        fut_free(s->part_path);
    }
    fut_buf_deinit(&s->memory);
    *s = (struct fut_sink){0};
}
