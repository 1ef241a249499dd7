/* Columns of texts as Python hands them over, see binding.py. */

#ifndef RENDER_TEXTS_H
#define RENDER_TEXTS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(_WIN32)
#define PUBLIC __declspec(dllexport)
#else
#define PUBLIC __attribute__((visibility("default")))
#endif

#if defined(__GNUC__)
#define FETCH(address) __builtin_prefetch(address)
#define RARELY(condition) __builtin_expect(!!(condition), 0)
#else
#define FETCH(address) ((void)0)
#define RARELY(condition) (condition)
#endif

enum { VIEW = 16, INLINE = 12 };

/* A column: 16 bytes a row, which hold up to 12 bytes of text or say where a longer one is. */
typedef struct {
    const uint8_t *views;
    const uint8_t *validity;
    int64_t first; /* the row's bit in `validity` */
    int64_t rows;
    const uint8_t *const *data;
    const int64_t *sizes;
    int64_t buffers;
} Texts;

/* Some rows of columns that are side by side; all of them where `which` is null. */
typedef struct {
    const Texts *columns;
    int64_t width;
    const int64_t *which;
    int64_t rows;
} Table;

static inline uint32_t word_at(const uint8_t *from) {
    uint32_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

static inline uint64_t eight_at(const uint8_t *from) {
    uint64_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

static inline int64_t row_of(const Table *table, int64_t at) { return table->which ? table->which[at] : at; }

static inline int is_null(const Texts *texts, int64_t row) {
    int64_t bit = texts->first + row;
    return texts->validity && !(texts->validity[bit >> 3] >> (bit & 7) & 1);
}

static inline uint32_t size_of(const Texts *texts, int64_t row) { return word_at(texts->views + row * VIEW); }

/* Returns where a text stands. */
static inline const uint8_t *bytes_of(const Texts *texts, int64_t row) {
    const uint8_t *view = texts->views + row * VIEW;
    if (word_at(view) <= INLINE)
        return view + 4;
    /* A null may say anything. */
    uint32_t buffer = word_at(view + 8), offset = word_at(view + 12);
    return buffer < texts->buffers ? texts->data[buffer] + offset : view + 4;
}

/* Puts a text of any size; up to 16 bytes more are written, and never read beyond the text. */
static inline uint8_t *put_text(uint8_t *to, const uint8_t *view, const uint8_t *bytes, uint32_t size) {
    if (size <= INLINE) { /* all that a view holds: the same few steps for any size */
        memcpy(to, view + 4, INLINE);
    } else if (size <= 2 * 8) {
        uint64_t first = eight_at(bytes), last = eight_at(bytes + size - 8);
        memcpy(to, &first, 8);
        memcpy(to + size - 8, &last, 8);
    } else if (size <= 4 * 8) {
        memcpy(to, bytes, 16);
        memcpy(to + size - 16, bytes + size - 16, 16);
    } else {
        memcpy(to, bytes, size);
    }
    return to + size;
}

/* Returns how many bytes the texts of the rows have together. */
PUBLIC int64_t dialer_bytes(const Table *table) {
    int64_t size = 0;
    for (int64_t column = 0; column < table->width; column++) {
        const Texts *texts = table->columns + column;
        for (int64_t at = 0; at < table->rows; at++) {
            int64_t row = row_of(table, at);
            size += is_null(texts, row) ? 0 : size_of(texts, row);
        }
    }
    return size;
}

#endif
