/* A column as Parquet keeps it: levels that say which rows are null, and behind them the values.
 *
 * Texts that come again and again are numbers of a dictionary (RLE_DICTIONARY). Others stand one behind the other,
 * behind their sizes (DELTA_LENGTH_BYTE_ARRAY): sizes among the texts would be most of what is packed. Integers and
 * sizes are kept as differences (DELTA_BINARY_PACKED). Source: https://parquet.apache.org/docs/file-format/
 */

#ifndef RENDER_PAGES_H
#define RENDER_PAGES_H

#include "render_texts.h"

enum { SEATS = 1 << 14, DIFFERENT_MAX = SEATS / 2, SAMPLED_ROWS = 10000 };
enum { DELTAS = 128, MINI = 32 };

/* One page and its dictionary; there is room for all texts, ten bytes a row, and 512 more. */
typedef struct {
    uint8_t *data, *dictionary;
    uint16_t *index;    /* a place for each row */
    int32_t *seats;     /* SEATS */
    int64_t *first;     /* DIFFERENT_MAX: the row that had a text first */
    uint64_t *words;    /* two for each of DIFFERENT_MAX */
    int64_t data_size, dictionary_size;
    int64_t different;  /* -1 where there is no dictionary */
    int64_t nulls, least, greatest;
} Page;

static uint8_t *put_varint(uint8_t *to, uint64_t value) {
    for (; value >= 0x80; value >>= 7)
        *to++ = (uint8_t)(value | 0x80);
    *to++ = (uint8_t)value;
    return to;
}

static uint8_t *put_zigzag(uint8_t *to, int64_t value) {
    return put_varint(to, ((uint64_t)value << 1) ^ (uint64_t)(value >> 63));
}

/* Puts numbers of `width` bits, as many as fill whole bytes by eights, the last ones zero. */
static uint8_t *put_packed(uint8_t *to, const uint16_t *index, int64_t rows, int width) {
    uint64_t waiting = 0;
    int bits = 0;
    to = put_varint(to, (uint64_t)((rows + 7) / 8) << 1 | 1);
    for (int64_t at = 0; at < (rows + 7) / 8 * 8; at++) {
        waiting |= (uint64_t)(at < rows ? index[at] : 0) << bits;
        for (bits += width; bits >= 8; bits -= 8) {
            *to++ = (uint8_t)waiting;
            waiting >>= 8;
        }
    }
    return to;
}

/* Puts which rows have a value, behind the size of that. */
static uint8_t *put_levels(uint8_t *to, const Texts *texts, const Table *table, int64_t *nulls) {
    uint8_t *begin = to + 4, *end = put_varint(begin, (uint64_t)((table->rows + 7) / 8) << 1 | 1);
    int64_t there = table->rows;
    if (texts->validity) {
        there = 0;
        for (int64_t at = 0; at < table->rows; at += 8) {
            uint8_t bits = 0;
            for (int64_t step = 0; step < 8 && at + step < table->rows; step++)
                bits |= (uint8_t)(!is_null(texts, row_of(table, at + step)) << step);
            *end++ = bits;
            there += __builtin_popcount(bits);
        }
    }
    if (there == 0 || there == table->rows) {
        end = put_varint(begin, (uint64_t)table->rows << 1);
        *end++ = there != 0;
    }
    uint32_t size = (uint32_t)(end - begin);
    memcpy(to, &size, 4);
    *nulls = table->rows - there;
    return end;
}

/* Makes two words of a view; what is behind a short text need not be zero. */
static inline void words_of(const uint8_t *view, uint64_t words[2]) {
    uint32_t size = word_at(view);
    memcpy(words, view, VIEW);
    if (size < 4)
        words[0] &= ((uint64_t)1 << (32 + 8 * size)) - 1;
    if (size <= 4)
        words[1] = 0;
    else if (size < INLINE)
        words[1] &= ((uint64_t)1 << 8 * (size - 4)) - 1;
}

