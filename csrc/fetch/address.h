/* SPDX-License-Identifier: MIT */
/* Which network addresses are public: the guard of the option deny_private. */
#ifndef FUT_FETCH_ADDRESS_H
#define FUT_FETCH_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

/* fut_address_is_public(address): false for loopback, private, link-local, multicast, reserved
 * and documentation ranges, also where an IPv6 address carries such an IPv4 address, and for
 * any family that is not IP. */
bool fut_address_is_public(const struct sockaddr *address);

/* fut_address_text_is_public(text): the same for a numeric address, "127.0.0.1" or "::1". What
 * is no address is not public. */
bool fut_address_text_is_public(const char *text);

#endif
