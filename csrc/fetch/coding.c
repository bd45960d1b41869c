/* SPDX-License-Identifier: MIT */
#include "fetch/coding.h"

#include <limits.h>
#include <stdio.h>
#include <strings.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/err.h"

enum {
    STAGES_MAX = 5, /* of a server that means well there is one */
    PIECE = 16 * 1024,
    GZIP_MAGIC = 0x1f, /* the first byte of each member */
};

struct fut_stage {
    z_stream z;
    bool is_gzip;
    bool started; /* z is there */
    bool ended;   /* at the end of a stream, or of a member */
};

static const char *name_of(const struct fut_stage *s) {
    return s->is_gzip ? "gzip" : "deflate";
}

/* ---- the header fields ---- */

static bool is_token(const char *at, size_t len, const char *token) {
    return len == strlen(token) && strncasecmp(at, token, len) == 0;
}

static enum fut_coding_result add_stage(struct fut_coding *c, const char *at, size_t len) {
    bool is_gzip = is_token(at, len, "gzip") || is_token(at, len, "x-gzip");
    if (len == 0 || is_token(at, len, "identity")) return FUT_CODING_OK;
    if ((!is_gzip && !is_token(at, len, "deflate")) || c->count == STAGES_MAX) {
        snprintf(c->why, sizeof c->why, "content coding '%.*s'", len < 40 ? (int)len : 40, at);
        return FUT_CODING_UNKNOWN;
    }
    struct fut_stage *stages = fut_realloc(c->stages, (size_t)(c->count + 1) * sizeof *stages);
    if (!stages) return FUT_CODING_MEMORY;
    c->stages = stages;
    memmove(stages + 1, stages, (size_t)c->count * sizeof *stages); /* none has started */
    memset(stages, 0, sizeof *stages);
    stages[0].is_gzip = is_gzip;
    c->count++;
    return FUT_CODING_OK;
}

/* "gzip, deflate": in the order in which they were applied. */
static enum fut_coding_result add_stages(struct fut_coding *c, const char *list) {
    enum fut_coding_result result = FUT_CODING_OK;
    while (*list && result == FUT_CODING_OK) {
        list += strspn(list, " \t,");
        size_t len = strcspn(list, " \t,;");
        result = add_stage(c, list, len);
        list += len;
        list += strcspn(list, ","); /* no coding has parameters */
    }
    return result;
}

enum fut_coding_result fut_coding_open(struct fut_coding *c, const struct fut_head *head) {
    static const char name[] = "Content-Encoding";
    enum fut_coding_result result = FUT_CODING_OK;
    struct fut_field field;
    size_t position = 0;
    fut_coding_deinit(c);
    while (result == FUT_CODING_OK && fut_head_next(head, &position, &field))
        if (is_token(field.name, field.name_len, name)) result = add_stages(c, field.value);
    if (result != FUT_CODING_OK) {
        fut_free(c->stages);
        c->stages = NULL;
        c->count = 0;
    }
    return result;
}

/* ---- the bytes ---- */

static voidpf take_memory(voidpf unused, uInt count, uInt size) {
    (void)unused;
    return fut_alloc((size_t)count * size);
}

static void give_memory(voidpf unused, voidpf memory) {
    (void)unused;
    fut_free(memory);
}

static enum fut_coding_result fail(struct fut_coding *c, const struct fut_stage *s,
                                   const char *why) {
    snprintf(c->why, sizeof c->why, "%s: %s", name_of(s), why);
    return FUT_CODING_BAD;
}

/* Servers mean two things by "deflate": with the frame of zlib, as the standard says, or
 * without. No encoder begins the latter with this number in the lower bits: it would be a
 * stored block with a bit of its padding set. */
static int window_bits(const struct fut_stage *s, unsigned char first) {
    enum { GZIP = 16, RAW = -1 };
    if (s->is_gzip) return MAX_WBITS + GZIP;
    return (first & 15) == Z_DEFLATED ? MAX_WBITS : RAW * MAX_WBITS;
}