static inline uint64_t mixed(uint64_t low, uint64_t high) {
    uint64_t hash = (low ^ (high >> 29) ^ (high << 35)) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 32;
    hash *= 0xD6E8FEB86659FD93u;
    return hash ^ hash >> 32;
}

/* Finds which of its different texts each row has; returns how many these are, -1 where that is no gain. */
static int64_t index_texts(const Texts *texts, const Table *table, Page *page) {
    int64_t different = 0, filled = 0;
    uint64_t before[2] = {UINT64_MAX, UINT64_MAX}, mine[2];
    uint16_t last = 0;
    memset(page->seats, 0xFF, SEATS * sizeof *page->seats);
    for (int64_t at = 0; at < table->rows; at++) {
        int64_t row = row_of(table, at);
        if (is_null(texts, row))
            continue;
        if (filled == SAMPLED_ROWS && different > SAMPLED_ROWS / 2)
            return -1;
        words_of(texts->views + row * VIEW, mine);
        if (mine[0] == before[0] && mine[1] == before[1]) {
            page->index[filled++] = last;
            continue;
        }
        uint32_t size = (uint32_t)mine[0];
        const uint8_t *bytes = bytes_of(texts, row);
        uint64_t tail = size > INLINE ? eight_at(bytes + size - 8) : mine[1];
        uint64_t seat = mixed(mine[0], tail) & (SEATS - 1);
        for (; page->seats[seat] >= 0; seat = (seat + 1) & (SEATS - 1)) {
            const uint64_t *known = page->words + 2 * page->seats[seat];
            if (known[0] != mine[0])
                continue;
            if (known[1] == mine[1] ||
                (size > INLINE && memcmp(bytes_of(texts, page->first[page->seats[seat]]), bytes, size) == 0))
                break;
        }
        if (page->seats[seat] < 0) {
            if (different == DIFFERENT_MAX)
                return -1;
            page->first[different] = row;
            memcpy(page->words + 2 * different, mine, sizeof mine);
            page->seats[seat] = (int32_t)different++;
        }
        memcpy(before, mine, sizeof mine);
        page->index[filled++] = last = (uint16_t)page->seats[seat];
    }
    return different == 0 || different > filled / 2 + 1 ? -1 : different;
}

/* Puts one block of differences, the least one apart. */
static uint8_t *put_deltas(uint8_t *to, const uint64_t *delta, int64_t count) {
    int64_t least = (int64_t)delta[0];
    for (int64_t at = 1; at < count; at++)
        least = (int64_t)delta[at] < least ? (int64_t)delta[at] : least;
    to = put_zigzag(to, least);
    uint8_t *widths = to;
    to += DELTAS / MINI;
    memset(widths, 0, DELTAS / MINI);
    for (int64_t begin = 0; begin < count; begin += MINI) {
        uint64_t all = 0;
        int64_t end = begin + MINI < count ? begin + MINI : count;
        for (int64_t at = begin; at < end; at++)
            all |= delta[at] - (uint64_t)least;
        int width = 0;
        while (width < 64 && all >> width)
            width++;
        widths[begin / MINI] = (uint8_t)width;
        memset(to, 0, (size_t)(MINI / 8 * width));
        for (int64_t at = begin, bit = 0; at < end; at++, bit += width) {
            uint64_t value = delta[at] - (uint64_t)least;
            for (int part = 0; part < width; part += 8 - (int)((bit + part) & 7))
                to[(bit + part) >> 3] |= (uint8_t)((value >> part) << ((bit + part) & 7));
        }
        to += MINI / 8 * width;
    }
    return to;
}

/* Integers on their way into a page. */
typedef struct {
    uint8_t *to;
    int64_t filled, waiting;
    uint64_t before, delta[DELTAS];
} Counted;

