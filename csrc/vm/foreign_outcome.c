/* SPDX-License-Identifier: MIT */
/* Outcomes and calls that are made without a lua_State: bytes in the format of the codec. */
#include <string.h>

#include "base/alloc.h"
#include "vm/foreign.h"
#include "vm/format.h"
#include "vm/lua_worker.h"

static enum fut_err payload_of_object(struct fut_payload *p, struct fut_object *head) {
    unsigned char bytes[2 * FUT_VARINT_MAX + 2], *at = bytes;
    at = fut_put_varint(at, (1u << FUT_HEAD_BITS) | FUT_HEAD_COMPOUND); /* one value */
    *at++ = FUT_TAG_HANDLE;
    at = fut_put_varint(at, 0); /* the first ref */
    *at++ = FUT_TAG_NIL;        /* no globals */
    return fut_payload_init(p, bytes, (size_t)(at - bytes), &head, 1);
}

static bool put_value(struct fut_buf *b, const struct fut_value *v) {
    unsigned char bytes[1 + FUT_VARINT_MAX], *at = bytes + 1;
    switch (v->kind) {
    case FUT_NIL:
        bytes[0] = FUT_TAG_NIL;
        break;
    case FUT_BOOLEAN:
        bytes[0] = v->as.boolean ? FUT_TAG_TRUE : FUT_TAG_FALSE;
        break;
    case FUT_INTEGER:
        bytes[0] = FUT_TAG_INT;
        at = fut_put_varint(at, fut_zigzag(v->as.integer));
        break;
    case FUT_NUMBER:
        bytes[0] = FUT_TAG_FLOAT;
        memcpy(at, &v->as.number, sizeof v->as.number);
        at += sizeof v->as.number;
        break;
    case FUT_STRING:
        bytes[0] = FUT_TAG_STRING;
        at = fut_put_varint(at, v->as.string.length);
        break;
    }
    bool ok = fut_buf_append(b, bytes, (size_t)(at - bytes));
    if (ok && v->kind == FUT_STRING)
        ok = fut_buf_append(b, v->as.string.bytes, v->as.string.length);
    return ok;
}

static enum fut_err payload_of_values(struct fut_payload *p, const struct fut_result *r) {
    struct fut_buf b = {0};
    size_t count = r->failed ? 1 : r->count; /* an error is one value, nil when there is none */
    struct fut_value nothing = {.kind = FUT_NIL};
    FUT_ASSERT(count <= FUT_RESULT_VALUES);
    unsigned char *to = fut_buf_reserve(&b, FUT_VARINT_MAX);
    bool ok = to != NULL;
    if (ok) b.len = (size_t)(fut_put_varint(to, count << FUT_HEAD_BITS) - b.data);
    for (size_t i = 0; i < count && ok; i++)
        ok = put_value(&b, i < r->count ? &r->values[i] : &nothing);
    unsigned char end = FUT_TAG_NIL;
    enum fut_err err = FUT_ENOMEM;
    if (ok && fut_buf_append(&b, &end, 1)) err = fut_payload_init_buf(p, &b, NULL, 0);
    fut_buf_deinit(&b);
    return err;
}

void fut_foreign_outcome(struct fut_outcome *o, struct fut_result *r) {
    enum fut_err err = FUT_OK;
    if (r->object) {
        err = payload_of_object(&o->payload, fut_foreign_head(r->object));
        if (err != FUT_OK) fut_foreign_drop(r->object);
    } else if (r->encoded) {
        fut_payload_move(&o->payload, &r->encoded->payload);
    } else {
        err = payload_of_values(&o->payload, r);
    }
    if (r->encoded) fut_foreign_values_free(r->encoded);
    r->object = NULL;
    r->encoded = NULL;
    o->kind = r->failed ? FUT_OUTCOME_ERROR : FUT_OUTCOME_VALUES;
    if (err != FUT_OK) fut_outcome_fail(o, err, NULL);
}

void fut_foreign_values_free(struct fut_values *v) {
    if (!v) return;
    fut_payload_deinit(&v->payload);
    fut_free(v);
}

/* ---- calls ---- */

struct call {
    struct fut_object object;
    struct fut_native_call call;
};

static void call_free(struct fut_object *o) {
    struct call *c = (struct call *)o;
    if (c->call.release) c->call.release(c->call.context);
    fut_free(c);
}

static const struct fut_object_type call_type = {.name = "native call", .free = call_free};

enum fut_err fut_foreign_call(const struct fut_native_call *call, struct fut_payload *out) {
    unsigned char what = FUT_CALL_NATIVE;
    struct call *c = fut_alloc(sizeof *c);
    if (!c) return FUT_ENOMEM;
    fut_object_init(&c->object, &call_type);
    c->call = *call;
    struct fut_object *ref = &c->object;
    enum fut_err err = fut_payload_init(out, &what, 1, &ref, 1);
    if (err != FUT_OK) fut_free(c); /* not released: the call is still the caller's */
    return err;
}

void fut_foreign_call_disown(struct fut_payload *payload) {
    ((struct call *)fut_payload_refs(payload)[0])->call.release = NULL;
}

void fut_foreign_run(const struct fut_payload *payload, struct fut_outcome *out) {
    struct call *c = (struct call *)fut_payload_refs(payload)[0];
    struct fut_result result = {0};
    FUT_ASSERT(c->object.type == &call_type);
    c->call.run(c->call.context, &result);
    fut_foreign_outcome(out, &result);
}
