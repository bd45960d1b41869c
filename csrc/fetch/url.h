/* SPDX-License-Identifier: MIT */
/* URLs: what may be fetched, what may be printed. Parsing is libcurl's.
 * STATE: a zeroed struct fut_url is an empty one.
 * OWNERSHIP: a struct fut_url owns its strings until fut_url_deinit.
 * THREADS: any, each with its own values. */
#ifndef FUT_FETCH_URL_H
#define FUT_FETCH_URL_H

#include <stdbool.h>
#include <stddef.h>

/* An absolute http or https URL. `text` has no user and password in it, so it may be shown. */
struct fut_url {
    char *text;
    char *scheme;
    char *host;
    char *port;     /* always there: the scheme's own when the URL names none */
    char *user;     /* decoded; NULL when the URL names none */
    char *password; /* the same */
    bool ours;      /* the strings are not from libcurl */
};

enum fut_url_verdict {
    FUT_URL_OK,
    FUT_URL_MALFORMED,
    FUT_URL_SCHEME, /* well-formed, but neither http nor https */
    FUT_URL_MEMORY,
};

/* fut_url_parse(u, text, len, base, reason): reads a URL that a user wrote; text[len] is zero.
 * With a base, which may be NULL, it may be relative to that. Strict: a space, a control byte,
 * a missing scheme or host make it malformed. Bytes above 0x7f are percent-encoded. When it is
 * refused *reason says why, in a few words. */
enum fut_url_verdict fut_url_parse(struct fut_url *u, const char *text, size_t len,
                                   const char *base, const char **reason);

/* fut_url_resolve(u, base, reference, reason): reads a reference, relative or not, as found in
 * a Location header of the page `base`. Lenient: spaces are encoded. */
enum fut_url_verdict fut_url_resolve(struct fut_url *u, const char *base, const char *reference,
                                     const char **reason);

/* fut_url_server(u, out): "http://host:port" in lower case: one name for a host, however it is
 * written. */
enum { FUT_URL_SERVER_SIZE = 600 };
void fut_url_server(const struct fut_url *u, char out[FUT_URL_SERVER_SIZE]);

/* fut_url_deinit(u): u is empty again. */
void fut_url_deinit(struct fut_url *u);

/* fut_url_same_server(from, to): may credentials meant for `from` be sent to `to`? The same
 * scheme, host and port, or the step from http to https on their usual ports. */
bool fut_url_same_server(const struct fut_url *from, const struct fut_url *to);

/* fut_url_is_downgrade(from, to): from https to http. */
bool fut_url_is_downgrade(const struct fut_url *from, const struct fut_url *to);

/* fut_url_mask(out, size, text, len): writes a form of any text that was meant as a URL which
 * may be shown: user and password replaced, control bytes too, cut to `size` with the closing
 * zero. */
void fut_url_mask(char *out, size_t size, const char *text, size_t len);

#endif
