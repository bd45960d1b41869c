/* SPDX-License-Identifier: MIT */
/* A small HTTP server to try things on: slow, large, failing and redirecting answers, on
 * demand. One thread; thousands of slow requests at once cost nothing but their connections. */
#include <errno.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

static const char help[] = "A server to try things on.\n"
                           "  /delay/MS     answers after MS milliseconds\n"
                           "  /bytes/N      N bytes, or a range of them\n"
                           "  /status/N     an answer with status N\n"
                           "  /json         a JSON document\n"
                           "  /redirect/N   N redirects, then an answer\n"
                           "  /site/N       page N of a small site, 1 is the first\n"
                           "  /echo         what you sent, as JSON\n";

static const char document[] =
    "{\"name\":\"demo\",\"numbers\":[1,2,3],\"nested\":{\"pi\":3.14159},"
    "\"text\":\"gr\\u00fc\\u00dfe\",\"yes\":true,\"nothing\":null}\n";

enum {
    BODY_LIMIT = 64 << 20,
    DELAY_LIMIT_MS = 3600 * 1000,
    CONNECTIONS = 8192,
    HEADERS = 256,
    PIECE = 65536,
    PAGES = 32,  /* of the site, the first of them is no page */
    OWN_FDS = 32 /* standard streams, epoll, signals, and some to spare */
};

struct sleeper {
    int64_t due_ms;
    struct MHD_Connection *connection;
};

/* A heap: the one that is due first is the first. */
static struct sleeper sleepers[CONNECTIONS];
static size_t sleeper_count;

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void swap(size_t i, size_t k) {
    struct sleeper kept = sleepers[i];
    sleepers[i] = sleepers[k];
    sleepers[k] = kept;
}

static bool push_sleeper(struct sleeper s) {
    if (sleeper_count == CONNECTIONS) return false;
    size_t i = sleeper_count++;
    sleepers[i] = s;
    for (; i > 0 && sleepers[i].due_ms < sleepers[(i - 1) / 2].due_ms; i = (i - 1) / 2)
        swap(i, (i - 1) / 2);
    return true;
}

static struct sleeper pop_sleeper(void) {
    struct sleeper first = sleepers[0];
    sleepers[0] = sleepers[--sleeper_count];
    for (size_t i = 0, child; (child = 2 * i + 1) < sleeper_count; i = child) {
        if (child + 1 < sleeper_count && sleepers[child + 1].due_ms < sleepers[child].due_ms)
            child++;
        if (sleepers[i].due_ms <= sleepers[child].due_ms) break;
        swap(i, child);
    }
    return first;
}

static void wake_sleepers(int64_t until_ms) {
    while (sleeper_count > 0 && sleepers[0].due_ms <= until_ms)
        MHD_resume_connection(pop_sleeper().connection);
}

struct request {
    char *target; /* path and query, as sent */
    char *body;
    size_t body_len;
    size_t body_room;
    bool seen;
    bool waited;
    bool too_large;
};

static void *on_target(void *context, const char *target, struct MHD_Connection *connection) {
    (void)context;
    (void)connection;
    struct request *r = calloc(1, sizeof *r);
    if (r) r->target = strdup(target);
    return r;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **slot,
                         enum MHD_RequestTerminationCode how) {
    (void)context;
    (void)connection;
    (void)how;
    struct request *r = *slot;
    if (!r) return;
    free(r->target);
    free(r->body);
    free(r);
    *slot = NULL;
}

static void take_body(struct request *r, const char *bytes, size_t n) {
    if (r->too_large || n > BODY_LIMIT - r->body_len) {
        r->too_large = true;
        return;
    }
    if (n > r->body_room - r->body_len) {
        size_t room = 2 * (r->body_len + n);
        char *longer = realloc(r->body, room);
        r->too_large = !longer;
        if (!longer) return;
        r->body = longer;
        r->body_room = room;
    }
    memcpy(r->body + r->body_len, bytes, n);
    r->body_len += n;
}

static enum MHD_Result send_response(struct MHD_Connection *c, unsigned status,
                                     const char *type, struct MHD_Response *response) {
    if (!response) return MHD_NO;
    if (type) MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    enum MHD_Result result = MHD_queue_response(c, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result send_text(struct MHD_Connection *c, unsigned status, const char *text) {
    return send_response(c, status, "text/plain; charset=utf-8",
                         MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text,
                                                         MHD_RESPMEM_MUST_COPY));
}

static enum MHD_Result send_json(struct MHD_Connection *c, char *text, size_t len) {
    return send_response(c, MHD_HTTP_OK, "application/json",
                         MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE));
}

