/* SPDX-License-Identifier: MIT */
/* futures.h: the C API of `futures`, for Lua modules in C: make futures and complete them from
 * any thread, run C functions in a pool, carry objects of C between Lua states.
 *
 * No library is linked: the functions are in a table which the loaded module `futures.core`
 * hands out.
 *
 *     static const struct fut_api *api;
 *     int luaopen_mine(lua_State *L) {
 *         api = fut_api_get(L);                  // raises when futures is missing or too old
 *         ...
 *
 * WHO MAY CALL: functions that take a lua_State, the thread of that state, and they may raise
 * Lua errors. All others: any thread, they never raise and never enter Lua.
 * OWNERSHIP: objects and futures are counted. What takes a count away from the caller says so.
 * VERSIONS: within one FUT_API_VERSION functions are only added, at the end. */
#ifndef FUTURES_H
#define FUTURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FUT_API_VERSION 1u

struct lua_State;
struct fut_future; /* the place of one outcome; Lua sees it as a Future */
struct fut_values; /* encoded Lua values */

/* ---- objects ---- */

/* A kind of objects of a C module. They are counted, live outside of Lua, and may be in many
 * Lua states at once: each has a userdata for it, of the metatable `name`. Such a userdata
 * travels like any other value.
 * The struct and its strings must live for ever. */
struct fut_class {
    const char *name;   /* also the metatable's name in the registry: "mine.Thing" */
    const char *module; /* its luaopen_ calls class_open; a state that is sent an object before
                           that requires it */
    /* The last count was dropped: frees what the object owns, but not the object. Any thread.
     * May be NULL. */
    void (*deinit)(void *object);
    /* Pushes the Lua value of an object in place of a userdata: plain data, say. It does not
     * take a count; it may raise. NULL for a userdata. */
    void (*push)(struct lua_State *L, void *object);
    /* May a task's result contain it, or only its arguments? (In threads; it is of no use to a
     * value of `push`, which is data.) */
    bool home;
    /* To and from processes, as bytes: both, or neither, then it is a TransferError. pack calls
     * put for bytes one after the other; false when there was no memory. unpack gives a new
     * object, or NULL: bytes that make no sense, or no memory. Bytes come from a process that
     * may have gone mad: believe nothing. */
    bool (*pack)(void *object, bool (*put)(void *to, const void *bytes, size_t n), void *to);
    void *(*unpack)(const void *bytes, size_t n);
    /* The object's userdata at that index is about to be sent: the time to put back what was
     * given up while it was the only one that knew the object (object_sole). It may raise. May
     * be NULL. */
    void (*sent)(struct lua_State *L, int index, void *object);
};

/* ---- outcomes ---- */

enum fut_value_kind { FUT_NIL, FUT_BOOLEAN, FUT_INTEGER, FUT_NUMBER, FUT_STRING };

struct fut_value {
    enum fut_value_kind kind;
    union {
        bool boolean;
        int64_t integer;
        double number;
        struct {
            const char *bytes; /* copied */
            size_t length;
        } string;
    } as;
};

enum { FUT_RESULT_VALUES = 8 };

/* How a task ended: with an object, or with encoded values, or with a few plain values. */
struct fut_result {
    bool failed;                /* it is an error: the first value, or the object's */
    void *object;               /* not NULL: this; its count goes over */
    struct fut_values *encoded; /* else, not NULL: these; taken over */
    size_t count;               /* else so many of: */
    struct fut_value values[FUT_RESULT_VALUES];
};

/* ---- futures ---- */

/* What a module wants to hear about a future of its own. Any of them may be NULL. `context` is
 * what future_new was given. */
struct fut_future_class {
    /* Lua cancelled the future, which is done then. With this function also a running one can
     * be cancelled, without it only a pending one. The thread that cancels. */
    void (*cancelled)(void *context);
    /* f:progress(): how much is done, and of how much (negative: unknown). Any thread. */
    void (*progress)(void *context, double *done, double *all);
    /* f:attempts(): how many times it was started. Any thread. */
    unsigned (*attempts)(void *context);
    /* This process was forked from the one that made the future, which nobody will complete
     * here: the object that is its error. NULL: it ends as cancelled. */
    void *(*forked)(void *context);
    /* The future is no more: the context may go. Any thread. */
    void (*release)(void *context);
    /* For a module that holds work back until it is wanted. Somebody waits for the future, or
     * for one of several, of which this one is the first that has not started. The thread that
     * waits, before it sleeps; any number of times; only while attends() says that the module
     * has work to hold back. Both, or neither. */
    void (*awaited)(void *context);
    bool (*attends)(void);
};

/* A function that a pool calls on one of its threads, without Lua. */
struct fut_native_call {
    void (*run)(void *context, struct fut_result *result); /* result is zeroed: no values */
    void (*release)(void *context); /* once, after run or in place of it; may be NULL */
    void *context;
};

