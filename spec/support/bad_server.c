/* SPDX-License-Identifier: MIT */
/* An HTTP server that misbehaves, each path in its own way. A thread for each connection. It
 * prints
 *
 *     listening on http://127.0.0.1:PORT
 *     deaf http://127.0.0.1:PORT       a port that takes no more connections and says nothing
 *     refused http://127.0.0.1:PORT    a port where nobody listens
 *
 * and ends when its standard input closes. `bad_server --free-ports N` prints N free ports. */
#include <fcntl.h>

#include "serve.h"

enum { STEP_US = 50 * 1000 };

typedef bool (*behaviour)(struct exchange *x);

static void wait_for_close(int fd) {
    char bytes[4096];
    while (recv(fd, bytes, sizeof bytes, 0) > 0)
        ;
}

static bool is_closed(int fd) {
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void drip(int fd, const char *byte) {
    while (!is_closed(fd) && send_text(fd, byte)) usleep(STEP_US);
}

static bool do_silence(struct exchange *x) {
    wait_for_close(x->fd);
    return false;
}

static bool do_drip(struct exchange *x) {
    send_text(x->fd, "HTTP/1.1 200 OK\r\n\r\n");
    drip(x->fd, ".");
    return false;
}

static bool do_slow_headers(struct exchange *x) {
    send_text(x->fd, "HTTP/1.1 200 OK\r\nX: ");
    drip(x->fd, "x");
    return false;
}

static bool do_stall(struct exchange *x) {
    send_text(x->fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n0123456789");
    wait_for_close(x->fd);
    return false;
}

static bool do_reset(struct exchange *x) {
    send_text(x->fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n0123456789");
    usleep(STEP_US); /* or the reset overtakes the bytes */
    reset(x->fd);
    return false;
}

static bool do_reset_early(struct exchange *x) {
    reset(x->fd);
    return false;
}

static void send_endlessly(int fd, const char *piece) {
    while (send_text(fd, piece))
        ;
}

static bool do_chunked_big(struct exchange *x) {
    send_text(x->fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    send_endlessly(x->fd, "10\r\n0123456789abcdef\r\n");
    return false;
}

static bool do_announced_big(struct exchange *x) {
    send_text(x->fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n0123456789");
    wait_for_close(x->fd);
    return false;
}

static bool do_header_bomb(struct exchange *x) {
    send_text(x->fd, "HTTP/1.1 200 OK\r\n");
    send_endlessly(x->fd, "X-Filler: 0123456789012345678901234567890123456789\r\n");
    return false;
}

static bool do_long_header(struct exchange *x) {
    send_text(x->fd, "HTTP/1.1 200 OK\r\nX-Filler: ");
    send_endlessly(x->fd, "0123456789012345678901234567890123456789");
    return false;
}

static bool do_redirect_body(struct exchange *x) {
    send_text(x->fd, "HTTP/1.1 302 Found\r\nLocation: /ok\r\n\r\n");
    send_endlessly(x->fd, "0123456789012345678901234567890123456789");
    return false;
}

/* Deflate by hand: in a block with the fixed codes a zero byte, and then again and again "258
 * bytes more of the same", which is 13 bits. */
static bool do_gzip_bomb(struct exchange *x) {
    enum { COPIES = 200000, SIZE = 10 + (3 + 8 + 13 * COPIES + 7) / 8 + 8 };
    static const unsigned char header[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3};
    unsigned char *bytes = calloc(1, SIZE);
    if (!bytes) return false;
    memcpy(bytes, header, sizeof header);
    size_t at = sizeof header * 8;
    const char *codes[] = {"110", "00110000", "1100010100000"}; /* last block, fixed; 0; copy */
    for (int i = 0; i < 2 + COPIES; i++)
        for (const char *bit = codes[i < 2 ? i : 2]; *bit; bit++, at++)
            if (*bit == '1') bytes[at / 8] |= (unsigned char)(1 << at % 8);
    send_answer(x, "200 OK", "Content-Encoding: gzip\r\n", (char *)bytes, SIZE);
    free(bytes);
    return false;
}

/* The bytes of the hexadecimal digits, at most `size`: how many. */
static size_t read_hex(const char *digits, char *bytes, size_t size) {
    size_t n = 0;
    for (unsigned byte; n < size && sscanf(digits, "%2x", &byte) == 1; n++, digits += 2)
        bytes[n] = (char)byte;
    return n;
}

/* /coded/WAY/CODING/HEX: a body of those bytes; WAY is the status, or "chunked". */
static bool do_coded(struct exchange *x) {
    char way[16], coding[64], bytes[1024], fields[256];
    int at = 0;
    if (sscanf(x->target, "/coded/%15[^/]/%63[^/]/%n", way, coding, &at) != 2 || !at)
        return false;
    size_t n = read_hex(x->target + at, bytes, sizeof bytes);
    snprintf(fields, sizeof fields, "Content-Encoding: %s\r\n", coding);
    if (strcmp(way, "chunked") != 0) return send_answer(x, way, fields, bytes, n);
    char head[512];
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\n%sTransfer-Encoding: chunked\r\n\r\n",
             fields);
    bool ok = send_text(x->fd, head);
    for (size_t i = 0; i < n && ok; i++)
        ok = send_text(x->fd, "1\r\n") && send_bytes(x->fd, bytes + i, 1) &&
             send_text(x->fd, "\r\n");
    return ok && send_text(x->fd, "0\r\n\r\n");
}

static bool do_echo(struct exchange *x) {
    return send_echo(x);
}

/* /to/STATUS/LOCATION */
static bool do_to(struct exchange *x) {
    char status[16], fields[2200];
    const char *location = strchr(x->target + 4, '/');
    if (!location) return false;
    snprintf(status, sizeof status, "%.3s Moved", x->target + 4);
    snprintf(fields, sizeof fields, "Location: %s\r\n", location + 1);
    return send_answer(x, status, fields, "moved", 5);
}

static bool do_digest(struct exchange *x) {
    if (strcasestr(x->request, "\r\nAuthorization: Digest ")) return do_echo(x);
    return send_answer(
        x, "401 Unauthorized",
        "WWW-Authenticate: Digest realm=\"spec\", nonce=\"abc\", qop=\"auth\"\r\n",
        "who are you", 11);
}

static bool do_connection(struct exchange *x) {
    char text[64];
    snprintf(text, sizeof text, "%d %d", x->connection, x->turn);
    return send_answer(x, "200 OK", "", text, strlen(text));
}

/* As a server whose keep-alive time is over just when the next request comes. */
static bool do_die_on_reuse(struct exchange *x) {
    return x->turn == 1 && send_answer(x, "200 OK", "", "ok", 2);
}

static const struct {
    const char *prefix;
    behaviour act;
} behaviours[] = {
    {"/silence", do_silence},
    {"/drip", do_drip},
    {"/slow-headers", do_slow_headers},
    {"/stall", do_stall},
    {"/reset-early", do_reset_early},
    {"/reset", do_reset},
    {"/chunked-big", do_chunked_big},
    {"/announced-big", do_announced_big},
    {"/header-bomb", do_header_bomb},
    {"/long-header", do_long_header},
    {"/redirect-body", do_redirect_body},
    {"/gzip-bomb", do_gzip_bomb},
    {"/coded/", do_coded},
    {"/echo", do_echo},
    {"http://", do_echo}, /* as a proxy is asked */
    {"/to/", do_to},
    {"/digest", do_digest},
    {"/connection", do_connection},
    {"/die-on-reuse", do_die_on_reuse},
};

#define OK "HTTP/1.1 200 OK\r\n"
#define GZIP OK "Content-Encoding: gzip\r\n"

/* Sent as they are; then the connection is closed. */
static const struct {
    const char *path;
    const char *bytes;
} scripted[] = {
    {"/empty", ""},
    {"/interim-only", "HTTP/1.1 100 Continue\r\n\r\n"},
    {"/head-of-one-line", OK},
    {"/head-cut", OK "X-One: 1\r\nX-Tw"},
    {"/redirect-cut", "HTTP/1.1 302 Found\r\nLocation: /o"},
    {"/redirect-bad-gzip", "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Encoding: gzip\r\n"
                           "Content-Length: 7\r\n\r\nno gzip"},
    {"/empty-location", "HTTP/1.1 302 Found\r\nLocation:\r\nContent-Length: 7\r\n\r\nnowhere"},
    {"/garbage", "this is not HTTP at all\r\n\r\n"},
    {"/bad-status", "HTTP/1.1 many OK\r\n\r\nbody"},
    {"/ok", OK "Content-Length: 2\r\n\r\nok"},
    {"/truncated", OK "Content-Length: 1000\r\n\r\n0123456789"},
    {"/truncated-chunked", OK "Transfer-Encoding: chunked\r\n\r\n10\r\n0123456789"},
    {"/bad-chunk", OK "Transfer-Encoding: chunked\r\n\r\nno number\r\n"},
    {"/bad-gzip", GZIP "Content-Length: 12\r\n\r\nthis is text"},
    {"/redirect-loop", "HTTP/1.1 302 Found\r\nLocation: /redirect-loop\r\n\r\n"},
    {"/no-location", "HTTP/1.1 302 Found\r\nContent-Length: 7\r\n\r\nnowhere"},
    {"/interim", "HTTP/1.1 103 Early Hints\r\nX-Interim: 1\r\n\r\n" OK
                 "Content-Length: 2\r\nX-Final: 1\r\n\r\nok"},
    {"/length-63", OK "Content-Length: 9223372036854775808\r\n\r\nok"},
    {"/length-64", OK "Content-Length: 18446744073709551617\r\n\r\no"}, /* 1, if it wraps */
    {"/length-no-body", OK "Content-Length: 99999999999999999999\r\n\r\n"},
    {"/length-chunked", OK "Content-Length: 99999999999999999999\r\nTransfer-Encoding: "
                           "chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"},
    {"/length-redirect", "HTTP/1.1 302 Found\r\nLocation: /ok\r\n"
                         "Content-Length: 99999999999999999999\r\n\r\nmoved"},
    {"/length-zeros", OK "Content-Length: 000000000000000000000000000002\r\n\r\nok"},
    {"/trailer", OK "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Trailer: 1\r\n\r\n"},
    {"/marked-json", OK "Content-Length: 6\r\n\r\n\xEF\xBB\xBF[7]"},
    {"/method-named", OK "Content-Length: 0\r\nget_all: x\r\n\r\n"},
    {"/headers", OK "Content-Length: 0\r\nSet-Cookie: a=1\r\nX-MiXed: Value \r\n"
                    "set-cookie: b=2\r\nX-Empty:\r\nX-Folded: one\r\n two\r\n\r\n"},
};

static bool answer(struct exchange *x) {
    for (size_t i = 0; i < sizeof scripted / sizeof *scripted; i++) {
        if (strcmp(x->target, scripted[i].path) == 0) {
            send_text(x->fd, scripted[i].bytes);
            return false;
        }
    }
    for (size_t i = 0; i < sizeof behaviours / sizeof *behaviours; i++)
        if (strncmp(x->target, behaviours[i].prefix, strlen(behaviours[i].prefix)) == 0)
            return behaviours[i].act(x);
    return send_answer(x, "404 Not Found", "", "no such misbehaviour", 20);
}

/* Linux drops what wants to connect when the queue is full. */
static int open_deaf_port(void) {
    int port;
    listen_on_free_port(0, &port);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 0; i < 4; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 &&
            errno != EINPROGRESS)
            perror("bad_server");
    }
    return port;
}

int main(int count, char **arguments) {
    int port, listener;
    if (count == 3 && strcmp(arguments[1], "--free-ports") == 0) {
        for (int i = atoi(arguments[2]); i > 0; i--) {
            listen_on_free_port(1, &port); /* open until all are known, so they differ */
            printf("%d\n", port);
        }
        return 0;
    }
    listener = listen_on_free_port(1024, &port);
    printf("listening on http://127.0.0.1:%d\n", port);
    printf("deaf http://127.0.0.1:%d\n", open_deaf_port());
    close(listen_on_free_port(1, &port));
    printf("refused http://127.0.0.1:%d\n", port);
    fflush(stdout);
    serve_on(listener);
    char bytes[64];
    while (read(STDIN_FILENO, bytes, sizeof bytes) > 0)
        ;
    _exit(0); /* threads may be talking still */
}
