/* SPDX-License-Identifier: MIT */
#include "fetch/request.h"

#include <math.h>
#include <strings.h>

#include "base/alloc.h"

struct fut_request *fut_request_new(void) {
    struct fut_request *r = fut_alloc(sizeof *r);
    if (!r) return NULL;
    *r = (struct fut_request){
        .refs = 1,
        .total_s = 60,
        .connect_s = INFINITY,
        .idle_s = INFINITY,
        .max_redirects = 10,
        .max_body = FUT_REQUEST_MAX_BODY,
        .compression = true,
        .verify = true,
        .deadline_s = INFINITY,
        .max_connections = FUT_REQUEST_MAX_CONNECTIONS,
        .max_per_host = FUT_REQUEST_MAX_PER_HOST,
        .max_pending = SIZE_MAX,
        .max_buffered = FUT_REQUEST_MAX_BUFFERED,
    };
    return r;
}

void fut_request_hold(struct fut_request *r) {
    atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
}

static void part_deinit(struct fut_part *p) {
    fut_free(p->name);
    fut_free(p->path);
    fut_free(p->filename);
    fut_free(p->type);
    fut_buf_deinit(&p->bytes);
}

void fut_request_drop(struct fut_request *r) {
    if (!r || atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) != 1) return;
    for (size_t i = 0; i < r->part_count; i++) part_deinit(&r->parts[i]);
    fut_free(r->parts);
    fut_buf_deinit(&r->headers);
    fut_buf_deinit(&r->body);
    char *const strings[] = {r->method,     r->output,  r->user, r->password, r->token,
                             r->user_agent, r->ca_file, r->cert, r->key,      r->proxy};
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) fut_free(strings[i]);
    fut_free(r);
}

const char *fut_request_next_header(const struct fut_request *r, size_t *position) {
    if (*position >= r->headers.len) return NULL;
    const char *line = (const char *)r->headers.data + *position;
    *position += strlen(line) + 1;
    return line;
}

bool fut_request_is_named(const char *line, const char *name) {
    size_t len = strlen(name);
    return strncasecmp(line, name, len) == 0 && (line[len] == ':' || line[len] == ';');
}

bool fut_request_has_header(const struct fut_request *r, const char *name) {
    size_t position = 0;
    for (const char *line; (line = fut_request_next_header(r, &position));)
        if (fut_request_is_named(line, name)) return true;
    return false;
}
