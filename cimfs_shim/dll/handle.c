/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handle.c - handles are names, not pointers
 *
 * A handle is a number: which slot of a table, which generation of that slot, and the kind of the
 * object. A handle that was closed names a generation that is over, an invented one hardly ever
 * hits slot, generation and kind at once; so a program's mistake gives E_INVALIDARG and never a
 * crash, or somebody else's image. A kind is never 0, so neither is a handle. A slot is used
 * again only after all others that are free, so that a generation (14 bits of a 32-bit handle)
 * lasts; each slot begins with one that differs from module to module, because handles of
 * cimfs.dll and cimwriter.dll in one process must not be taken for each other.
 *
 *   bits 0-1   kind
 *   bits 2-17  slot
 *   bits 18-   generation
 */
#include "dll.h"

#include <stdlib.h>

#define KIND_BITS 2
#define SLOT_BITS 16
#define MAX_SLOTS (1u << SLOT_BITS)
#ifdef _WIN64
#define GENERATION_MASK 0xffffffffu
#else
#define GENERATION_MASK 0x3fffu
#endif
#define NO_SLOT MAX_SLOTS

struct slot
{
    struct object *object; /* NULL: free */
    bool published;
    uint32_t generation;
    uint32_t next_free;
};

/* All of it is guarded by the lock. */
static struct
{
    SRWLOCK lock;
    struct slot *slots;
    uint32_t used; /* slots that exist */
    uint32_t room;
    uint32_t first_free, last_free; /* a queue */
} table = {SRWLOCK_INIT, NULL, 0, 0, NO_SLOT, NO_SLOT};

static uint32_t first_generation(uint32_t slot)
{
    LARGE_INTEGER now;
    uint64_t mix;

    QueryPerformanceCounter(&now);
    mix = (uint64_t)now.QuadPart ^ (uint64_t)(ULONG_PTR)&table ^ (uint64_t)slot << 40;
    mix *= UINT64_C(0x9E3779B97F4A7C15); /* spreads it over the upper half */
    return (uint32_t)(mix >> 32) & GENERATION_MASK;
}

static ULONG_PTR make_handle(uint32_t index)
{
    const struct slot *slot = &table.slots[index];

    return (ULONG_PTR)slot->generation << (SLOT_BITS + KIND_BITS) | (ULONG_PTR)index << KIND_BITS |
           (ULONG_PTR)slot->object->kind;
}

/* The slot that a handle names, published or not. Under the lock. */
static struct slot *find_slot(ULONG_PTR handle)
{
    uint32_t index = (uint32_t)(handle >> KIND_BITS) & (MAX_SLOTS - 1);
    struct slot *slot;

    if (index >= table.used) return NULL;
    slot = &table.slots[index];
    if (!slot->object || make_handle(index) != handle) return NULL;
    return slot;
}

/* A slot to use: the one that has been free longest, else a new one. Under the lock. */
static struct slot *take_slot(void)
{
    struct slot *slot;

    if (table.first_free != NO_SLOT && (table.used == MAX_SLOTS || table.used >= 64))
    {
        slot = &table.slots[table.first_free];
        table.first_free = slot->next_free;
        if (table.first_free == NO_SLOT) table.last_free = NO_SLOT;
        return slot;
    }
    if (table.used == MAX_SLOTS) return NULL;
    if (table.used == table.room)
    {
        uint32_t room = table.room ? table.room * 2 : 64;
        struct slot *slots = realloc(table.slots, room * sizeof(*slots));

        if (!slots) return NULL;
        table.slots = slots;
        table.room = room;
    }
    slot = &table.slots[table.used];
    slot->object = NULL;
    slot->generation = first_generation(table.used);
    table.used++;
    return slot;
}

/* Put a slot behind the free ones, its generation over. Under the lock. */
static void free_slot(struct slot *slot)
{
    uint32_t index = (uint32_t)(slot - table.slots);

    slot->object = NULL;
    slot->published = false;
    slot->generation = (slot->generation + 1) & GENERATION_MASK;
    slot->next_free = NO_SLOT;
    if (table.last_free == NO_SLOT)
        table.first_free = index;
    else
        table.slots[table.last_free].next_free = index;
    table.last_free = index;
}

bool handle_reserve(enum object_kind kind, struct object **object, ULONG_PTR *handle)
{
    struct object *new_object = calloc(1, sizeof(*new_object));
    struct slot *slot;

    if (!new_object) return false;
    new_object->refs = 1;
    new_object->kind = kind;
    AcquireSRWLockExclusive(&table.lock);
    slot = take_slot();
    if (slot)
    {
        slot->object = new_object;
        slot->published = false;
        *handle = make_handle((uint32_t)(slot - table.slots));
    }
    ReleaseSRWLockExclusive(&table.lock);
    if (!slot)
    {
        free(new_object);
        return false;
    }
    *object = new_object;
    return true;
}

void handle_publish(ULONG_PTR handle)
{
    AcquireSRWLockExclusive(&table.lock);
    find_slot(handle)->published = true;
    ReleaseSRWLockExclusive(&table.lock);
}

void handle_cancel(ULONG_PTR handle)
{
    struct slot *slot;
    struct object *object;

    AcquireSRWLockExclusive(&table.lock);
    slot = find_slot(handle);
    object = slot->object;
    free_slot(slot);
    ReleaseSRWLockExclusive(&table.lock);
    object_unref(object);
}

struct object *handle_get(ULONG_PTR handle, enum object_kind kind)
{
    struct object *object = NULL;
    struct slot *slot;

    AcquireSRWLockShared(&table.lock);
    slot = find_slot(handle);
    if (slot && slot->published && slot->object->kind == kind)
    {
        object = slot->object;
        object_ref(object);
    }
    ReleaseSRWLockShared(&table.lock);
    return object;
}

void object_ref(struct object *object)
{
    InterlockedIncrement(&object->refs);
}

/* The last reference closes what the object stands for: a stream first, then its image. */
void object_unref(struct object *object)
{
    if (InterlockedDecrement(&object->refs)) return;
    if (object->kind == OBJECT_STREAM)
    {
        cim_stream_close(object->stream);
        if (object->image) object_unref(object->image);
    }
    else
        cim_writer_close(object->writer);
    free(object);
}

bool handle_close(ULONG_PTR handle, enum object_kind kind)
{
    struct object *object = NULL;
    struct slot *slot;

    AcquireSRWLockExclusive(&table.lock);
    slot = find_slot(handle);
    if (slot && slot->published && slot->object->kind == kind)
    {
        object = slot->object;
        free_slot(slot);
    }
    ReleaseSRWLockExclusive(&table.lock);
    if (!object) return false;
    object_unref(object);
    return true;
}

void handle_close_all(void)
{
    uint32_t i;

    for (i = 0; i < table.used; i++)
        if (table.slots[i].object && table.slots[i].published)
            handle_close(make_handle(i), table.slots[i].object->kind);
    free(table.slots);
    table.slots = NULL;
    table.used = table.room = 0;
    table.first_free = table.last_free = NO_SLOT;
}
