/* What mend.py may find in a text. */

#ifndef KERNEL_REPAIRS_H
#define KERNEL_REPAIRS_H

#include "kernel_given.h"

enum { DAMAGED = 1, PARTED = 2, HIDDEN = 4, ROOMY = 8, WORDED = 16, NUMBER_DIGITS = 7 };

/* Returns whether a byte is a character that mend.py may drop, a part of one, or a digit of another script. */
static int is_strange(uint8_t byte) { return byte < 0x20 || byte >= 0x7F; }

static int is_plain_digit(uint8_t byte) { return (uint8_t)(byte - '0') < 10; }

/* Returns whether nothing but zeros stands from a place to the end of the digits and points. */
static int ends_in_zeros(Text text, int64_t at) {
    while (at < text.size && (text.bytes[at] == '0' || text.bytes[at] == '.'))
        at++;
    return at == text.size || !is_plain_digit(text.bytes[at]);
}

/* Returns whether one of so many characters of UTF-8, all of one size, stands there. */
static int is_any(Text text, int64_t at, const char *characters, int count) {
    size_t size = strlen(characters) / (size_t)count;
    if (at + (int64_t)size > text.size)
        return 0;
    for (int index = 0; index < count; index++)
        if (!memcmp(text.bytes + at, characters + (size_t)index * size, size))
            return 1;
    return 0;
}

static int is_gap(uint8_t byte) { return byte == ' ' || is_strange(byte); }

/* Returns what mend.py and several.py may find here, and sometimes more. */
static int suspicion(Text text) {
    const uint8_t *byte = text.bytes;
    int64_t size = text.size, digits = 0, run = 0;
    int found = 0, made = 0, begun = 0;
    for (int64_t at = 0; at < size; at++) {
        uint8_t here = byte[at];
        if (is_plain_digit(here)) {
            digits++;
            run++;
            continue;
        }
        uint8_t next = at + 1 < size ? byte[at + 1] : ' ', third = at + 2 < size ? byte[at + 2] : ' ';
        digits += here >= 0xC0;
        if (is_strange(here))
            found |= HIDDEN;
        begun |= digits || here == '+';
        if (begun && is_ascii_letter(here) && (is_ascii_letter(next) || (is_gap(next) && is_gap(byte[at - 1]))))
            found |= WORDED;
        switch (here) {
        case '=': case '"': case '\'': case '`':
            found |= DAMAGED;
            break;
        case '.':
            /* 919876543210.0 */
            made |= is_plain_digit(next) || is_strange(next);
            if (run && (run >= 4 || run == digits) && next == '0' && ends_in_zeros(text, at + 1))
                found |= DAMAGED;
            break;
        case 0xD9: case 0xEF: case 0xE3:
            /* A point or an E of another script, or a mark between numbers. */
            made |= is_any(text, at, "\xD9\xAB", 1) || is_any(text, at, "\xEF\xBC\x8E\xEF\xBC\xA5\xEF\xBD\x85", 3);
            if (is_any(text, at, "\xEF\xBC\x8C\xEF\xBC\x8F\xEF\xBC\x9B\xE3\x80\x81\xE3\x83\xBB", 5))
                found |= PARTED;
            break;
        case 0xE2:
            if (next == 0x80 && third >= 0x98 && third <= 0x9F)
                found |= DAMAGED;
            if (next == 0x80 && (third == 0xA8 || third == 0xA9))
                found |= PARTED;
            break;
        case '\v': case '\f': case 0x1C: case 0x1D: case 0x1E:
            found |= PARTED;
            break;
        case 0xC2:
            if (next == 0xB4)
                found |= DAMAGED;
            if (next == 0x85)
                found |= PARTED;
            break;
        case 'e': case 'E':
            /* 9.1E+11 */
            if (at > 0 && (is_plain_digit(byte[at - 1]) || is_strange(byte[at - 1])) &&
                (is_plain_digit(next) || is_strange(next) || next == '+' || next == '-')) {
                made |= 1;
                if (run && !is_strange(next))
                    found |= DAMAGED;
            }
            break;
        case ',':
            made |= is_plain_digit(next) || is_strange(next);
            if (run && (run >= 4 || run == digits) && next == '0' && ends_in_zeros(text, at + 1))
                found |= DAMAGED;
            found |= PARTED;
            break;
        case ';': case '|': case '/': case '\r': case '\n': case '&':
            found |= PARTED;
            break;
        case 'o': case 'O':
            if ((next | 32) == 'r')
                found |= PARTED;
            break;
        case 'a': case 'A':
            if ((next | 32) == 'n' && (third | 32) == 'd')
                found |= PARTED;
            break;
        default:
            break;
        }
        run = 0;
    }
    /* Without digits it is no number, whatever is done to it. */
    if (!digits)
        return 0;
    if (digits >= 2 * NUMBER_DIGITS)
        found |= ROOMY;
    /* Something may hide between a number and what a spreadsheet put behind it. */
    if (made && found & HIDDEN)
        found |= DAMAGED;
    return found;
}

#endif
