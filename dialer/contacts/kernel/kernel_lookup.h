/* What digits become, and what they are then: look-ups in the tables of tables.py, as reader.py does them. */

#ifndef KERNEL_LOOKUP_H
#define KERNEL_LOOKUP_H

#include "kernel_given.h"

static inline uint64_t leading(uint64_t value, unsigned count) {
    if (RARELY(count > LEADING))
        return value / TENS[count - LEADING] % TENS[LEADING];
    return value;
}

static inline uint64_t key_of(uint64_t place, unsigned count, uint64_t value) {
    return place << (LENGTH_BITS + DIGIT_BITS) | (uint64_t)count << DIGIT_BITS | leading(value, count);
}

static inline int64_t bucket_of(const Lookup *lookup, uint64_t key) {
    uint64_t context = key >> DIGIT_BITS;
    double digits = (double)(int64_t)(key & (((uint64_t)1 << DIGIT_BITS) - 1));
    int64_t bucket = (int64_t)(digits * lookup->factor[context]) + lookup->base[context];
    return bucket < lookup->last ? bucket : lookup->last;
}

/* Returns the index of the last key that is not above the given one. */
static inline int64_t find_in(const Lookup *lookup, int64_t bucket, uint64_t key) {
    int32_t low = lookup->first[bucket], high = lookup->first[bucket + 1];
    while (low < high) {
        int32_t middle = (low + high) >> 1;
        if (lookup->keys[middle] <= key)
            low = middle + 1;
        else
            high = middle;
    }
    return low - 1;
}

static int64_t find(const Lookup *lookup, uint64_t key) { return find_in(lookup, bucket_of(lookup, key), key); }

/* What a row has become so far. */
typedef struct {
    uint64_t value;
    unsigned count; /* how many digits */
    int action;
    int64_t run;
} Reading;

/* Takes all further steps that the tables ask for. */
static void follow(const Plans *plans, int64_t region, Reading *reading) {
    if (reading->action == RETRY) {
        int64_t run = find(&plans->plans, key_of((uint64_t)plans->again[region], reading->count, reading->value));
        reading->run = run;
        reading->action = plans->runs[run].extracted ? plans->runs[run].action : RETRY;
    }
    if (reading->action >= IDD && reading->action < DROP) {
        unsigned taken = (unsigned)(reading->action - IDD);
        if (taken >= reading->count || reading->count - taken > DIGITS_MAX) {
            reading->action = ASK;
            return;
        }
        reading->count -= taken;
        reading->value %= TENS[reading->count];
        reading->run = find(&plans->plans, key_of(INTERNATIONAL, reading->count, reading->value));
        reading->action = plans->runs[reading->run].action;
    }
    if (reading->action >= DROP && reading->action < NO_REGION) {
        unsigned taken = (unsigned)(reading->action - DROP);
        if (taken >= reading->count) {
            reading->action = ASK;
            return;
        }
        reading->value %= TENS[reading->count - taken];
        reading->action = NUMBER;
    }
}

static int rejected(int action) {
    switch (action) {
    case TOO_SHORT: return SHORT_TEXT;
    case TOO_LONG: return LONG_TEXT;
    case RETRY: return UNKNOWN_CODE;
    case NO_REGION: return WITHOUT_REGION;
    case NO_DIGITS: return NOT_A_NUMBER;
    default: return UNDECIDED;
    }
}

#endif
