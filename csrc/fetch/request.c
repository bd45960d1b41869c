/* SPDX-License-Identifier: MIT */
#include "fetch/request.h"

#include <math.h>

#include "base/alloc.h"

void fut_request_init(struct fut_request *r) {
    *r = (struct fut_request){
        .total_s = 60,
        .connect_s = INFINITY,
        .idle_s = INFINITY,
        .max_redirects = 10,
        .max_body = FUT_REQUEST_MAX_BODY,
        .compression = true,
        .verify = true,
    };
}

static void part_deinit(struct fut_part *p) {
    fut_free(p->name);
    fut_free(p->path);
    fut_free(p->filename);
    fut_free(p->type);
    fut_buf_deinit(&p->bytes);
}

void fut_request_deinit(struct fut_request *r) {
    for (size_t i = 0; i < r->part_count; i++) part_deinit(&r->parts[i]);
    fut_free(r->parts);
    fut_buf_deinit(&r->headers);
    fut_buf_deinit(&r->body);
    char *const strings[] = {r->url,      r->method, r->output,     r->user,
                             r->password, r->token,  r->user_agent, r->ca_file,
                             r->cert,     r->key,    r->proxy};
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) fut_free(strings[i]);
    *r = (struct fut_request){0};
}

const char *fut_request_next_header(const struct fut_request *r, size_t *position) {
    if (*position >= r->headers.len) return NULL;
    const char *line = (const char *)r->headers.data + *position;
    *position += strlen(line) + 1;
    return line;
}
