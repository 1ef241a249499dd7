/* Digits as text to integers, eight at a time, and back. */

#ifndef KERNEL_DIGITS_H
#define KERNEL_DIGITS_H

#include "kernel_odd.h"

#define ZERO_DIGITS 0x3030303030303030u

/* The first digit is the low one in memory: binding.py asks for a little-endian machine. */
static uint64_t eight_at(const uint8_t *bytes) {
    uint64_t eight;
    memcpy(&eight, bytes, sizeof eight);
    return eight;
}

static int are_digits(uint64_t eight) {
    return ((eight & 0xF0F0F0F0F0F0F0F0u) | ((eight + 0x0606060606060606u) & 0xF0F0F0F0F0F0F0F0u) >> 4) ==
           0x3333333333333333u;
}

static uint64_t joined(uint64_t pairs) {
    pairs = (pairs * 10 + (pairs >> 8)) & 0x00FF00FF00FF00FFu;
    pairs = (pairs * 100 + (pairs >> 16)) & 0x0000FFFF0000FFFFu;
    return (pairs * 10000 + (pairs >> 32)) & 0x00000000FFFFFFFFu;
}

static uint64_t eight_digits(const uint8_t *digit) { return joined(eight_at(digit) - ZERO_DIGITS); }

static uint64_t value_of(const Slot *slot) {
    const uint8_t *last = slot->digit + slot->count; /* 16 before the end of the digits */
    uint64_t value = eight_digits(last) * 100000000u + eight_digits(last + 8);
    for (unsigned at = 16; RARELY(at < slot->count); at++)
        value += (uint64_t)(slot->digit[ZEROS + slot->count - 1 - at] - '0') * TENS[at];
    return value;
}


/* Writes eight digits as text; the inverse of eight_digits. */
static void put_eight(uint8_t *text, uint64_t value) {
    uint64_t fours = value / 10000 | (value % 10000) << 32;
    uint64_t hundreds = (fours * 10486 >> 20) & 0x0000007F0000007Fu;
    uint64_t pairs = hundreds | (fours - hundreds * 100) << 16;
    uint64_t tens = (pairs * 103 >> 10) & 0x000F000F000F000Fu;
    uint64_t digits = (tens | (pairs - tens * 10) << 8) + 0x3030303030303030u;
    memcpy(text, &digits, sizeof digits);
}

enum { E164_MAX = 20, E164_ROOM = 32 };

static unsigned digits_of(uint64_t value) {
    unsigned digits = 1;
#if defined(__GNUC__)
    /* log10(2) is 1233 / 4096, or up to one less than needed. */
    digits = (unsigned)(64 - __builtin_clzll(value | 1)) * 1233 >> 12;
    digits += digits == 0;
#endif
    while (digits < 20 && value >= TENS[digits])
        digits++;
    return digits;
}

/* Writes + and the digits, and spare bytes up to E164_ROOM; returns the size. */
static uint32_t put_e164(uint8_t *to, uint64_t value) {
    uint8_t text[48];
    uint64_t rest = value / 100000000u;
    put_eight(text + 16, value % 100000000u);
    put_eight(text + 8, rest % 100000000u);
    put_eight(text, rest / 100000000u);
    memset(text + 24, 0, 24);
    unsigned digits = digits_of(value);
    to[0] = '+';
    memcpy(to + 1, text + 24 - digits, 24);
    return digits + 1;
}

#endif
