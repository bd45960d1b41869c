/* SPDX-License-Identifier: MIT */
#include "fetch/head.h"

#include <string.h>
#include <strings.h>

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

static bool starts_response(const char *line, size_t len) {
    return len >= 5 && memcmp(line, "HTTP/", 5) == 0;
}

static enum fut_head_result append(struct fut_head *h, const char *line, size_t len) {
    bool ok = fut_buf_append(&h->lines, line, len) && fut_buf_append(&h->lines, "", 1);
    return ok ? FUT_HEAD_OK : FUT_HEAD_MEMORY;
}

/* A line that begins with a blank goes on with the field before it (an old rule of HTTP). */
static enum fut_head_result continue_field(struct fut_head *h, const char *line, size_t len) {
    while (len > 0 && is_blank(*line)) {
        line++;
        len--;
    }
    h->lines.data[h->lines.len - 1] = ' ';
    return append(h, line, len);
}

enum fut_head_result fut_head_feed(struct fut_head *h, const char *line, size_t len) {
    h->received += len;
    if (h->received > FUT_HEAD_LIMIT) return FUT_HEAD_TOO_LARGE;
    while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r')) len--;
    if ((h->complete || h->lines.len == 0) && starts_response(line, len)) {
        h->lines.len = 0;
        h->complete = false;
    }
    if (h->complete) return FUT_HEAD_OK;
    if (len == 0) {
        h->complete = true;
        return FUT_HEAD_OK;
    }
    while (len > 0 && is_blank(line[len - 1])) len--;
    if (len == 0) return FUT_HEAD_OK;
    if (is_blank(*line) && h->lines.len > 0) return continue_field(h, line, len);
    return append(h, line, len);
}

void fut_head_clear(struct fut_head *h) {
    h->lines.len = 0;
    h->received = 0;
    h->complete = false;
}

void fut_head_deinit(struct fut_head *h) {
    fut_buf_deinit(&h->lines);
    *h = (struct fut_head){0};
}

const char *fut_head_reason(const struct fut_head *h) {
    if (h->lines.len == 0) return "";
    const char *at = strchr((const char *)h->lines.data, ' '); /* behind HTTP/1.1 */
    if (at) at = strchr(at + 1, ' ');                          /* behind the code */
    return at ? at + 1 : "";
}

bool fut_head_next(const struct fut_head *h, size_t *position, struct fut_field *field) {
    const char *lines = (const char *)h->lines.data;
    if (*position == 0 && h->lines.len > 0) *position = strlen(lines) + 1;
    while (*position < h->lines.len) {
        const char *line = lines + *position;
        *position += strlen(line) + 1;
        const char *colon = strchr(line, ':');
        if (!colon || colon == line) continue;
        const char *name_end = colon;
        while (name_end > line && is_blank(name_end[-1])) name_end--;
        const char *value = colon + 1;
        while (is_blank(*value)) value++;
        *field = (struct fut_field){line, (size_t)(name_end - line), value, strlen(value)};
        return true;
    }
    return false;
}

const char *fut_head_find(const struct fut_head *h, const char *name) {
    size_t position = 0, len = strlen(name);
    struct fut_field field;
    while (fut_head_next(h, &position, &field))
        if (field.name_len == len && strncasecmp(field.name, name, len) == 0)
            return field.value;
    return NULL;
}
