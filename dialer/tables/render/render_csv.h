/* Rows as CSV: quoted where needed, null as an empty cell, nothing that a spreadsheet runs as a formula. */

#ifndef RENDER_CSV_H
#define RENDER_CSV_H

#include "render_texts.h"

enum { AHEAD = 8 };

#define EACH_BYTE(value) (0x0101010101010101u * (uint8_t)(value))

/* Returns bits where a byte of the word may be `byte`: the lowest one is right, and none if there is none. */
static inline uint64_t like(uint64_t word, uint8_t byte) {
    uint64_t other = word ^ EACH_BYTE(byte);
    return (other - EACH_BYTE(0x01)) & ~other & EACH_BYTE(0x80);
}

static inline uint64_t parts_cells(uint64_t word) {
    return like(word, ',') | like(word, '"') | like(word, '\n') | like(word, '\r');
}

static int needs_quotes(const uint8_t *bytes, uint32_t size) {
    if (size == 0)
        return 1; /* an empty text is no null */
    uint64_t found = 0;
    if (size >= 8) {
        for (uint32_t at = 0; at + 8 <= size; at += 8)
            found |= parts_cells(eight_at(bytes + at));
        found |= parts_cells(eight_at(bytes + size - 8));
    } else {
        uint8_t padded[8] = {0};
        for (uint32_t at = 0; at < size; at++)
            padded[at] = bytes[at];
        found = parts_cells(eight_at(padded));
    }
    return found != 0;
}

/* Returns whether a spreadsheet may take a text for a formula: STARTS_A_FORMULA of formats.py. */
static int starts_a_formula(const uint8_t *bytes, uint32_t size) {
    uint32_t at = 0;
    while (at < size && bytes[at] == '\'')
        at++;
    if (at == size)
        return 0;
    switch (bytes[at]) {
    case '=': case '+': case '-': case '@': case '\t': case '\r': case '\n': return 1;
    case 0xEF: /* the same signs in full width: U+FF1D, U+FF0B, U+FF0D, U+FF20 */
        if (size - at < 3 || bytes[at + 1] != 0xBC)
            return 0;
        return bytes[at + 2] == 0x9D || bytes[at + 2] == 0x8B || bytes[at + 2] == 0x8D || bytes[at + 2] == 0xA0;
    default: return 0;
    }
}

/* Returns whether a text is a sign and what stands in numbers: ONLY_A_NUMBER of formats.py. */
static int is_only_a_number(const uint8_t *bytes, uint32_t size) {
    if (bytes[0] != '+' && bytes[0] != '-')
        return 0;
    for (uint32_t at = 1; at < size; at++)
        if (!(bytes[at] >= '0' && bytes[at] <= '9') && !memchr(" .,/()-", bytes[at], 7))
            return 0;
    return 1;
}

/* Puts a text with each quote in it twice; up to eight bytes more are written. */
static uint8_t *put_doubled(uint8_t *to, const uint8_t *bytes, uint32_t size) {
    uint32_t at = 0;
    while (at + 8 <= size) {
        uint64_t word = eight_at(bytes + at), quotes = like(word, '"');
        memcpy(to, &word, 8);
        /* What stands up to the first quote is kept, and written over from there on. */
        uint32_t kept = quotes ? (uint32_t)__builtin_ctzll(quotes) / 8 + 1 : 8;
        at += kept;
        to += kept;
        *to = '"';
        to += quotes != 0;
    }
    for (; at < size; at++) {
        *to++ = bytes[at];
        *to = '"';
        to += bytes[at] == '"';
    }
    return to;
}

/* Puts the rows; `to` has room for twice their bytes, four more a cell, and sixteen. Returns what was put. */
PUBLIC int64_t dialer_csv(const Table *table, uint8_t *to) {
    uint8_t *begin = to;
    for (int64_t at = 0; at < table->rows; at++) {
        int64_t row = row_of(table, at);
        for (int64_t column = 0; column < table->width; column++) {
            const Texts *texts = table->columns + column;
            if (at + AHEAD < table->rows) /* texts of other rows lie far from each other */
                FETCH(bytes_of(texts, row_of(table, at + AHEAD)));
            if (!is_null(texts, row)) {
                const uint8_t *bytes = bytes_of(texts, row);
                uint32_t size = size_of(texts, row);
                int guarded = starts_a_formula(bytes, size) && !is_only_a_number(bytes, size);
                if (needs_quotes(bytes, size)) {
                    *to++ = '"';
                    *to = '\'';
                    to += guarded;
                    to = put_doubled(to, bytes, size);
                    *to++ = '"';
                } else {
                    *to = '\'';
                    to = put_text(to + guarded, texts->views + row * VIEW, bytes, size);
                }
            }
            *to++ = column + 1 < table->width ? ',' : '\n';
        }
    }
    return to - begin;
}

#endif
