/* SPDX-License-Identifier: MIT */
#include "fetch/address.h"

#include <stdio.h>
#include <stdlib.h>

static void expect(const char *text, bool is_public) {
    if (fut_address_text_is_public(text) == is_public) return;
    fprintf(stderr, "%s should be %s\n", text, is_public ? "public" : "private");
    abort();
}

static void test_v4(void) {
    static const char *const closed[] = {
        "0.0.0.0",         "0.255.255.255", "10.0.0.1",       "10.255.255.255",  "100.64.0.1",
        "100.127.255.255", "127.0.0.1",     "127.255.0.9",    "169.254.169.254", "172.16.0.1",
        "172.31.255.255",  "192.0.0.8",     "192.168.1.1",    "198.19.0.1",      "224.0.0.1",
        "239.255.255.255", "240.0.0.1",     "255.255.255.255"};
    static const char *const open[] = {
        "1.1.1.1",    "9.255.255.255", "11.0.0.0",   "100.63.0.1",    "100.128.0.1",
        "126.1.1.1",  "172.15.0.1",    "172.32.0.1", "192.167.255.1", "192.169.0.1",
        "198.17.0.1", "198.20.0.1",    "223.0.0.1"};
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++) expect(closed[i], false);
    for (size_t i = 0; i < sizeof open / sizeof *open; i++) expect(open[i], true);
    puts("ok v4");
}

static void test_v6(void) {
    static const char *const closed[] = {
        "::",      "::1",           "::127.0.0.1",  "::ffff:127.0.0.1",  "::ffff:10.1.2.3",
        "fc00::1", "fdff::1",       "fe80::1",      "febf::1",           "fec0::1",
        "ff02::1", "2001:db8::1",   "2001::1",      "64:ff9b::10.0.0.1", "64:ff9b:1::1",
        "100::1",  "2002:7f00:1::", "2002:a00:1::1"};
    static const char *const open[] = {"2606:4700::1111",  "2a00::1",         "::ffff:8.8.8.8",
                                       "64:ff9b::8.8.8.8", "2002:808:808::1", "2001:4860::1"};
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++) expect(closed[i], false);
    for (size_t i = 0; i < sizeof open / sizeof *open; i++) expect(open[i], true);
    puts("ok v6");
}

static void test_not_an_address(void) {
    expect("", false);
    expect("localhost", false);
    expect("1.2.3", false);
    puts("ok not an address");
}

int main(void) {
    test_v4();
    test_v6();
    test_not_an_address();
    return 0;
}
