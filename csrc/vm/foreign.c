/* SPDX-License-Identifier: MIT */
#include "vm/foreign.h"

#include <lauxlib.h>
#include <stdalign.h>
#include <string.h>

#include "base/alloc.h"
#include "base/lock.h"
#include "vm/handle.h"

/* What the core makes of a module's class; never freed. */
struct known_class {
    struct fut_object_type type;
    struct fut_handle_class handle;
    const struct fut_class *public;
};

struct foreign {
    struct fut_object head;
    alignas(max_align_t) unsigned char object[];
};

/* Guards the making of known classes; their list is read without it. */
static struct fut_lock lock = FUT_LOCK_INIT;

static const struct known_class *known_of(const struct fut_object *head) {
    /* type is the first member */
    return (const struct known_class *)head->type;
}

struct fut_object *fut_foreign_head(void *object) {
    return (struct fut_object *)((unsigned char *)object - offsetof(struct foreign, object));
}

static void *object_of(struct fut_object *head) {
    return ((struct foreign *)head)->object;
}

static void foreign_free(struct fut_object *head) {
    const struct fut_class *c = known_of(head)->public;
    if (c->deinit) c->deinit(object_of(head));
    fut_free(head);
}

static void make(lua_State *L, struct fut_object *head) {
    const struct fut_class *c = known_of(head)->public;
    if (c->push) {
        c->push(L, object_of(head));
        return;
    }
    fut_foreign_slot(L, c);
    fut_object_hold(head);
    fut_foreign_fill(L, -1, object_of(head));
}

static void sent(lua_State *L, int index) {
    struct fut_object *head = *(struct fut_object **)lua_touserdata(L, index);
    const struct fut_class *c = known_of(head)->public;
    if (c->sent) c->sent(L, index, object_of(head));
}

/* False when there is no memory. */
static bool make_known(const struct fut_class *c) {
    struct known_class *k = NULL;
    fut_lock(&lock);
    bool known = fut_handle_class_foreign(c) != NULL;
    if (!known && (k = fut_zalloc(sizeof *k))) {
        k->type = (struct fut_object_type){.name = c->name, .free = foreign_free};
        k->public = c;
        k->handle = (struct fut_handle_class){.type = &k->type,
                                              .tname = c->name,
                                              .home = c->home,
                                              .make = make,
                                              .sent = sent,
                                              .foreign = c};
        fut_handle_class_add(&k->handle);
        known = true;
    }
    fut_unlock(&lock);
    return known;
}

/* Upvalue 1: the name of the class. Anybody who finds this function may call it. */
static int foreign_gc(lua_State *L) {
    struct fut_object **slot = luaL_checkudata(L, 1, lua_tostring(L, lua_upvalueindex(1)));
    struct fut_object *head = *slot;
    *slot = NULL;
    if (head) fut_object_drop(head);
    return 0;
}

void fut_foreign_open(lua_State *L, const struct fut_class *c) {
    if (!make_known(c)) luaL_error(L, "not enough memory");
    luaL_newmetatable(L, c->name);
    lua_pushstring(L, c->name);
    lua_pushcclosure(L, foreign_gc, 1);
    lua_setfield(L, -2, "__gc");
}

void *fut_foreign_new(const struct fut_class *c, size_t size) {
    const struct fut_handle_class *handle = fut_handle_class_foreign(c);
    FUT_ASSERT(handle); /* the module has called class_open */
    struct foreign *f = fut_zalloc(sizeof *f + size);
    if (!f) return NULL;
    fut_object_init(&f->head, handle->type);
    return f->object;
}

void fut_foreign_hold(void *object) {
    fut_object_hold(fut_foreign_head(object));
}

void fut_foreign_drop(void *object) {
    fut_object_drop(fut_foreign_head(object));
}

/* Acquires what those did who have dropped theirs. */
bool fut_foreign_sole(void *object) {
    return atomic_load_explicit(&fut_foreign_head(object)->refs, memory_order_acquire) == 1;
}

void fut_foreign_slot(lua_State *L, const struct fut_class *c) {
    struct fut_object **slot = lua_newuserdatauv(L, sizeof *slot, 1);
    *slot = NULL;
    luaL_setmetatable(L, c->name);
}

void fut_foreign_fill(lua_State *L, int index, void *object) {
    struct fut_object **slot = lua_touserdata(L, index);
    FUT_ASSERT(slot && !*slot);
    *slot = fut_foreign_head(object);
}

void *fut_foreign_test(lua_State *L, int index, const struct fut_class *c) {
    struct fut_object **slot = luaL_testudata(L, index, c->name);
    return slot && *slot ? object_of(*slot) : NULL;
}

/* ---- as bytes ---- */

static bool put(void *to, const void *bytes, size_t n) {
    return fut_buf_append(to, bytes, n);
}

/* A packed object: two texts, the names of its class and of the module that knows it, then a
 * text of its bytes, whose length is not a varint: it is known last. */
enum fut_err fut_foreign_pack(struct fut_encoder *e, lua_State *L,
                              const struct fut_handle_class *c) {
    const struct fut_class *class = c->foreign;
    struct fut_object *head = *(struct fut_object **)lua_touserdata(L, -1);
    sent(L, lua_gettop(L));
    enum fut_err err = fut_encoder_tag(e, FUT_TAG_PACKED);
    if (err == FUT_OK) err = fut_encoder_put_text(e, class->name, strlen(class->name));
    if (err == FUT_OK) err = fut_encoder_put_text(e, class->module, strlen(class->module));
    uint64_t len = 0;
    size_t at = e->out.len;
    if (err == FUT_OK && !fut_buf_append(&e->out, &len, sizeof len)) err = FUT_ENOMEM;
    if (err == FUT_OK && !class->pack(object_of(head), put, &e->out)) err = FUT_ENOMEM;
    if (err == FUT_OK) {
        len = e->out.len - at - sizeof len;
        memcpy(e->out.data + at, &len, sizeof len);
    }
    lua_pop(L, 1);
    return err;
}

enum fut_err fut_foreign_unpack(struct fut_reading *r) {
    uint64_t nlen, mlen, len;
    if (!fut_reading_number(r, &nlen)) return fut_reading_corrupt(r);
    const char *name = (const char *)fut_reading_bytes(r, nlen);
    if (!name || !fut_reading_number(r, &mlen)) return fut_reading_corrupt(r);
    const char *module = (const char *)fut_reading_bytes(r, mlen);
    const unsigned char *bytes = module ? fut_reading_bytes(r, sizeof len) : NULL;
    if (!bytes) return fut_reading_corrupt(r);
    memcpy(&len, bytes, sizeof len);
    bytes = fut_reading_bytes(r, len);
    if (!bytes) return fut_reading_corrupt(r);
    const struct fut_handle_class *c = fut_handle_class_named(name, (size_t)nlen);
    if (!c || luaL_getmetatable(r->L, c->tname) == LUA_TNIL) {
        if (c) lua_pop(r->L, 1);
        lua_getglobal(r->L, "require");
        lua_pushlstring(r->L, module, (size_t)mlen);
        lua_call(r->L, 1, 1);
        c = fut_handle_class_named(name, (size_t)nlen);
    }
    lua_pop(r->L, 1);
    if (!c || !c->foreign->unpack) return fut_reading_corrupt(r);
    fut_foreign_slot(r->L, c->foreign); /* before the object that it will own */
    void *object = c->foreign->unpack(bytes, (size_t)len);
    if (!object) return fut_reading_corrupt(r);
    fut_foreign_fill(r->L, -1, object);
    return FUT_OK;
}
