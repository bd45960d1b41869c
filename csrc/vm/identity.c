/* SPDX-License-Identifier: MIT */
#include "vm/identity.h"

#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t new_uid(long pid) {
    static atomic_uint_least64_t states;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t uid = atomic_fetch_add_explicit(&states, 1, memory_order_relaxed) + 1;
    const uint64_t parts[] = {(uint64_t)pid, (uint64_t)now.tv_sec, (uint64_t)now.tv_nsec,
                              (uint64_t)(uintptr_t)&states};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        uid = (uid ^ parts[i]) * 0x9E3779B97F4A7C15u;
        uid ^= uid >> 29;
    }
    return uid | 1;
}

/* A process made by fork has inherited uid and numbers. What it gives out from then on must not
 * be taken for what its parent or a sibling gave. */
static void ensure_uid(struct fut_codec *c) {
    long pid = (long)getpid();
    if (c->uid != 0 && c->pid == pid) return;
    c->uid = new_uid(pid);
    c->pid = pid;
}

static void push_bytes(lua_State *L, struct fut_identity id) {
    lua_pushlstring(L, (const char *)&id, sizeof id);
}

bool fut_identity_find(struct fut_codec *c, lua_State *L, int index, struct fut_identity *id) {
    bool found = false;
    fut_codec_push(c, L, FUT_REF_IDENTITY);
    lua_pushvalue(L, index);
    if (lua_rawget(L, -2) == LUA_TSTRING) {
        memcpy(id, lua_tostring(L, -1), sizeof *id);
        found = true;
    }
    lua_pop(L, 2);
    return found;
}

void fut_identity_give(struct fut_codec *c, lua_State *L, int index, struct fut_identity *id) {
    ensure_uid(c);
    id->uid = c->uid;
    id->number = ++c->last_identity;
    fut_identity_adopt(c, L, index, *id);
}

bool fut_identity_push(struct fut_codec *c, lua_State *L, struct fut_identity id) {
    fut_codec_push(c, L, FUT_REF_OWN);
    push_bytes(L, id);
    lua_rawget(L, -2);
    lua_replace(L, -2);
    if (lua_istable(L, -1)) return true;
    lua_pop(L, 1);
    return false;
}

void fut_identity_adopt(struct fut_codec *c, lua_State *L, int index, struct fut_identity id) {
    push_bytes(L, id);
    fut_codec_push(c, L, FUT_REF_IDENTITY);
    lua_pushvalue(L, index);
    lua_pushvalue(L, -3);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    if (id.uid == c->uid) {
        fut_codec_push(c, L, FUT_REF_OWN);
        lua_pushvalue(L, -2);
        lua_pushvalue(L, index);
        lua_rawset(L, -3);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}