static enum MHD_Result answer_delay(struct MHD_Connection *c, struct request *r, uint64_t ms) {
    char text[64];
    if (ms > DELAY_LIMIT_MS) return send_text(c, MHD_HTTP_BAD_REQUEST, "an hour at most\n");
    if (!r->waited) {
        r->waited = true;
        struct sleeper sleeper = {now_ms() + 1 + (int64_t)ms, c}; /* not a moment earlier */
        if (!push_sleeper(sleeper)) return send_text(c, MHD_HTTP_SERVICE_UNAVAILABLE, "busy\n");
        MHD_suspend_connection(c);
        return MHD_YES;
    }
    snprintf(text, sizeof text, "waited %" PRIu64 " ms\n", ms);
    return send_text(c, MHD_HTTP_OK, text);
}

/* The alphabet over and over; `first` is how much of it comes before. */
static ssize_t make_bytes(void *first, uint64_t position, char *to, size_t room) {
    for (size_t i = 0; i < room; i++)
        to[i] = (char)('a' + ((uintptr_t)first + position + i) % 26);
    return (ssize_t)room;
}

/* "bytes=10-19" or "bytes=10-": false where that is not asked for, or not of these n. */
static bool read_range(struct MHD_Connection *c, uint64_t n, uint64_t *from, uint64_t *to) {
    const char *asked = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Range");
    *to = n - 1;
    return asked && sscanf(asked, "bytes=%" SCNu64 "-%" SCNu64, from, to) >= 1 &&
           *from <= *to && *to < n;
}

static enum MHD_Result answer_bytes(struct MHD_Connection *c, struct request *r, uint64_t n) {
    (void)r;
    if (n > INT64_MAX) return send_text(c, MHD_HTTP_BAD_REQUEST, "too many\n");
    if (n == 0) return send_text(c, MHD_HTTP_OK, "");
    char range[80];
    uint64_t from = 0, to;
    bool is_part = read_range(c, n, &from, &to);
    struct MHD_Response *response =
        MHD_create_response_from_callback(is_part ? to - from + 1 : n, PIECE, make_bytes,
                                          (void *)(uintptr_t)(is_part ? from % 26 : 0), NULL);
    if (!response) return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_ACCEPT_RANGES, "bytes");
    snprintf(range, sizeof range, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, from, to, n);
    if (is_part) MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_RANGE, range);
    return send_response(c, is_part ? MHD_HTTP_PARTIAL_CONTENT : MHD_HTTP_OK,
                         "application/octet-stream", response);
}

/* A tree of pages: N leads to 2N and 2N + 1, and back. Some links are broken, as they are. */
static enum MHD_Result answer_site(struct MHD_Connection *c, struct request *r, uint64_t n) {
    char page[512];
    (void)r;
    if (n < 1 || n >= PAGES) return send_text(c, MHD_HTTP_NOT_FOUND, "no such page\n");
    int len = snprintf(page, sizeof page,
                       "<title>Page %" PRIu64 "</title>\n<a href=\"/site/1\">home</a>\n"
                       "<a href=\"%" PRIu64 "\">left</a> <a href='../site/%" PRIu64
                       "#top'>right</a>\n<a href=\"http://example.org/\">elsewhere</a>\n"
                       "%s<a href=\"mailto:me@example.org\">me</a>\n",
                       n, 2 * n, 2 * n + 1,
                       n % 7 == 5 ? "<a href=\"/status/410\">an old one</a>\n" : "");
    return send_response(
        c, MHD_HTTP_OK, "text/html",
        MHD_create_response_from_buffer((size_t)len, page, MHD_RESPMEM_MUST_COPY));
}

static enum MHD_Result answer_status(struct MHD_Connection *c, struct request *r,
                                     uint64_t status) {
    char text[64] = "";
    (void)r;
    if (status < 200 || status > 599) return send_text(c, MHD_HTTP_BAD_REQUEST, "200 to 599\n");
    if (status != MHD_HTTP_NO_CONTENT && status != MHD_HTTP_NOT_MODIFIED)
        snprintf(text, sizeof text, "%u %s\n", (unsigned)status,
                 MHD_get_reason_phrase_for((unsigned)status));
    return send_text(c, (unsigned)status, text);
}