/* ---- the functions ---- */

struct fut_api {
    unsigned version; /* FUT_API_VERSION of the module that is loaded */
    size_t size;      /* of its table */

    /* class_open(L, c): makes the class known, and pushes its metatable for the caller to fill
     * in; it has __gc and __name. Once per lua_State. */
    void (*class_open)(struct lua_State *L, const struct fut_class *c);
    /* object_new(c, size): zeroed memory for an object with one count; NULL: no memory. */
    void *(*object_new)(const struct fut_class *c, size_t size);
    void (*object_hold)(void *object);
    void (*object_drop)(void *object);
    /* object_slot(L, c): pushes a new userdata without an object. object_fill(L, index, object)
     * gives it one, whose count goes over; it does not raise. First the userdata, then the
     * object: so no error can lose it. */
    void (*object_slot)(struct lua_State *L, const struct fut_class *c);
    void (*object_fill)(struct lua_State *L, int index, void *object);
    /* object_push(L, object): pushes this state's value for it. Takes no count away. */
    void (*object_push)(struct lua_State *L, void *object);
    /* object_test(L, index, c): the object of the userdata, not counted, or NULL. */
    void *(*object_test)(struct lua_State *L, int index, const struct fut_class *c);

    /* future_slot(L): pushes an empty Future. future_fill(L, index, f): makes it stand for f,
     * whose count goes over; does not raise. */
    void (*future_slot)(struct lua_State *L);
    void (*future_fill)(struct lua_State *L, int index, struct fut_future *f);
    /* future_new(c, context, name): a pending one with one count, or NULL. c lives for ever;
     * name (for tostring, copied) may be NULL. */
    struct fut_future *(*future_new)(const struct fut_future_class *c, void *context,
                                     const char *name);
    void (*future_hold)(struct fut_future *f);
    void (*future_drop)(struct fut_future *f);
    /* future_test(L, index): the future of a Future, not counted, or NULL. */
    struct fut_future *(*future_test)(struct lua_State *L, int index);
    /* future_start(f): it runs now; false when it was cancelled. */
    bool (*future_start)(struct fut_future *f);
    /* future_complete(f, result): settles it, once; false when it was cancelled first. Takes
     * result->object or result->encoded in any case. When memory is short the outcome says
     * so. */
    bool (*future_complete)(struct fut_future *f, struct fut_result *result);
    /* future_fail_memory(f): its outcome is "not enough memory". */
    bool (*future_fail_memory)(struct fut_future *f);
    bool (*future_done)(const struct fut_future *f);
    /* future_cancel(f): as f:cancel() does. */
    bool (*future_cancel)(struct fut_future *f);

    /* encode(L, first, n): the n values at stack index `first` and up, as they would travel to
     * a thread. Raises a TransferError that says which cannot. To be freed with values_free,
     * or given away in a result. */
    struct fut_values *(*encode)(struct lua_State *L, int first, int n);
    /* decode(L, values): pushes them; how many. As often as wanted, in any state. */
    int (*decode)(struct lua_State *L, const struct fut_values *values);
    void (*values_free)(struct fut_values *values);

    /* submit(L, executor, call): gives the call to the thread pool at that stack index and
     * pushes the Future of its outcome. Raises what Executor:submit raises; then the call is
     * still the caller's, as its context must be in some userdata before. */
    void (*submit)(struct lua_State *L, int executor, const struct fut_native_call *call);

    /* interrupted(L): a Ctrl-C has ended the last blocking call in this state. For clean-up at
     * its end: the user does not want to wait. */
    bool (*interrupted)(struct lua_State *L);

    /* future_watched(f): does somebody wait for it, or did? Who completes many at a time
     * completes those that are watched last, and so wakes a waiter once. */
    bool (*future_watched)(const struct fut_future *f);

    /* object_sole(object): the caller's count is the only one: until he gives one away nobody
     * else can look at the object. */
    bool (*object_sole)(void *object);
};

/* fut_api_check(api): does it have all that this header has? For fut_api_get. */
static inline bool fut_api_check(const struct fut_api *api) {
    return api && api->version == FUT_API_VERSION && api->size >= sizeof(struct fut_api);
}

/* fut_api_get(L): the functions; requires `futures.core` and raises when it does not fit. Only
 * for files that include Lua's headers before this one. */
#ifdef lua_h
static inline const struct fut_api *fut_api_get(lua_State *L) {
    lua_getglobal(L, "require");
    lua_pushliteral(L, "futures.core");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "api");
    const struct fut_api *api = (const struct fut_api *)lua_touserdata(L, -1);
    lua_pop(L, 2);
    if (!fut_api_check(api)) {
        lua_pushfstring(L, "futures.core has version %d of the C API, %d is needed",
                        api ? (int)api->version : 0, (int)FUT_API_VERSION);
        lua_error(L);
    }
    return api;
}
#endif

#endif
