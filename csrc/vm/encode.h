/* SPDX-License-Identifier: MIT */
/* fut_encoder: Lua values to payload. One flat format (vm/format.h) for threads and
 * processes.
 *
 * A payload holds one or more *sequences*, each with some values and the globals that
 * functions among them need; sequences share nothing with each other. A task's call is one
 * sequence `function, arguments...`, its outcome one sequence of results; a chunk of a map
 * has many.
 *
 * STATE: one per lua_State, a userdata, made at first use; its buffers are used again and
 * again. A nested use (Lua code that submits while another encoder is at work) gets one of
 * its own.
 * ERRORS: a value that cannot travel makes the calls return FUT_ETRANSFER with the path and
 * the reason in fut_encoder_message; what the sequence had appended is gone, and the encoder
 * is as it was before. Calls may raise a Lua memory error, or an error of a __persist
 * function; then the encoder is left busy and simply replaced at the next begin: nothing
 * leaks, the collector frees it. No C memory but the encoder's own is held across Lua calls.
 * THREADS: that of its lua_State. */
#ifndef FUT_VM_ENCODE_H
#define FUT_VM_ENCODE_H

#include <lua.h>

#include "base/err.h"
#include "core/payload.h"

struct fut_encoder;

/* What the values are in the eyes of the user: how a path in a message starts. */
enum fut_role {
    FUT_ROLE_CALL,      /* first value: "function", the others: "argument 1", ... */
    FUT_ROLE_ARGUMENTS, /* "argument 1", ... */
    FUT_ROLE_RESULT,    /* "result 1", ... */
    FUT_ROLE_ERROR,     /* "error" */
    FUT_ROLE_VALUE,     /* "value 1", ... */
};

struct fut_route {
    bool process; /* the reader is another process: no handles, no addresses, no code home */
    bool home;    /* from a worker back to the state that reads the outcome */
};

/* fut_encoder_begin(L, route): starts a payload, and pushes one value, which keeps the
 * encoder alive: it stays on the stack until end or abandon, whatever Lua code runs
 * meanwhile. */
struct fut_encoder *fut_encoder_begin(lua_State *L, struct fut_route route);

/* fut_encoder_sequence(e, first, n, role): appends the n values at stack index `first`
 * (absolute) and up, as one sequence. */
enum fut_err fut_encoder_sequence(struct fut_encoder *e, lua_State *L, int first, int n,
                                  enum fut_role role);

/* fut_encoder_byte(e, byte): appends one plain byte between sequences, for the caller's own
 * marks (fut_decoder_byte reads it). */
enum fut_err fut_encoder_byte(struct fut_encoder *e, unsigned char byte);

/* fut_encoder_end(e, out): moves what was encoded into the empty payload `out`; ends the
 * use. */
enum fut_err fut_encoder_end(struct fut_encoder *e, struct fut_payload *out);

/* fut_encoder_abandon(e): ends the use, throws the bytes away, drops the refs. */
void fut_encoder_abandon(struct fut_encoder *e);

/* fut_encoder_message(e): after FUT_ETRANSFER, until the next begin: "argument 2.rows[7].cb,
 * upvalue 'sock': userdata (FILE*) cannot travel". */
const char *fut_encoder_message(const struct fut_encoder *e);

/* fut_encode(L, route, first, n, role, out, message): begin, one sequence, end; leaves the
 * stack as it was. On error `out` is empty and *message (unless message is NULL) points to
 * the text, valid until the next begin. */
enum fut_err fut_encode(lua_State *L, struct fut_route route, int first, int n,
                        enum fut_role role, struct fut_payload *out, const char **message);

#endif