static enum MHD_Result answer_redirect(struct MHD_Connection *c, struct request *r,
                                       uint64_t n) {
    char location[64];
    (void)r;
    if (n == 0) return send_text(c, MHD_HTTP_OK, "arrived\n");
    snprintf(location, sizeof location, "/redirect/%" PRIu64, n - 1);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
    if (response) MHD_add_response_header(response, MHD_HTTP_HEADER_LOCATION, location);
    return send_response(c, MHD_HTTP_FOUND, NULL, response);
}

/* Any bytes as a JSON string: what is not ASCII becomes the code point of that number. */
static void write_string(FILE *out, const char *text, size_t len) {
    fputc('"', out);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < 0x20 || c >= 0x7f)
            fprintf(out, "\\u%04x", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

struct header_list {
    size_t count;
    struct {
        const char *name, *value;
    } fields[HEADERS];
};

static enum MHD_Result add_header(void *context, enum MHD_ValueKind kind, const char *name,
                                  const char *value) {
    struct header_list *list = context;
    (void)kind;
    if (list->count == HEADERS) return MHD_NO;
    list->fields[list->count].name = name;
    list->fields[list->count++].value = value ? value : "";
    return MHD_YES;
}

/* From the i-th on: those of the same name are one member, as HTTP means them. */
static void write_header(FILE *out, struct header_list *list, size_t i) {
    const char *name = list->fields[i].name;
    fputs(i > 0 ? "," : "", out);
    write_string(out, name, strlen(name));
    fputs(":", out);
    char *value = NULL;
    size_t len = 0;
    FILE *joined = open_memstream(&value, &len);
    if (!joined) return;
    for (size_t k = i; k < list->count; k++) {
        if (!list->fields[k].name || strcasecmp(list->fields[k].name, name) != 0) continue;
        fprintf(joined, "%s%s", k > i ? ", " : "", list->fields[k].value);
        list->fields[k].name = NULL;
    }
    fclose(joined);
    write_string(out, value, len);
    free(value);
}

static void write_headers(FILE *out, struct MHD_Connection *c) {
    struct header_list list = {0};
    MHD_get_connection_values(c, MHD_HEADER_KIND, add_header, &list);
    fputs("{", out);
    for (size_t i = 0; i < list.count; i++)
        if (list.fields[i].name) write_header(out, &list, i);
    fputs("}", out);
}

static enum MHD_Result answer_echo(struct MHD_Connection *c, struct request *r,
                                   const char *method) {
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (!out) return MHD_NO;
    fputs("{\"method\":", out);
    write_string(out, method, strlen(method));
    fputs(",\"path\":", out);
    write_string(out, r->target, strlen(r->target));
    fputs(",\"headers\":", out);
    write_headers(out, c);
    fputs(",\"body\":", out);
    write_string(out, r->body, r->body_len);
    fputs("}\n", out);
    if (fclose(out) != 0) {
        free(text);
        return MHD_NO;
    }
    return send_json(c, text, len);
}

static const struct {
    const char *prefix;
    enum MHD_Result (*answer)(struct MHD_Connection *, struct request *, uint64_t);
} numbered[] = {
    {"/delay/", answer_delay},       {"/bytes/", answer_bytes}, {"/status/", answer_status},
    {"/redirect/", answer_redirect}, {"/site/", answer_site},
};

static bool read_number(const char *text, uint64_t *number) {
    char *end;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0;
}

static enum MHD_Result answer(struct MHD_Connection *c, struct request *r, const char *path,
                              const char *method) {
    for (size_t i = 0; i < sizeof numbered / sizeof *numbered; i++) {
        size_t len = strlen(numbered[i].prefix);
        uint64_t number;
        if (strncmp(path, numbered[i].prefix, len) != 0) continue;
        if (!read_number(path + len, &number))
            return send_text(c, MHD_HTTP_BAD_REQUEST, "a number is missing\n");
        return numbered[i].answer(c, r, number);
    }
    if (strcmp(path, "/json") == 0) return send_json(c, strdup(document), sizeof document - 1);
    if (strcmp(path, "/echo") == 0) return answer_echo(c, r, method);
    if (strcmp(path, "/") == 0) return send_text(c, MHD_HTTP_OK, help);
    return send_text(c, MHD_HTTP_NOT_FOUND, "nothing here, see /\n");
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *c, const char *path,
                                  const char *method, const char *version, const char *bytes,
                                  size_t *count, void **slot) {
    struct request *r = *slot;
    (void)context;
    (void)version;
    if (!r || !r->target) return MHD_NO;
    if (!r->seen) {
        r->seen = true;
        return MHD_YES;
    }
    if (*count > 0) {
        take_body(r, bytes, *count);
        *count = 0;
        return MHD_YES;
    }
    if (r->too_large) return send_text(c, 413, "64 MiB at most\n");
    return answer(c, r, path, method);
}

struct settings {
    uint16_t port;
    bool until_stdin_closes;
};

static int raise_fd_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 256;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur > CONNECTIONS + OWN_FDS ? CONNECTIONS + OWN_FDS : (int)limit.rlim_cur;
}