static void begin_counted(Counted *counted, uint8_t *to, int64_t numbers) {
    to = put_varint(to, DELTAS);
    to = put_varint(to, DELTAS / MINI);
    counted->to = put_varint(to, (uint64_t)numbers);
    counted->filled = counted->waiting = 0;
}

static inline void count_on(Counted *counted, int64_t number) {
    if (counted->filled++ == 0)
        counted->to = put_zigzag(counted->to, number);
    else
        counted->delta[counted->waiting++] = (uint64_t)number - counted->before;
    counted->before = (uint64_t)number;
    if (counted->waiting == DELTAS) {
        counted->to = put_deltas(counted->to, counted->delta, DELTAS);
        counted->waiting = 0;
    }
}

static uint8_t *end_counted(Counted *counted) {
    if (counted->filled == 0)
        return put_zigzag(counted->to, 0);
    return counted->waiting ? put_deltas(counted->to, counted->delta, counted->waiting) : counted->to;
}

/* Puts the sizes of all texts, and behind them the texts. */
static uint8_t *put_texts(uint8_t *to, const Texts *texts, const Table *table, int64_t filled) {
    Counted counted;
    begin_counted(&counted, to, filled);
    for (int64_t at = 0; at < table->rows; at++) {
        int64_t row = row_of(table, at);
        if (!is_null(texts, row))
            count_on(&counted, size_of(texts, row));
    }
    to = end_counted(&counted);
    for (int64_t at = 0; at < table->rows; at++) {
        int64_t row = row_of(table, at);
        if (!is_null(texts, row))
            to = put_text(to, texts->views + row * VIEW, bytes_of(texts, row), size_of(texts, row));
    }
    return to;
}

static uint8_t *put_dictionary(uint8_t *to, const Texts *texts, const Page *page) {
    for (int64_t at = 0; at < page->different; at++) {
        int64_t row = page->first[at];
        uint32_t size = size_of(texts, row);
        memcpy(to, &size, 4);
        to = put_text(to + 4, texts->views + row * VIEW, bytes_of(texts, row), size);
    }
    return to;
}

static uint8_t *put_index(uint8_t *to, const Page *page, int64_t filled) {
    int width = 1;
    while ((int64_t)1 << width < page->different)
        width++;
    *to++ = (uint8_t)width;
    if (page->different > 1)
        return put_packed(to, page->index, filled, width);
    to = put_varint(to, (uint64_t)filled << 1); /* the same all through */
    *to++ = 0;
    return to;
}

/* Makes the page of a column of texts. */
PUBLIC void dialer_text_page(const Table *table, Page *page) {
    const Texts *texts = table->columns;
    uint8_t *to = put_levels(page->data, texts, table, &page->nulls);
    int64_t filled = table->rows - page->nulls;
    page->different = filled ? index_texts(texts, table, page) : -1;
    if (page->different >= 0) {
        page->dictionary_size = put_dictionary(page->dictionary, texts, page) - page->dictionary;
        to = put_index(to, page, filled);
    } else {
        page->dictionary_size = 0;
        to = put_texts(to, texts, table, filled);
    }
    page->data_size = to - page->data;
}

/* Makes the page of a column of integers, whose validity `texts` has. */
PUBLIC void dialer_number_page(const Table *table, const int64_t *numbers, Page *page) {
    const Texts *texts = table->columns;
    Counted counted;
    uint8_t *to = put_levels(page->data, texts, table, &page->nulls);
    begin_counted(&counted, to, table->rows - page->nulls);
    page->least = INT64_MAX;
    page->greatest = INT64_MIN;
    for (int64_t at = 0; at < table->rows; at++) {
        int64_t row = row_of(table, at);
        if (is_null(texts, row))
            continue;
        page->least = numbers[row] < page->least ? numbers[row] : page->least;
        page->greatest = numbers[row] > page->greatest ? numbers[row] : page->greatest;
        count_on(&counted, numbers[row]);
    }
    page->different = -1;
    page->data_size = end_counted(&counted) - page->data;
}

#endif
