/* What the different ones among many are. */

#ifndef KERNEL_GROUPS_H
#define KERNEL_GROUPS_H

#include "kernel_given.h"

enum { SEATS = 1 << 14, DIFFERENT_MAX = SEATS / 2 };

static uint64_t mixed(uint64_t low, uint64_t high) {
    uint64_t hash = (low ^ (high >> 29) ^ (high << 35)) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 32;
    hash *= 0xD6E8FEB86659FD93u;
    return hash ^ hash >> 32;
}

/* Returns how many different keys there are, and for each row which: `first` are the rows that had one first.
 *
 * `seats` are SEATS places for row numbers. Returns -1 where there are more than DIFFERENT_MAX. */
PUBLIC int64_t dialer_group(const uint64_t *keys, int64_t rows, int32_t *seats, int64_t *which, int64_t *first) {
    int64_t different = 0;
    memset(seats, 0xFF, SEATS * sizeof *seats);
    for (int64_t row = 0; row < rows; row++) {
        uint64_t seat = mixed(keys[row], 0) & (SEATS - 1);
        while (seats[seat] >= 0 && keys[first[seats[seat]]] != keys[row])
            seat = (seat + 1) & (SEATS - 1);
        if (seats[seat] < 0) {
            if (different == DIFFERENT_MAX)
                return -1;
            first[different] = row;
            seats[seat] = (int32_t)different++;
        }
        which[row] = seats[seat];
    }
    return different;
}

/* Makes two words of a view: its size and up to 12 bytes; nothing else of a longer text, whose size is kept too. */
static void words_of(const uint8_t *view, uint64_t words[2]) {
    uint32_t size = word_at(view);
    memcpy(words, view, VIEW);
    /* What is behind a short text need not be zero. */
    if (size < 4)
        words[0] &= ((uint64_t)1 << (32 + 8 * size)) - 1;
    if (size <= 4)
        words[1] = 0;
    else if (size < INLINE)
        words[1] &= ((uint64_t)1 << 8 * (size - 4)) - 1;
    else if (size > INLINE)
        words[1] = size;
}

/* The same for texts; nulls are one of the different ones. `words` are two for each of DIFFERENT_MAX. */
PUBLIC int64_t dialer_index(const Texts *texts, int32_t *seats, uint64_t *words, int64_t *which, int64_t *first) {
    int64_t different = 0, last = -1;
    uint64_t mine[2], before[2] = {0, 0};
    memset(seats, 0xFF, SEATS * sizeof *seats);
    for (int64_t row = 0; row < texts->rows; row++) {
        /* Sizes do not reach so far: a text is never like a null. */
        if (is_null(texts, row))
            mine[0] = mine[1] = UINT64_MAX;
        else
            words_of(texts->views + row * VIEW, mine);
        int longer = (uint32_t)mine[0] > INLINE && mine[0] != UINT64_MAX;
        if (row && !longer && mine[0] == before[0] && mine[1] == before[1]) {
            which[row] = last;
            continue;
        }
        Text text = text_at(texts, row);
        if (text.size < 0)
            return -1;
        uint64_t seat = mixed(mine[0], mine[1]) & (SEATS - 1);
        for (; seats[seat] >= 0; seat = (seat + 1) & (SEATS - 1)) {
            const uint64_t *known = words + 2 * seats[seat];
            if (known[0] == mine[0] && known[1] == mine[1] &&
                (!longer || memcmp(text_at(texts, first[seats[seat]]).bytes, text.bytes, (size_t)text.size) == 0))
                break;
        }
        if (seats[seat] < 0) {
            if (different == DIFFERENT_MAX)
                return -1;
            first[different] = row;
            memcpy(words + 2 * different, mine, sizeof mine);
            seats[seat] = (int32_t)different++;
        }
        memcpy(before, mine, sizeof mine);
        last = which[row] = seats[seat];
    }
    return different;
}

/* Fills a column with one text. */
PUBLIC void dialer_repeat(const uint8_t *view, int64_t rows, uint8_t *views) {
    for (int64_t row = 0; row < rows; row++)
        memcpy(views + row * VIEW, view, VIEW);
}

#endif
