/* SPDX-License-Identifier: MIT */
/* For tests: a server in this process on a free port of the loopback. It answers whatever it is
 * asked with "ok" and keeps the connection. To be included once by a test program. */
#ifndef FUT_FETCH_OK_SERVER_H
#define FUT_FETCH_OK_SERVER_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"

static int listener;
static int port;
static atomic_int connections;
static atomic_bool hangs_up; /* after each answer, without saying so */

static void *converse(void *argument) {
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: 1\r\n\r\nok";
    int fd = *(int *)argument;
    char request[4096];
    free(argument);
    while (recv(fd, request, sizeof request, 0) > 0)
        if (send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL) < 0 || hangs_up) break;
    close(fd);
    return NULL;
}

static void *serve(void *argument) {
    (void)argument;
    for (;;) {
        pthread_t thread;
        int *fd = malloc(sizeof *fd);
        FUT_ASSERT(fd);
        *fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        FUT_ASSERT(*fd >= 0);
        connections++;
        FUT_ASSERT(pthread_create(&thread, NULL, converse, fd) == 0);
        pthread_detach(thread);
    }
    return NULL;
}

static void start_server(void) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    pthread_t thread;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    FUT_ASSERT(bind(listener, (struct sockaddr *)&address, size) == 0);
    FUT_ASSERT(listen(listener, 16) == 0);
    FUT_ASSERT(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
    port = ntohs(address.sin_port);
    FUT_ASSERT(pthread_create(&thread, NULL, serve, NULL) == 0);
    pthread_detach(thread);
}

#endif
