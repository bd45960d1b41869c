/* SPDX-License-Identifier: MIT */
#include "fetch/hop.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "fetch/coding.h"
#include "fetch/url.h"

enum { SHOWN_URL = 256, USER_AGENT_LINE = 256 };

static void set_url(struct fut_hop *h, const char *url, struct fut_failure *failure) {
    char *copy = fut_strdup(url);
    if (!copy) {
        fut_failure_set(failure, FUT_KIND_MEMORY, "not enough memory");
        return;
    }
    fut_free(h->url);
    h->url = copy;
}

void fut_hop_first(struct fut_hop *h, const struct fut_request *r, const char *url,
                   struct fut_failure *failure) {
    h->first_url = url;
    set_url(h, url, failure);
    h->method = r->method;
    h->with_body = true;
    h->with_credentials = true;
}

bool fut_hop_is_redirect(long status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* As browsers and curl do, whatever the standard once said of 301 and 302. */
static void change_method(struct fut_hop *h, long status) {
    bool is_post = strcmp(h->method, "POST") == 0;
    bool is_safe = strcmp(h->method, "GET") == 0 || strcmp(h->method, "HEAD") == 0;
    if ((is_post && (status == 301 || status == 302)) || (!is_safe && status == 303)) {
        h->method = "GET";
        h->with_body = false;
    }
}

static void refuse(struct fut_failure *failure, const char *why, const char *location) {
    char shown[SHOWN_URL];
    fut_url_mask(shown, sizeof shown, location, strlen(location));
    fut_failure_set(failure, FUT_KIND_REDIRECT, "%s: %s", why, shown);
}

/* Credentials go to the server that the request named, and to no other, also when a chain of
 * redirects comes back to it. */
static void move_to(struct fut_hop *h, const struct fut_url *to, const char *location,
                    struct fut_failure *failure) {
    struct fut_url first = {0}, from = {0};
    const char *reason;
    if (fut_url_parse(&first, h->first_url, strlen(h->first_url), NULL, &reason) !=
            FUT_URL_OK ||
        fut_url_parse(&from, h->url, strlen(h->url), NULL, &reason) != FUT_URL_OK) {
        fut_failure_set(failure, FUT_KIND_MEMORY, "not enough memory");
    } else if (fut_url_is_downgrade(&from, to)) {
        refuse(failure, "redirect from https to http", location);
    } else {
        h->with_credentials = fut_url_same_server(&first, to);
        set_url(h, to->text, failure);
    }
    fut_url_deinit(&first);
    fut_url_deinit(&from);
}

void fut_hop_follow(struct fut_hop *h, long status, const char *location,
                    struct fut_failure *failure) {
    struct fut_url to;
    const char *reason = "";
    switch (fut_url_resolve(&to, h->url, location, &reason)) {
    case FUT_URL_OK:
        move_to(h, &to, location, failure);
        change_method(h, status);
        fut_url_deinit(&to);
        break;
    case FUT_URL_MEMORY:
        fut_failure_set(failure, FUT_KIND_MEMORY, "not enough memory");
        break;
    case FUT_URL_SCHEME:
        refuse(failure, "redirect to what is neither http nor https", location);
        break;
    case FUT_URL_MALFORMED:
        refuse(failure, "redirect to a malformed URL", location);
        break;
    }
}

bool fut_hop_server(const struct fut_hop *h, char *out) {
    struct fut_url url;
    const char *reason;
    if (fut_url_parse(&url, h->url, strlen(h->url), NULL, &reason) != FUT_URL_OK) return false;
    fut_url_server(&url, out);
    fut_url_deinit(&url);
    return true;
}

static void note(CURLcode *first, CURLcode code) {
    if (*first == CURLE_OK) *first = code;
}

static bool must_drop(const struct fut_hop *h, const char *line) {
    if (!h->with_body && strncasecmp(line, "Content-", 8) == 0) return true;
    return !h->with_credentials &&
           (fut_request_is_named(line, "Authorization") ||
            fut_request_is_named(line, "Proxy-Authorization") ||
            fut_request_is_named(line, "Cookie") || fut_request_is_named(line, "Host"));
}

static CURLcode add_line(struct fut_hop *h, const char *line) {
    struct curl_slist *longer = curl_slist_append(h->headers, line);
    if (!longer) return CURLE_OUT_OF_MEMORY;
    h->headers = longer;
    return CURLE_OK;
}

/* Methods whose requests say "Content-Length: 0" when they have no body. */
static bool wants_body(const char *method) {
    return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
           strcmp(method, "PATCH") == 0;
}

/* Also one of zero bytes. */
static bool sends_body(const struct fut_hop *h, const struct fut_request *r) {
    return (h->with_body && (r->part_count > 0 || r->has_body)) || wants_body(h->method);
}

/* In one line with the cookies of the jar: servers expect no second one. */
static CURLcode add_cookie(const char *line, CURL *easy) {
    const char *value = strchr(line, ':');
    return value ? curl_easy_setopt(easy, CURLOPT_COOKIE, value + 2) : CURLE_OK;
}

/* libcurl writes a header of its own twice, letter by letter, and one of the user's once. Not
 * for https: a proxy on the way would not be told. */
static CURLcode set_user_agent(struct fut_hop *h, const struct fut_request *r, CURL *easy) {
    char line[USER_AGENT_LINE];
    if (!r->user_agent || !*r->user_agent || fut_request_has_header(r, "User-Agent"))
        return CURLE_OK;
    int n = snprintf(line, sizeof line, "User-Agent: %s", r->user_agent);
    bool is_plain = strncmp(h->url, "http:", 5) == 0;
    if (is_plain && n < USER_AGENT_LINE) return add_line(h, line);
    return curl_easy_setopt(easy, CURLOPT_USERAGENT, r->user_agent);
}

static CURLcode set_headers(struct fut_hop *h, const struct fut_request *r, CURL *easy) {
    curl_slist_free_all(h->headers);
    h->headers = NULL;
    CURLcode code = CURLE_OK;
    size_t position = 0;
    bool has_cookie = false;
    for (const char *line; (line = fut_request_next_header(r, &position));) {
        if (must_drop(h, line)) continue;
        bool joins_jar = r->cookies && !has_cookie && fut_request_is_named(line, "Cookie");
        note(&code, joins_jar ? add_cookie(line, easy) : add_line(h, line));
        has_cookie = has_cookie || joins_jar;
    }
    /* What libcurl would add to a body by itself: a form's type, and a pause before large
     * ones. */
    if (sends_body(h, r)) {
        if (r->part_count == 0 && !fut_request_has_header(r, "Content-Type"))
            note(&code, add_line(h, "Content-Type:"));
        if (!fut_request_has_header(r, "Expect")) note(&code, add_line(h, "Expect:"));
    }
    /* Not for a range: that would be a piece of what is encoded. */
    if (r->compression && !fut_request_has_header(r, "Accept-Encoding") &&
        !fut_request_has_header(r, "Range"))
        note(&code, add_line(h, "Accept-Encoding: " FUT_CODING_NAMES));
    note(&code, set_user_agent(h, r, easy));
    if (h->headers) note(&code, curl_easy_setopt(easy, CURLOPT_HTTPHEADER, h->headers));
    return code;
}

static CURLcode add_part(curl_mime *mime, const struct fut_part *part) {
    curl_mimepart *to = curl_mime_addpart(mime);
    if (!to) return CURLE_OUT_OF_MEMORY;
    CURLcode code = part->path
                        ? curl_mime_filedata(to, part->path)
                        : curl_mime_data(to, (const char *)part->bytes.data, part->bytes.len);
    if (!part->path && part->bytes.len == 0) code = curl_mime_data(to, "", 0);
    if (part->name) note(&code, curl_mime_name(to, part->name));
    if (part->filename) note(&code, curl_mime_filename(to, part->filename));
    if (part->type) note(&code, curl_mime_type(to, part->type));
    return code;
}

static CURLcode set_multipart(struct fut_hop *h, const struct fut_request *r, CURL *easy) {
    h->mime = curl_mime_init(easy);
    if (!h->mime) return CURLE_OUT_OF_MEMORY;
    CURLcode code = CURLE_OK;
    for (size_t i = 0; i < r->part_count; i++) note(&code, add_part(h->mime, &r->parts[i]));
    note(&code, curl_easy_setopt(easy, CURLOPT_MIMEPOST, h->mime));
    return code;
}

static CURLcode set_bytes(const struct fut_request *r, CURL *easy) {
    const char *bytes = r->body.len ? (const char *)r->body.data : "";
    CURLcode code = curl_easy_setopt(easy, CURLOPT_POST, 1L);
    note(&code, curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len));
    note(&code, curl_easy_setopt(easy, CURLOPT_POSTFIELDS, bytes));
    return code;
}

