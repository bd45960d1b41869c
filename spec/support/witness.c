/* SPDX-License-Identifier: MIT */
/* An HTTP server that remembers what it was asked, and that answers when a spec says so, not
 * after some time. It prints
 *
 *     listening on http://127.0.0.1:PORT
 *     other http://127.0.0.2:PORT            the same server, for clients another host
 *
 * and ends when its standard input closes. Paths:
 *
 *     /wait/NAME              answers when the gate NAME is open
 *     /halves/NAME/BYTES      half of the body now, the rest when the gate is open
 *     /sequence/NAME/ITEMS    the n-th request of NAME gets the n-th item, later ones the last.
 *                             An item is a status, with :SECONDS or :@SECONDS (as a date) for
 *                             a Retry-After, or one of the words truncated, reset (both in the
 *                             middle of the body), silence
 *     /delay/MS               answers after so long
 *     /set/COOKIE             a cookie, percent-encoded; /login: one with a redirect to /echo
 *     /echo                   the request as it came; /: "ok", as all other paths
 *     CONNECT HOST:PORT       a tunnel, as of a proxy; what is asked in plain is an echo
 *
 * Lines of standard input are commands. Each is answered in the FIFO that is its last word:
 *
 *     seen FIFO               a line for each request: microseconds connection turn in-flight
 *                             in-flight-of-host host METHOD target
 *     forget FIFO             forgets them, and where the sequences stood
 *     open NAME FIFO          opens a gate for good
 *     now NAME FIFO           open connections, requests in flight, those that wait at the gate
 */
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>

#include "serve.h"

enum { NAMES = 256, NAME_SIZE = 64, PATIENCE_MS = 600 * 1000 };

struct sight {
    int64_t us;
    int connection, turn, in_flight, of_host;
    char *line; /* host METHOD target */
};

