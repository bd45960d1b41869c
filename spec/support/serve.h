/* SPDX-License-Identifier: MIT */
/* What the servers of the specs share: HTTP/1.1 by hand, a thread for each connection. A
 * program includes this once, defines `answer` and calls `serve_on` for each of its ports.
 * THREADS: `answer` runs in the thread of its connection. */
#ifndef FUT_SPEC_SERVE_H
#define FUT_SPEC_SERVE_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REQUEST_LIMIT = 16 << 20, REQUEST_PIECE = 16 << 10, STACK_SIZE = 128 << 10 };

struct exchange {
    int fd;
    int connection; /* number of the connection, from 1 */
    int turn;       /* number of the request on it, from 1 */
    char *request;  /* as received, a zero behind it */
    size_t len;
    char method[32];
    char target[2048];
};

/* answer(x): answers a request. True: the connection stays open for the next one. */
static bool answer(struct exchange *x);

static bool send_bytes(int fd, const void *bytes, size_t n) {
    const char *at = bytes;
    while (n > 0) {
        ssize_t sent = send(fd, at, n, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return false;
        at += sent;
        n -= (size_t)sent;
    }
    return true;
}

static bool send_text(int fd, const char *text) {
    return send_bytes(fd, text, strlen(text));
}

/* A HEAD gets the head. */
static bool send_answer(const struct exchange *x, const char *status, const char *fields,
                        const char *body, size_t len) {
    char head[4096];
    snprintf(head, sizeof head, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n", status, fields,
             len);
    if (!send_text(x->fd, head)) return false;
    return strcmp(x->method, "HEAD") == 0 || send_bytes(x->fd, body, len);
}

static bool send_echo(const struct exchange *x) {
    return send_answer(x, "200 OK", "Content-Type: text/plain\r\n", x->request, x->len);
}

static void reset(int fd) {
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

static size_t body_length(const char *head) {
    const char *field = strcasestr(head, "\r\nContent-Length:");
    return field ? strtoul(field + 17, NULL, 10) : 0;
}

/* One request, body included; what comes behind it is not expected and belongs to it. */
static bool read_request(struct exchange *x) {
    size_t wanted = 0;
    x->len = 0;
    for (;;) {
        if (x->len > REQUEST_LIMIT) return false;
        char *longer = realloc(x->request, x->len + REQUEST_PIECE + 1);
        if (!longer) return false;
        x->request = longer;
        ssize_t n = recv(x->fd, x->request + x->len, REQUEST_PIECE, 0);
        if (n <= 0) return false;
        x->len += (size_t)n;
        x->request[x->len] = '\0';
        if (x->request[0] == 0x16) { /* somebody wants to speak TLS */
            send_text(x->fd, "HTTP/1.1 400 Bad Request\r\n\r\n");
            return false;
        }
        char *end = wanted ? NULL : strstr(x->request, "\r\n\r\n");
        if (end) wanted = (size_t)(end + 4 - x->request) + body_length(x->request);
        if (wanted && x->len >= wanted)
            return sscanf(x->request, "%31s %2047s", x->method, x->target) == 2;
    }
}

static void *converse(void *argument) {
    static atomic_int connections;
    struct exchange *x = argument;
    x->connection = ++connections;
    while (read_request(x)) {
        x->turn++;
        if (!answer(x)) break;
    }
    /* With unread bytes a close would be a reset, and the client might lose the answer. */
    struct linger linger = {0};
    socklen_t size = sizeof linger;
    getsockopt(x->fd, SOL_SOCKET, SO_LINGER, &linger, &size);
    if (!linger.l_onoff) shutdown(x->fd, SHUT_WR);
    close(x->fd);
    free(x->request);
    free(x);
    return NULL;
}

/* listen_on(ip, backlog, port): a listener; *port 0 is any free one, and is set. -1: taken. */
static int listen_on(const char *ip, int backlog, int *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)*port)};
    socklen_t size = sizeof address;
    inet_pton(AF_INET, ip, &address.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 &&
        listen(fd, backlog) == 0 && getsockname(fd, (struct sockaddr *)&address, &size) == 0) {
        *port = ntohs(address.sin_port);
        return fd;
    }
    if (fd >= 0) close(fd);
    return -1;
}

static int listen_on_free_port(int backlog, int *port) {
    *port = 0;
    int fd = listen_on("127.0.0.1", backlog, port);
    if (fd < 0) {
        perror("listen");
        exit(1);
    }
    return fd;
}

static void *accept_all(void *argument) {
    int listener = (int)(intptr_t)argument;
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, STACK_SIZE);
    pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
    for (;;) {
        struct exchange *x = calloc(1, sizeof *x);
        pthread_t thread;
        if (!x) abort();
        x->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        int at_once = 1;
        if (x->fd >= 0) setsockopt(x->fd, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
        if (x->fd < 0 || pthread_create(&thread, &small, converse, x) != 0) {
            if (x->fd >= 0) close(x->fd);
            free(x);
            usleep(1000); /* no descriptors: some will come back */
        }
    }
    return NULL;
}

/* serve_on(listener): from now on, in threads of its own. Thousands may be connected. */
static void serve_on(int listener) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    signal(SIGPIPE, SIG_IGN);
    pthread_t thread;
    if (pthread_create(&thread, NULL, accept_all, (void *)(intptr_t)listener) != 0) abort();
}

#endif
