/* Rows as JSON objects of texts, each the text of a new column. */

#ifndef RENDER_JSON_H
#define RENDER_JSON_H

#include "render_texts.h"

/* What stands before each value: `{"name":` for the first, `,"name":` for the others. */
typedef struct {
    const uint8_t *bytes;
    const int64_t *sizes;
} Names;

static uint8_t *put_escaped(uint8_t *to, uint8_t byte) {
    static const char letters[] = "btn?fr", digits[] = "0123456789abcdef";
    *to++ = '\\';
    if (byte == '"' || byte == '\\') {
        *to++ = byte;
    } else if (byte >= 8 && byte <= 13 && byte != 11) {
        *to++ = (uint8_t)letters[byte - 8];
    } else {
        memcpy(to, "u00", 3);
        to[3] = (uint8_t)digits[byte >> 4];
        to[4] = (uint8_t)digits[byte & 15];
        to += 5;
    }
    return to;
}

static uint8_t *put_string(uint8_t *to, const uint8_t *bytes, uint32_t size) {
    *to++ = '"';
    for (uint32_t at = 0; at < size; at++) {
        uint8_t byte = bytes[at];
        if (RARELY(byte < ' ' || byte == '"' || byte == '\\'))
            to = put_escaped(to, byte);
        else
            *to++ = byte;
    }
    *to++ = '"';
    return to;
}

/* Puts the objects into `to` and their views into `views`; returns how many bytes they have.
 *
 * There is room for six bytes for each of the texts, the names, four a cell and one a row. */
PUBLIC int64_t dialer_json(const Table *table, const Names *names, uint8_t *to, uint8_t *views) {
    uint8_t *begin = to;
    for (int64_t at = 0; at < table->rows; at++) {
        int64_t row = row_of(table, at);
        uint8_t *object = to;
        const uint8_t *name = names->bytes;
        for (int64_t column = 0; column < table->width; column++) {
            const Texts *texts = table->columns + column;
            memcpy(to, name, (size_t)names->sizes[column]);
            to += names->sizes[column];
            name += names->sizes[column];
            if (is_null(texts, row)) {
                memcpy(to, "null", 4);
                to += 4;
            } else {
                to = put_string(to, bytes_of(texts, row), size_of(texts, row));
            }
        }
        *to++ = '}';
        uint32_t view[4] = {(uint32_t)(to - object), 0, 0, (uint32_t)(object - begin)};
        if (view[0] <= INLINE) {
            memcpy(view + 1, object, view[0]);
            memset((uint8_t *)(view + 1) + view[0], 0, INLINE - view[0]);
        } else {
            memcpy(view + 1, object, 4);
        }
        memcpy(views + at * VIEW, view, VIEW);
    }
    return to - begin;
}

#endif
