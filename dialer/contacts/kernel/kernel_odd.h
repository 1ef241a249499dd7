/* Texts that hold more than digits and marks, as odd.py reads them. */

#ifndef KERNEL_ODD_H
#define KERNEL_ODD_H

#include "kernel_given.h"

typedef struct {
    uint8_t symbol[TEXT_MAX];
    uint16_t place[TEXT_MAX + 1]; /* of each symbol's first byte */
    int size;
} Symbols;

static int is_digit(uint8_t symbol) {
    return (uint8_t)(symbol - '0') < 10 || (symbol >= DIGIT_0 && symbol <= DIGIT_9);
}

/* What may stand between digits: the valid punctuation of libphonenumber, and a star. */
static int is_mark(uint8_t symbol) {
    switch (symbol) {
    case '-': case 'x': case 'X': case ' ': case '(': case ')': case '.': case '[': case ']': case '/': case '~':
    case '*': case NO_BREAK: case MARK: case LETTER_MARK: case WIDE_STOP:
        return 1;
    default:
        return 0;
    }
}

static int is_space(uint8_t symbol) { return symbol == ' ' || symbol == '\t' || symbol == NO_BREAK; }

/* Returns the code point of UTF-8 and moves on behind it, -1 where there is none. */
static int32_t code_point(const uint8_t **at, const uint8_t *end) {
    const uint8_t *bytes = *at;
    int more = bytes[0] < 0x80 ? 0 : bytes[0] < 0xC2 ? -1 : bytes[0] < 0xE0 ? 1 : bytes[0] < 0xF0 ? 2 : bytes[0] < 0xF5 ? 3 : -1;
    if (more < 0 || end - bytes <= more)
        return -1;
    int32_t point = more ? bytes[0] & (0x3F >> more) : bytes[0];
    for (int index = 1; index <= more; index++) {
        if ((bytes[index] & 0xC0) != 0x80)
            return -1;
        point = point << 6 | (bytes[index] & 0x3F);
    }
    *at = bytes + more + 1;
    return point;
}

/* Returns 0, LONG_TEXT, or UNDECIDED where a character is unknown. */
static int read_symbols(const Plans *plans, Text text, Symbols *found) {
    const uint8_t *at = text.bytes, *end = text.bytes + text.size;
    int size = 0, unknown = 0;
    while (at < end) {
        if (size == TEXT_MAX)
            return LONG_TEXT;
        found->place[size] = (uint16_t)(at - text.bytes);
        if (*at < 0x80) {
            found->symbol[size++] = *at++;
            continue;
        }
        int32_t point = code_point(&at, end);
        if (point < 0)
            return UNDECIDED;
        uint8_t symbol = point < plans->symbols_known ? plans->symbols[point] : UNKNOWN;
        unknown |= symbol == UNKNOWN;
        found->symbol[size++] = symbol;
    }
    found->place[size] = (uint16_t)text.size;
    found->size = size;
    return unknown ? UNDECIDED : 0;
}

/* An extension at the end of a text: where its digits are, and whether a # stands behind them. */
typedef struct {
    int digits, end, hash;
} Tail;

static Tail tail_of(const uint8_t *symbol, int start, int end) {
    Tail tail = {end, end, 0};
    if (end > start && symbol[end - 1] == '#') {
        tail.hash = 1;
        tail.end--;
    }
    tail.digits = tail.end;
    while (tail.digits > start && is_digit(symbol[tail.digits - 1]))
        tail.digits--;
    return tail;
}

/* Returns whether a word in small letters stands there. */
static int says(const uint8_t *symbol, int at, int end, const char *word) {
    for (; *word; word++, at++) {
        uint8_t small = is_ascii_letter(at < end ? symbol[at] : 0) ? symbol[at] | 32 : at < end ? symbol[at] : 0;
        if (small != (uint8_t)*word)
            return 0;
    }
    return 1;
}

static int skip_gap(const uint8_t *symbol, int at, int end) {
    while (at < end && (is_space(symbol[at]) || symbol[at] == ','))
        at++;
    return at;
}

/* Returns whether only what may follow a label stands between it and the digits. */
static int reaches(const uint8_t *symbol, int at, int digits) {
    if (at < digits && (symbol[at] == ':' || symbol[at] == '.' || symbol[at] == WIDE_STOP))
        at++;
    while (at < digits && (is_space(symbol[at]) || symbol[at] == ',' || symbol[at] == '-'))
        at++;
    return at == digits;
}

/* Returns whether an extension begins here: the six forms of libphonenumber, in its order.
 *
 * None needs to try again with less: what each part takes, the next one could not. */