static struct MHD_Daemon *start(uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    unsigned connections = (unsigned)(raise_fd_limit() - OWN_FDS);
    return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, port, NULL, NULL,
                            on_request, NULL, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address,
                            MHD_OPTION_URI_LOG_CALLBACK, on_target, NULL,
                            MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
                            MHD_OPTION_CONNECTION_LIMIT, connections,
                            MHD_OPTION_LISTEN_BACKLOG_SIZE, 4096U, MHD_OPTION_END);
}

static int wait_time_ms(struct MHD_Daemon *daemon) {
    int64_t wait = -1;
    MHD_UNSIGNED_LONG_LONG of_daemon;
    if (MHD_get_timeout(daemon, &of_daemon) == MHD_YES) wait = (int64_t)of_daemon;
    if (sleeper_count > 0) {
        int64_t left = sleepers[0].due_ms - now_ms();
        if (left < 0) left = 0;
        if (wait < 0 || left < wait) wait = left;
    }
    return wait > INT32_MAX ? INT32_MAX : (int)wait;
}

static bool is_closed(int fd) {
    char bytes[256];
    ssize_t n = read(fd, bytes, sizeof bytes);
    return n == 0 || (n < 0 && errno != EINTR);
}

static void serve(struct MHD_Daemon *daemon, const struct settings *settings, int signals) {
    struct pollfd polled[] = {
        {MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd, POLLIN, 0},
        {signals, POLLIN, 0},
        {settings->until_stdin_closes ? STDIN_FILENO : -1, POLLIN, 0},
    };
    for (;;) {
        if (poll(polled, 3, wait_time_ms(daemon)) < 0 && errno != EINTR) break;
        if (polled[1].revents || (polled[2].revents && is_closed(STDIN_FILENO))) break;
        wake_sleepers(now_ms());
        MHD_run(daemon);
    }
    wake_sleepers(INT64_MAX); /* the library does not stop while one is suspended */
    MHD_run(daemon);
}

static bool read_arguments(int count, char **arguments, struct settings *settings) {
    for (int i = 1; i < count; i++) {
        uint64_t port;
        if (strcmp(arguments[i], "--until-stdin-closes") == 0) {
            settings->until_stdin_closes = true;
        } else if (strcmp(arguments[i], "-p") == 0 && i + 1 < count &&
                   read_number(arguments[i + 1], &port) && port <= UINT16_MAX) {
            settings->port = (uint16_t)port;
            i++;
        } else {
            return false;
        }
    }
    return true;
}

int main(int count, char **arguments) {
    struct settings settings = {0};
    if (!read_arguments(count, arguments, &settings)) {
        fprintf(stderr, "usage: %s [-p PORT] [--until-stdin-closes]\n\n%s", arguments[0], help);
        return 2;
    }
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    signal(SIGPIPE, SIG_IGN);
    int signals = signalfd(-1, &ends, SFD_CLOEXEC);
    struct MHD_Daemon *daemon = start(settings.port);
    if (!daemon || signals < 0) {
        fprintf(stderr, "%s: cannot listen on 127.0.0.1 port %u\n", arguments[0],
                settings.port);
        return 1;
    }
    printf("listening on http://127.0.0.1:%u\n",
           MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    serve(daemon, &settings, signals);
    MHD_stop_daemon(daemon);
    close(signals);
    return 0;
}
