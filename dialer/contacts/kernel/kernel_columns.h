/* Columns of text out of values and codes. */

#ifndef KERNEL_COLUMNS_H
#define KERNEL_COLUMNS_H

#include "kernel_digits.h"

enum { FIELDS = 3 };

/* A text column for each field of an outcome: views by code, and whether there is a text. */
typedef struct {
    const uint8_t *views[FIELDS];
    const uint8_t *known[FIELDS];
    const uint8_t *shown; /* of each code: whether its rows get columns at all */
    int64_t codes;
} Fields;

/* `bytes` has room for E164_MAX a row and E164_ROOM more; validity is one bit a row, all clear at first. */
typedef struct {
    uint8_t *phones;
    uint8_t *bytes;
    uint8_t *validity;
    uint8_t *field[FIELDS];
    uint8_t *field_validity[FIELDS];
    int64_t *hidden; /* rows without columns */
    int64_t size;    /* of `bytes` */
    int64_t hidden_rows;
    int64_t nulls[FIELDS];
} Columns;

PUBLIC void dialer_columns(const uint64_t *value, const int32_t *outcome, int64_t rows, const Fields *fields,
                           Columns *columns) {
    int64_t size = 0, hidden = 0, known[FIELDS] = {0};
    for (int64_t row = 0; row < rows; row++) {
        int32_t code = outcome[row];
        uint8_t *phone = columns->phones + row * VIEW;
        if (code < 0 || code >= fields->codes || !fields->shown[code]) {
            memset(phone, 0, VIEW);
            for (int field = 0; field < FIELDS; field++)
                memset(columns->field[field] + row * VIEW, 0, VIEW);
            columns->hidden[hidden++] = row;
            continue;
        }
        uint8_t bit = (uint8_t)(1 << (row & 7));
        uint32_t written = put_e164(columns->bytes + size, value[row]);
        put_view(phone, columns->bytes + size, written, 0, (uint32_t)size);
        columns->validity[row >> 3] |= bit;
        if (written > INLINE)
            size += written;
        for (int field = 0; field < FIELDS; field++) {
            memcpy(columns->field[field] + row * VIEW, fields->views[field] + (int64_t)code * VIEW, VIEW);
            int there = fields->known[field][code];
            columns->field_validity[field][row >> 3] |= there ? bit : 0;
            known[field] += there;
        }
    }
    columns->size = size;
    columns->hidden_rows = hidden;
    for (int field = 0; field < FIELDS; field++)
        columns->nulls[field] = rows - known[field];
}

/* Puts texts of a table into the given rows of a column that is empty so far. */
PUBLIC void dialer_spread(const uint8_t *table, const uint8_t *known, int64_t texts, const int64_t *which,
                          const int64_t *rows, int64_t count, uint8_t *views, uint8_t *validity, int64_t *filled) {
    for (int64_t at = 0; at < count; at++) {
        int64_t text = which[at], row = rows[at];
        if (text < 0 || text >= texts || !known[text])
            continue;
        memcpy(views + row * VIEW, table + text * VIEW, VIEW);
        validity[row >> 3] |= (uint8_t)(1 << (row & 7));
        ++*filled;
    }
}

#endif