static int extends(const uint8_t *symbol, int at, Tail tail) {
    int digits = tail.digits, size = tail.end - digits;
    if (size < 1 || size > 20 || at >= digits)
        return 0;
    if (!tail.hash && says(symbol, at, digits, ";ext=") && at + 5 == digits)
        return 1;
    int label = skip_gap(symbol, at, digits);
    int behind = label + (label < digits && (symbol[label] | 32) == 'e');
    if (says(symbol, behind, digits, "xt")) {
        behind += 2;
        if (says(symbol, behind, digits, "ensio"))
            behind += 5;
        if (says(symbol, behind, digits, "n"))
            behind += 1;
        if (reaches(symbol, behind, digits))
            return 1;
    }
    if (says(symbol, label, digits, "anexo") && reaches(symbol, label + 5, digits))
        return 1;
    if (size <= 9 && label < digits) {
        uint8_t sign = symbol[label];
        if ((sign == 'x' || sign == 'X' || sign == '#' || sign == '~') && reaches(symbol, label + 1, digits))
            return 1;
        if (says(symbol, label, digits, "int") && reaches(symbol, label + 3, digits))
            return 1;
    }
    if (tail.hash && size <= 6) {
        int dashes = at;
        while (dashes < digits && (symbol[dashes] == '-' || symbol[dashes] == ' '))
            dashes++;
        if (dashes == digits)
            return 1;
    }
    int pause = at;
    while (pause < digits && is_space(symbol[pause]))
        pause++;
    if (size <= 15) {
        int dialled = says(symbol, pause, digits, ",,") ? 2 : pause < digits && symbol[pause] == ';';
        if (dialled && reaches(symbol, pause + dialled, digits))
            return 1;
    }
    int commas = pause;
    while (commas < digits && symbol[commas] == ',')
        commas++;
    return size <= 9 && commas > pause && reaches(symbol, commas, digits);
}

/* Returns whether the text looks like a number, with or without an extension. */
static int is_viable(const uint8_t *symbol, int start, int end) {
    if (end - start < 2)
        return 0;
    if (end - start == 2 && is_digit(symbol[start]) && is_digit(symbol[start + 1]))
        return 1;
    int at = start, digits = 0;
    while (at < end && symbol[at] == '+')
        at++;
    for (; at < end && digits < 3; at++) {
        if (is_digit(symbol[at]))
            digits++;
        else if (!is_mark(symbol[at]))
            return 0;
    }
    if (digits < 3)
        return 0;
    int third = at;
    while (at < end && (is_digit(symbol[at]) || is_mark(symbol[at]) || is_ascii_letter(symbol[at])))
        at++;
    if (at == end)
        return 1;
    Tail tail = tail_of(symbol, start, end);
    for (int begin = third; begin <= at; begin++)
        if (extends(symbol, begin, tail))
            return 1;
    return 0;
}

static const uint8_t KEYPAD[26] = {2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 6, 7, 7, 7, 7, 8, 8, 8, 9, 9, 9, 9};

enum { SLOT = 48, SLOT_DIGITS = 31, ZEROS = 16 };

/* Digits as text behind 16 zeros, so that the last 16 can be read at once. */
typedef struct {
    uint8_t digit[SLOT];
    uint64_t value; /* of up to 19 digits */
    unsigned count;
    int plus;
    uint16_t extension, extension_size;
} Slot;

/* Returns 0 and the digits, or the code of an outcome, or UNDECIDED. */
static int take_apart(const Plans *plans, Text text, Slot *slot) {
    Symbols symbols;
    int stopped = read_symbols(plans, text, &symbols);
    if (stopped)
        return stopped;
    const uint8_t *symbol = symbols.symbol;
    int start = 0, end = symbols.size, letters = 0, parts = 0;
    while (start < end && symbol[start] != '+' && !is_digit(symbol[start]))
        start++;
    for (int at = 0; at < end; at++) {
        uint8_t here = symbol[at];
        if (here == ';' && (says(symbol, at, end, ";phone-context=") || says(symbol, at, end, ";isub=")))
            return UNDECIDED;
        if (at >= start && here == UNSURE)
            return UNDECIDED;
    }
    while (end > start && symbol[end - 1] != '#' && !is_ascii_letter(symbol[end - 1]) && !is_digit(symbol[end - 1]) &&
           symbol[end - 1] != LETTER && symbol[end - 1] != LETTER_MARK)
        end--;
    for (int at = start; at < end; at++) {
        if (symbol[at] != '/' && symbol[at] != '\\')
            continue;
        int next = at + 1;
        while (next < end && symbol[next] == ' ')
            next++;
        if (next < end && symbol[next] == 'x')
            end = at;
    }
    if (!is_viable(symbol, start, end))
        return NOT_A_NUMBER;
    for (int at = start; at < end; at++)
        parts |= is_ascii_letter(symbol[at]) || symbol[at] == '#' || symbol[at] == '~' || symbol[at] == ',' || symbol[at] == ';';
    if (parts) {
        Tail tail = tail_of(symbol, start, end);
        for (int at = start; at < tail.digits; at++) {
            if (!extends(symbol, at, tail))
                continue;
            if (is_viable(symbol, start, at)) {
                slot->extension = symbols.place[tail.digits];
                slot->extension_size = (uint16_t)(symbols.place[tail.end] - symbols.place[tail.digits]);
                end = at;
            }
            break;
        }
        for (int at = start; at < end; at++)
            letters += is_ascii_letter(symbol[at]);
    }
    slot->plus = symbol[start] == '+';
    unsigned count = 0;
    for (int at = start; at < end; at++) {
        uint8_t here = symbol[at];
        int digit = -1;
        if ((uint8_t)(here - '0') < 10)
            digit = here - '0';
        else if (letters >= 3)
            digit = is_ascii_letter(here) ? KEYPAD[(here | 32) - 'a'] : -1;
        else if (here >= DIGIT_0 && here <= DIGIT_9)
            digit = here - DIGIT_0;
        if (digit < 0)
            continue;
        /* What is too long for the tables need not be kept whole. */
        slot->digit[ZEROS + (count < SLOT_DIGITS ? count : SLOT_DIGITS)] = (uint8_t)('0' + digit);
        count++;
    }
    slot->count = count;
    /* reader.py says of spelled numbers that are too long what phonenumbers says. */
    return letters >= 3 && count > DIGITS_MAX ? UNDECIDED : 0;
}

#endif