static CURLcode set_method(struct fut_hop *h, const struct fut_request *r, CURL *easy) {
    const char *usual = "GET";
    CURLcode code = CURLE_OK;
    curl_mime_free(h->mime);
    h->mime = NULL;
    if (strcmp(h->method, "HEAD") == 0) return curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    if (h->with_body && r->part_count > 0) {
        usual = "POST";
        code = set_multipart(h, r, easy);
    } else if (sends_body(h, r)) {
        usual = "POST";
        code = set_bytes(r, easy);
    }
    if (strcmp(h->method, usual) != 0)
        note(&code, curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, h->method));
    return code;
}

static CURLcode set_auth(const struct fut_request *r, CURL *easy) {
    static const unsigned long schemes[] = {0, CURLAUTH_BASIC, CURLAUTH_DIGEST,
                                            CURLAUTH_BEARER};
    if (r->auth == FUT_AUTH_NONE) return CURLE_OK;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_HTTPAUTH, schemes[r->auth]);
    if (r->auth == FUT_AUTH_BEARER) {
        note(&code, curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER, r->token));
    } else {
        note(&code, curl_easy_setopt(easy, CURLOPT_USERNAME, r->user));
        note(&code, curl_easy_setopt(easy, CURLOPT_PASSWORD, r->password));
    }
    return code;
}