/* A gate, a sequence or a host: what is counted by name. */
struct named {
    char name[NAME_SIZE];
    int gate; /* an eventfd that stays readable once the gate is open */
    int count;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all that follows */
static struct sight *sights;
static size_t sight_count, sight_room;
static struct named gates[NAMES], sequences[NAMES], hosts[NAMES];
static int open_connections, in_flight;

static int64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* The entry of that name, a new one if there is none. Under the lock. */
static struct named *find(struct named *among, const char *name, size_t len) {
    size_t i = 0;
    if (len >= NAME_SIZE) len = NAME_SIZE - 1;
    while (i < NAMES - 1 && among[i].name[0] &&
           (strncmp(among[i].name, name, len) != 0 || among[i].name[len]))
        i++;
    if (!among[i].name[0]) {
        memcpy(among[i].name, name, len);
        among[i].gate = among == gates ? eventfd(0, EFD_CLOEXEC) : -1;
    }
    return &among[i];
}

static size_t name_length(const char *text) {
    return strcspn(text, "/?");
}

static const char *host_of(const struct exchange *x, size_t *len) {
    const char *field = strcasestr(x->request, "\r\nHost:");
    if (field) field += 7 + strspn(field + 7, " ");
    *len = field ? strcspn(field, "\r") : 1;
    return field ? field : "-";
}

/* Remembers the request. Gives the counter of its host. */
static struct named *begin(struct exchange *x) {
    size_t len;
    const char *name = host_of(x, &len);
    pthread_mutex_lock(&lock);
    struct named *host = find(hosts, name, len);
    if (sight_count == sight_room) {
        sight_room = sight_room ? 2 * sight_room : 1024;
        sights = realloc(sights, sight_room * sizeof *sights);
        if (!sights) abort();
    }
    struct sight *s = &sights[sight_count++];
    *s = (struct sight){.us = now_us(),
                        .connection = x->connection,
                        .turn = x->turn,
                        .in_flight = ++in_flight,
                        .of_host = ++host->count};
    if (asprintf(&s->line, "%.*s %s %s", (int)len, name, x->method, x->target) < 0) abort();
    pthread_mutex_unlock(&lock);
    return host;
}

/* Before the answer goes out: whoever has it may ask for more at once. */
static void end(struct named *host) {
    pthread_mutex_lock(&lock);
    in_flight--;
    host->count--;
    pthread_mutex_unlock(&lock);
}

/* False: the client has gone. `gate` may be -1. */
static bool stay(const struct exchange *x, int gate, int64_t ms) {
    struct pollfd polled[] = {{x->fd, POLLRDHUP, 0}, {gate, POLLIN, 0}};
    return poll(polled, 2, (int)ms) >= 0 && polled[0].revents == 0;
}

static bool pass(const struct exchange *x, const char *name) {
    pthread_mutex_lock(&lock);
    struct named *gate = find(gates, name, name_length(name));
    gate->count++;
    pthread_mutex_unlock(&lock);
    bool stayed = stay(x, gate->gate, PATIENCE_MS);
    pthread_mutex_lock(&lock);
    gate->count--;
    pthread_mutex_unlock(&lock);
    return stayed;
}

static bool send_ok(struct exchange *x) {
    return send_answer(x, "200 OK", "Content-Type: text/plain\r\n", "ok", 2);
}

static bool send_halves(struct exchange *x, const char *words) {
    char head[128], piece[1024];
    size_t n = strtoul(words + name_length(words) + 1, NULL, 10);
    memset(piece, '.', sizeof piece);
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", n);
    bool good = send_text(x->fd, head);
    for (size_t i = 0, size; good && i < n; i += size) {
        size_t left = (i < n / 2 ? n / 2 : n) - i;
        size = left < sizeof piece ? left : sizeof piece;
        if (i == n / 2) good = pass(x, words);
        good = good && send_bytes(x->fd, piece, size);
    }
    return good;
}

static void format_date(char *text, size_t size, long from_now) {
    time_t at = time(NULL) + from_now;
    struct tm parts;
    gmtime_r(&at, &parts);
    strftime(text, size, "%a, %d %b %Y %H:%M:%S GMT", &parts);
}

static bool send_item(struct exchange *x, const char *item) {
    if (strncmp(item, "reset", 5) == 0) {
        send_text(x->fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789");
        usleep(50 * 1000); /* or the reset overtakes the bytes */
        reset(x->fd);
        return false;
    }
    if (strncmp(item, "truncated", 9) == 0) {
        send_text(x->fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789");
        return false;
    }
    if (strncmp(item, "silence", 7) == 0) return stay(x, -1, PATIENCE_MS);
    char status[32], fields[128] = "", text[64];
    const char *after = item + strcspn(item, ":,");
    snprintf(status, sizeof status, "%.3s So", item);
    if (after[0] == ':' && after[1] == '@') {
        format_date(text, sizeof text, strtol(after + 2, NULL, 10));
        snprintf(fields, sizeof fields, "Retry-After: %s\r\n", text);
    } else if (after[0] == ':') {
        snprintf(fields, sizeof fields, "Retry-After: %.*s\r\n", (int)strcspn(after + 1, ","),
                 after + 1);
    }
    snprintf(text, sizeof text, "%.3s", item);
    return send_answer(x, status, fields, text, strlen(text));
}

static bool send_next(struct exchange *x, const char *words) {
    pthread_mutex_lock(&lock);
    int n = find(sequences, words, name_length(words))->count++;
    pthread_mutex_unlock(&lock);
    const char *item = words + name_length(words) + 1;
    for (const char *next; n > 0 && (next = strchr(item, ',')); n--) item = next + 1;
    return send_item(x, item);
}

static bool send_cookie(struct exchange *x, const char *encoded) {
    char fields[1024];
    size_t n = (size_t)snprintf(fields, sizeof fields, "Set-Cookie: ");
    for (unsigned byte; *encoded && n < sizeof fields - 3; encoded++) {
        if (*encoded == '%' && sscanf(encoded + 1, "%2x", &byte) == 1) {
            fields[n++] = (char)byte;
            encoded += 2;
        } else {
            fields[n++] = *encoded;
        }
    }
    snprintf(fields + n, sizeof fields - n, "\r\n");
    return send_answer(x, "200 OK", fields, "set", 3);
}

static int connect_to(char *place) {
    char *colon = strrchr(place, ':');
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
    if (!colon) return -1;
    *colon = '\0';
    if (getaddrinfo(place, colon + 1, &hints, &found) != 0) return -1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
        close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

static bool tunnel(struct exchange *x) {
    char bytes[16384];
    int far = connect_to(x->target);
    if (far < 0) return send_answer(x, "502 Bad Gateway", "", "", 0);
    send_text(x->fd, "HTTP/1.1 200 Connection established\r\n\r\n");
    struct pollfd polled[] = {{x->fd, POLLIN, 0}, {far, POLLIN, 0}};
    for (bool open = true; open && poll(polled, 2, -1) > 0;) {
        for (int i = 0; i < 2; i++) {
            if (!polled[i].revents) continue;
            ssize_t n = recv(polled[i].fd, bytes, sizeof bytes, 0);
            open = n > 0 && send_bytes(polled[1 - i].fd, bytes, (size_t)n);
            if (!open) break;
        }
    }
    close(far);
    return false;
}

static const char *rest(const char *target, const char *prefix) {
    size_t len = strlen(prefix);
    return strncmp(target, prefix, len) == 0 ? target + len : NULL;
}

static bool act(struct exchange *x, struct named *host) {
    const char *words;
    if ((words = rest(x->target, "/wait/"))) {
        bool stayed = pass(x, words);
        end(host);
        return stayed && send_ok(x);
    }
    if ((words = rest(x->target, "/delay/"))) {
        bool stayed = stay(x, -1, strtol(words, NULL, 10));
        end(host);
        return stayed && send_ok(x);
    }
    if ((words = rest(x->target, "/halves/"))) {
        bool sent = send_halves(x, words);
        end(host);
        return sent;
    }
    end(host);
    if ((words = rest(x->target, "/sequence/"))) return send_next(x, words);
    if ((words = rest(x->target, "/set/"))) return send_cookie(x, words);
    if (strcmp(x->target, "/login") == 0)
        return send_answer(x, "302 Found", "Location: /echo\r\nSet-Cookie: login=1\r\n", "", 0);
    if (strcmp(x->method, "CONNECT") == 0) return tunnel(x);
    if (rest(x->target, "/echo") || rest(x->target, "http://")) return send_echo(x);
    return send_ok(x);
}

static bool answer(struct exchange *x) {
    if (x->turn == 1) {
        pthread_mutex_lock(&lock);
        open_connections++;
        pthread_mutex_unlock(&lock);
    }
    bool stays = act(x, begin(x));
    char byte;
    stays = stays && recv(x->fd, &byte, 1, MSG_PEEK) > 0; /* there is another request */
    if (!stays) {
        pthread_mutex_lock(&lock);
        open_connections--;
        pthread_mutex_unlock(&lock);
    }
    return stays;
}

/* Under the lock. */
static void print_sights(FILE *out) {
    for (size_t i = 0; i < sight_count; i++) {
        struct sight *s = &sights[i];
        fprintf(out, "%lld %d %d %d %d %s\n", (long long)s->us, s->connection, s->turn,
                s->in_flight, s->of_host, s->line);
    }
}

/* Under the lock. */
static void forget(void) {
    while (sight_count > 0) free(sights[--sight_count].line);
    for (size_t i = 0; i < NAMES; i++) sequences[i].count = 0;
}

static void obey(char *line) {
    char *words[3] = {NULL}, *state = NULL;
    for (int i = 0; i < 3; i++) words[i] = strtok_r(i ? NULL : line, " \n", &state);
    const char *path = words[2] ? words[2] : words[1];
    FILE *out = path ? fopen(path, "w") : NULL;
    if (!out) return;
    pthread_mutex_lock(&lock);
    if (strcmp(words[0], "seen") == 0) print_sights(out);
    if (strcmp(words[0], "forget") == 0) forget();
    if (words[2]) {
        struct named *gate = find(gates, words[1], strlen(words[1]));
        if (strcmp(words[0], "open") == 0 && eventfd_write(gate->gate, 1) != 0) abort();
        fprintf(out, "%d %d %d\n", open_connections, in_flight, gate->count);
    }
    pthread_mutex_unlock(&lock);
    fclose(out);
}

int main(void) {
    int port, one = -1, other = -1;
    for (int i = 0; i < 100 && other < 0; i++) {
        if (one >= 0) close(one);
        one = listen_on_free_port(4096, &port);
        other = listen_on("127.0.0.2", 4096, &port);
    }
    if (other < 0) return 1;
    printf("listening on http://127.0.0.1:%d\nother http://127.0.0.2:%d\n", port, port);
    fflush(stdout);
    serve_on(one);
    serve_on(other);
    char line[512];
    while (fgets(line, sizeof line, stdin)) obey(line);
    _exit(0); /* threads may be talking still */
}
