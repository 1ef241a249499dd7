/* What mend.py may find in a text. */

#ifndef KERNEL_REPAIRS_H
#define KERNEL_REPAIRS_H

#include "kernel_given.h"

enum { DAMAGED = 1, PARTED = 2, HIDDEN = 4, ROOMY = 8, FLOAT_DIGITS = 7 };

static int may_be_space(uint8_t byte) { return byte <= ' ' || byte >= 0x80; }

/* Returns whether a text may be a number to which a spreadsheet put a fraction: '919876543210.0'. */
static int may_be_float(Text text) {
    int64_t at = 0, begin;
    while (at < text.size && may_be_space(text.bytes[at]))
        at++;
    at += at < text.size && text.bytes[at] == '+';
    for (begin = at; at < text.size && (uint8_t)(text.bytes[at] - '0') < 10; at++)
        ;
    if (at - begin < FLOAT_DIGITS || at == text.size || (text.bytes[at] != '.' && text.bytes[at] != ','))
        return 0;
    for (begin = ++at; at < text.size && text.bytes[at] == '0'; at++)
        ;
    if (at == begin)
        return 0;
    while (at < text.size && may_be_space(text.bytes[at]))
        at++;
    return at == text.size;
}

/* Returns whether a text may be a number like 9.1E+11 as a whole. */
static int may_be_scientific(Text text) {
    for (int64_t at = 0; at < text.size; at++) {
        uint8_t byte = text.bytes[at];
        if ((uint8_t)(byte - '0') >= 10 && byte != '.' && byte != ',' && byte != '+' && byte != '-' &&
            (byte | 32) != 'e' && !may_be_space(byte))
            return 0;
    }
    return 1;
}

/* Returns what mend.py may find here, and sometimes more. */
static int suspicion(Text text) {
    const uint8_t *byte = text.bytes;
    int64_t size = text.size, digits = 0;
    int found = 0, powers = 0;
    for (int64_t at = 0; at < size; at++) {
        uint8_t here = byte[at], next = at + 1 < size ? byte[at + 1] : 0, third = at + 2 < size ? byte[at + 2] : 0;
        digits += (uint8_t)(here - '0') < 10 || here >= 0xC0;
        if (here < 0x20 || here >= 0x80)
            found |= HIDDEN;
        switch (here) {
        case '=': case '"': case '\'': case '`':
            found |= DAMAGED;
            break;
        case 0xE2:
            if (next == 0x80 && third >= 0x98 && third <= 0x9F)
                found |= DAMAGED;
            break;
        case 0xC2:
            if (next == 0xB4)
                found |= DAMAGED;
            break;
        case 'e': case 'E':
            if (at > 0 && (uint8_t)(byte[at - 1] - '0') < 10)
                powers |= (uint8_t)(next - '0') < 10 || next == '+' || next == '-';
            break;
        case ';': case ',': case '|': case '/': case '\r': case '\n': case '&':
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
    }
    /* Without digits it is no number, whatever is done to it. */
    if (!digits)
        return 0;
    if (digits >= 14)
        found |= ROOMY;
    /* In a cell of several numbers any of them may have been written like that. */
    if ((powers && (found & PARTED || may_be_scientific(text))) || may_be_float(text))
        found |= DAMAGED;
    return found;
}

#endif