static CURLcode set_tls(const struct fut_request *r, CURL *easy) {
    CURLcode code = curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, r->verify ? 1L : 0L);
    note(&code, curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, r->verify ? 2L : 0L));
    if (r->ca_file) {
        note(&code, curl_easy_setopt(easy, CURLOPT_CAINFO, r->ca_file));
        note(&code, curl_easy_setopt(easy, CURLOPT_CAPATH, NULL));
    }
    if (r->cert) note(&code, curl_easy_setopt(easy, CURLOPT_SSLCERT, r->cert));
    if (r->key) note(&code, curl_easy_setopt(easy, CURLOPT_SSLKEY, r->key));
    return code;
}

static CURLcode set_protocols(const struct fut_request *r, CURL *easy) {
    static const long versions[FUT_HTTP_COUNT] = {CURL_HTTP_VERSION_2TLS, CURL_HTTP_VERSION_1_1,
                                                  CURL_HTTP_VERSION_2TLS};
#if LIBCURL_VERSION_NUM >= 0x075500
    CURLcode code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    CURLcode code =
        curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    note(&code, curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L));
    /* A libcurl without HTTP/2 refuses the option: then its own choice is the only one. */
    CURLcode version = curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, versions[r->http]);
    if (r->http != FUT_HTTP_AUTO) note(&code, version);
    return code;
}

CURLcode fut_hop_apply(struct fut_hop *h, const struct fut_request *r, CURL *easy) {
    CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, h->url);
    note(&code, set_protocols(r, easy));
    note(&code, set_headers(h, r, easy));
    note(&code, set_method(h, r, easy));
    note(&code, set_tls(r, easy));
    if (h->with_credentials) note(&code, set_auth(r, easy));
    if (r->proxy) note(&code, curl_easy_setopt(easy, CURLOPT_PROXY, r->proxy));
    note(&code, curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L));
    note(&code, curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L));
#if LIBCURL_VERSION_NUM >= 0x075700
    /* Or the end of a transfer waits for a name server that does not answer. */
    note(&code, curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L));
#endif
    return code;
}

void fut_hop_deinit(struct fut_hop *h) {
    curl_slist_free_all(h->headers);
    curl_mime_free(h->mime);
    fut_free(h->url);
    *h = (struct fut_hop){0};
}
