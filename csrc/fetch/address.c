/* SPDX-License-Identifier: MIT */
#include "fetch/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct range {
    unsigned char prefix[16];
    int bits;
};

/* RFC 6890 and its successors in IANA's special-purpose registries. */
static const struct range v4_ranges[] = {
    {{0}, 8},            /* this network */
    {{10}, 8},           /* private */
    {{100, 64}, 10},     /* shared by carriers */
    {{127}, 8},          /* loopback */
    {{169, 254}, 16},    /* link-local, cloud metadata */
    {{172, 16}, 12},     /* private */
    {{192, 0, 0}, 24},   /* protocol assignments */
    {{192, 0, 2}, 24},   /* documentation */
    {{192, 88, 99}, 24}, /* 6to4 relays */
    {{192, 168}, 16},    /* private */
    {{198, 18}, 15},     /* benchmarks */
    {{198, 51, 100}, 24},
    {{203, 0, 113}, 24},
    {{224}, 4}, /* multicast */
    {{240}, 4}, /* reserved, broadcast */
};

static const struct range v6_ranges[] = {
    {{0x01, 0x00}, 64},                   /* discard only */
    {{0x00, 0x64, 0xff, 0x9b, 0, 1}, 48}, /* NAT64 of a local network */
    {{0x20, 0x01, 0}, 23},                /* protocol assignments, Teredo */
    {{0x20, 0x01, 0x0d, 0xb8}, 32},       /* documentation */
    {{0x3f, 0xff}, 20},                   /* documentation */
    {{0x5f, 0x00}, 16},                   /* segment routing */
    {{0xfc}, 7},                          /* unique local */
    {{0xfe, 0x80}, 10},                   /* link-local */
    {{0xfe, 0xc0}, 10},                   /* site-local, of old */
    {{0xff}, 8},                          /* multicast */
};

/* IPv6 addresses that stand for an IPv4 address, and where in them it is. */
static const struct {
    struct range range;
    int offset;
} v6_carriers[] = {
    {{{0}, 96}, 12},                                        /* compatible; :: and ::1 as well */
    {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96}, 12}, /* mapped */
    {{{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96}, 12},       /* translated */
    {{{0x00, 0x64, 0xff, 0x9b}, 96}, 12},                   /* NAT64 */
    {{{0x20, 0x02}, 16}, 2},                                /* 6to4 */
};

static bool matches(const struct range *r, const unsigned char *bytes) {
    int whole = r->bits / 8, rest = r->bits % 8;
    if (memcmp(r->prefix, bytes, (size_t)whole) != 0) return false;
    return rest == 0 || ((r->prefix[whole] ^ bytes[whole]) >> (8 - rest)) == 0;
}

static bool v4_is_public(const unsigned char *bytes) {
    for (size_t i = 0; i < sizeof v4_ranges / sizeof *v4_ranges; i++)
        if (matches(&v4_ranges[i], bytes)) return false;
    return true;
}

static bool v6_is_public(const unsigned char *bytes) {
    for (size_t i = 0; i < sizeof v6_ranges / sizeof *v6_ranges; i++)
        if (matches(&v6_ranges[i], bytes)) return false;
    for (size_t i = 0; i < sizeof v6_carriers / sizeof *v6_carriers; i++)
        if (matches(&v6_carriers[i].range, bytes))
            return v4_is_public(bytes + v6_carriers[i].offset);
    return true;
}

bool fut_address_is_public(const struct sockaddr *address) {
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        return v4_is_public((const unsigned char *)&in.sin_addr);
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof in6);
        return v6_is_public(in6.sin6_addr.s6_addr);
    }
    return false;
}

bool fut_address_text_is_public(const char *text) {
    unsigned char bytes[16];
    if (inet_pton(AF_INET, text, bytes) == 1) return v4_is_public(bytes);
    if (inet_pton(AF_INET6, text, bytes) == 1) return v6_is_public(bytes);
    return false;
}
