/* What is written in rejected cells, for reasons.py. */

#ifndef KERNEL_REJECTS_H
#define KERNEL_REJECTS_H

#include "kernel_digits.h"
#include "kernel_lookup.h"
#include "kernel_odd.h"

enum { HAS_PLUS = 1, IS_BLANK = 2, IS_BARE = 4, IS_FOREIGN = 8 };
enum { COUNTED_MAX = 9999 };

/* Tells of each of the given rows how many digits it has, in any script; the value of its ASCII digits if these are
 * 19 at most; and whether a + stands before these, nothing is written there, only a label stands before digits and
 * marks (bare), or Python has to find out all of that. */
PUBLIC void dialer_describe(const Texts *texts, const Plans *plans, const int64_t *rows, int64_t count, int64_t *digits,
                            uint64_t *value, uint8_t *about) {
    for (int64_t at = 0; at < count; at++) {
        Text text = text_at(texts, rows[at]);
        int64_t counted = 0;
        uint64_t number = 0;
        int found = text.size < 0 ? IS_FOREIGN : IS_BLANK, begun = 0, bare = 0, foreign = 0;
        for (const uint8_t *byte = text.bytes, *end = byte + text.size; byte < end;) {
            uint8_t here = *byte, digit = (uint8_t)(here - '0');
            if (here >= 0x80) {
                int32_t point = code_point(&byte, end);
                /* Digits that are younger than one of both Unicodes, of re and of polars, are all out there. */
                if (point < 0 || (point > 0xFFFF && (point < 0x1D7CE || point > 0x1D7FF))) {
                    found |= IS_FOREIGN;
                    break;
                }
                uint8_t symbol = plans->symbols[point];
                counted += is_digit(symbol);
                foreign = 1;
                if (!begun && symbol == '+')
                    found |= HAS_PLUS;
                bare = begun ? 0 : bare;
                continue;
            }
            byte++;
            if (here != ' ' && (here < '\t' || here > '\r'))
                found &= ~IS_BLANK;
            if (digit < 10) {
                counted++;
                number = number * 10 + digit;
            }
            if (!begun) {
                if (here == '+')
                    found |= HAS_PLUS;
                begun = digit < 10 || here == '+';
                bare = begun && digit >= 1 && digit <= 9;
            } else if (digit >= 10 && here != ' ' && here != '(' && here != ')' && here != '.' && here != '-') {
                bare = 0;
            }
        }
        /* Which characters are blank is for Python to know. */
        if (foreign && !counted)
            found |= IS_FOREIGN;
        digits[at] = counted < COUNTED_MAX ? counted : COUNTED_MAX;
        value[at] = number;
        about[at] = (uint8_t)(found | (bare ? IS_BARE : 0));
    }
}

/* Tells what digits that do not begin with 0 are behind a +; where it does not know, the outcome is negative. */
PUBLIC void dialer_abroad(const Plans *plans, int64_t rows, uint64_t *value, int32_t *outcome) {
    for (int64_t row = 0; row < rows; row++) {
        outcome[row] = UNDECIDED;
        Reading reading = {value[row], digits_of(value[row]), 0, 0};
        if (reading.count > DIGITS_MAX)
            continue;
        reading.run = find(&plans->plans, key_of(INTERNATIONAL, reading.count, reading.value));
        reading.action = plans->runs[reading.run].action;
        if (reading.action >= DROP)
            follow(plans, 0, &reading);
        if (reading.action != NUMBER) {
            outcome[row] = rejected(reading.action);
            continue;
        }
        const Run *run = &plans->runs[reading.run];
        value[row] = reading.value + (uint64_t)run->delta;
        outcome[row] = plans->outcome[find(&plans->kinds, key_of(0, run->length, value[row]))];
    }
}

#endif