/* Ready for the next bytes, of which there are some. */
static enum fut_coding_result begin(struct fut_coding *c, struct fut_stage *s) {
    if (s->started && !s->ended) return FUT_CODING_OK;
    unsigned char first = *s->z.next_in;
    if (!s->started) {
        s->z.zalloc = take_memory;
        s->z.zfree = give_memory;
        int status = inflateInit2(&s->z, window_bits(s, first));
        s->started = status == Z_OK;
        return status == Z_OK ? FUT_CODING_OK : FUT_CODING_MEMORY;
    }
    if (!s->is_gzip || first != GZIP_MAGIC)
        return fail(c, s, "more bytes behind the end of the body");
    s->ended = false; /* one more member */
    inflateReset(&s->z);
    return FUT_CODING_OK;
}

static enum fut_coding_result feed(struct fut_coding *c, int stage, const void *bytes, size_t n,
                                   fut_coding_take *take, void *taker);

/* Some of its input becomes a piece of output, which goes to the next stage. */
static enum fut_coding_result step(struct fut_coding *c, int stage, fut_coding_take *take,
                                   void *taker) {
    struct fut_stage *s = &c->stages[stage];
    unsigned char piece[PIECE];
    s->z.next_out = piece;
    s->z.avail_out = sizeof piece;
    int status = inflate(&s->z, Z_NO_FLUSH);
    s->ended = status == Z_STREAM_END;
    size_t n = sizeof piece - s->z.avail_out;
    enum fut_coding_result result =
        n > 0 ? feed(c, stage + 1, piece, n, take, taker) : FUT_CODING_OK;
    if (result != FUT_CODING_OK) return result;
    if (status == Z_MEM_ERROR) return FUT_CODING_MEMORY;
    if (status == Z_NEED_DICT) return fail(c, s, "needs a dictionary");
    if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
        return fail(c, s, s->z.msg ? s->z.msg : "no sense in it");
    return FUT_CODING_OK;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as there are stages */
static enum fut_coding_result feed(struct fut_coding *c, int stage, const void *bytes, size_t n,
                                   fut_coding_take *take, void *taker) {
    if (stage == c->count) return take(taker, bytes, n) ? FUT_CODING_OK : FUT_CODING_REFUSED;
    struct fut_stage *s = &c->stages[stage];
    FUT_ASSERT(n <= UINT_MAX);
    s->z.next_in = (Bytef *)bytes;
    s->z.avail_in = (uInt)n;
    bool is_more = n > 0; /* of input, or of output that did not fit */
    while (is_more) {
        enum fut_coding_result result = s->z.avail_in > 0 ? begin(c, s) : FUT_CODING_OK;
        if (result == FUT_CODING_OK) result = step(c, stage, take, taker);
        if (result != FUT_CODING_OK) return result;
        is_more = s->z.avail_in > 0 || (s->z.avail_out == 0 && !s->ended);
    }
    return FUT_CODING_OK;
}

enum fut_coding_result fut_coding_write(struct fut_coding *c, const void *bytes, size_t n,
                                        fut_coding_take *take, void *taker) {
    return feed(c, 0, bytes, n, take, taker);
}

enum fut_coding_result fut_coding_finish(struct fut_coding *c) {
    for (int i = 0; i < c->count; i++) {
        const struct fut_stage *s = &c->stages[i];
        if (!s->started || s->ended) continue;
        snprintf(c->why, sizeof c->why, "%s", name_of(s));
        return FUT_CODING_CUT;
    }
    return FUT_CODING_OK;
}

void fut_coding_deinit(struct fut_coding *c) {
    for (int i = 0; i < c->count; i++)
        if (c->stages[i].started) inflateEnd(&c->stages[i].z);
    fut_free(c->stages);
    *c = (struct fut_coding){0};
}
