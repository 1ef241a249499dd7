/* What reader.py, odd.py and rows.py do to whole columns, for one row after the other.
 *
 * In come the texts of a chunk as Arrow keeps them (string views), the region of each row and the tables of
 * tables.py; out go E.164 as an integer, the code of the outcome, and which rows this code leaves to Python: it
 * never guesses. Nothing is allocated and nothing is kept here, so any number of threads may call.
 *
 * Texts of digits and marks are read in one loop. All others are turned into symbols, one byte a character, and
 * taken apart as libphonenumber does it (parse in phonenumberutil.py of phonenumbers), because its regular
 * expressions know little more than a dozen kinds of characters.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef KERNEL_SOURCE
#define KERNEL_SOURCE ""
#endif

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

/* ------------------------------------------------------------------ what Python hands over, see kernel.py */

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

/* lookup.py: sorted keys, and for each bucket how many of them come before it. */
typedef struct {
    const uint64_t *keys;
    const double *factor;
    const int64_t *base;
    const int32_t *first;
    int64_t last;
} Lookup;

/* One run of the plans: what digits become. */
typedef struct {
    int64_t delta;
    uint8_t action;
    uint8_t length;
    uint8_t extracted;
    uint8_t unused[5];
} Run;

typedef struct {
    Lookup plans;
    Lookup kinds;
    const Run *runs;
    const int32_t *outcome;  /* of each kind */
    const uint8_t *verdict;  /* of each outcome that a kind has */
    const uint8_t *symbols;  /* of each code point */
    int64_t symbols_known;
    const int64_t *national; /* of each region: the place of its texts without + */
    const int64_t *again;    /* of each region: the place of those read again without it */
    int64_t regions;
} Plans;

/* Where the answers go: `value` and `outcome` have all rows, the others as many as `counts` says. */
typedef struct {
    uint64_t *value;
    int32_t *outcome;
    int64_t *rest;       /* rows that are left to Python */
    int32_t *rest_head;  /* the first four digits of those with more digits than the tables, -1 for all others */
    uint8_t *rest_count; /* how many digits these have */
    uint8_t *rest_plus;  /* and whether a + stands before them */
    int64_t *suspects;   /* rows that a repair may change */
    int64_t *extended;   /* rows with an extension, */
    uint8_t *extensions; /* which are views into the texts */
    int64_t counts[3];
} Answers;

/* Cells of several numbers, of which one was chosen: what is wanted, and where to say so. */
typedef struct {
    const uint8_t *dialable; /* of each outcome: whether its numbers may be called */
    int64_t *parted;         /* rows whose answer is that of a part, */
    int64_t *rank;           /* and of which one, counted from 1 */
    int64_t *other_rows;     /* the other dialable numbers of these rows */
    uint64_t *other_values;
    int64_t room;            /* for so many others */
    int64_t counts[2];
} Parts;

enum { NUMBER, TOO_SHORT, TOO_LONG, RETRY, ASK, IDD = 32, DROP = 64, NO_REGION = 254, NO_DIGITS = 255 };
enum { VALID = 0, PARSED_MAX = 5, NOT_A_NUMBER = 6, UNKNOWN_CODE, WITHOUT_REGION, SHORT_TEXT, LONG_TEXT };
enum { UNDECIDED = -1 };
enum { INTERNATIONAL = 1, PLACES = 512, DIGITS_MAX = 18, LEADING = 15, LENGTH_BITS = 5, DIGIT_BITS = 50 };
enum { TEXT_MAX = 250, VIEW = 16, INLINE = 12 };

/* Symbols above ASCII; ours for what a character is to libphonenumber. UNSURE ones mean something in extensions. */
enum { DIGIT_0 = 128, DIGIT_9 = 137, NO_BREAK, MARK, LETTER_MARK, WIDE_STOP, OTHER, LETTER, UNSURE, UNKNOWN = 255 };

static const uint64_t TENS[20] = {1u,
                                  10u,
                                  100u,
                                  1000u,
                                  10000u,
                                  100000u,
                                  1000000u,
                                  10000000u,
                                  100000000u,
                                  1000000000u,
                                  10000000000u,
                                  100000000000u,
                                  1000000000000u,
                                  10000000000000u,
                                  100000000000000u,
                                  1000000000000000u,
                                  10000000000000000u,
                                  100000000000000000u,
                                  1000000000000000000u,
                                  10000000000000000000u};

/* ------------------------------------------------------------------------------------------------- texts */

typedef struct {
    const uint8_t *bytes;
    int64_t size; /* -1: the view points to nowhere */
} Text;

static uint32_t word_at(const uint8_t *bytes) {
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

static int is_null(const Texts *texts, int64_t row) {
    int64_t bit = texts->first + row;
    return texts->validity != NULL && !(texts->validity[bit >> 3] >> (bit & 7) & 1);
}

static inline Text text_at(const Texts *texts, int64_t row) {
    const uint8_t *view = texts->views + row * VIEW;
    Text text = {view + 4, 0};
    if (RARELY(is_null(texts, row)))
        return text;
    uint32_t size = word_at(view);
    text.size = size;
    if (size > INLINE) {
        uint32_t buffer = word_at(view + 8), offset = word_at(view + 12);
        if (RARELY(buffer >= texts->buffers || (int64_t)offset + size > texts->sizes[buffer])) {
            text.size = -1;
            return text;
        }
        text.bytes = texts->data[buffer] + offset;
    }
    return text;
}

static void put_view(uint8_t *view, const uint8_t *bytes, uint32_t size, uint32_t buffer, uint32_t offset) {
    memset(view, 0, VIEW);
    memcpy(view, &size, 4);
    if (size <= INLINE) {
        memcpy(view + 4, bytes, size);
    } else {
        memcpy(view + 4, bytes, 4);
        memcpy(view + 8, &buffer, 4);
        memcpy(view + 12, &offset, 4);
    }
}

/* ----------------------------------------------------------------------------------------------- look-ups */

static inline uint64_t leading(uint64_t value, unsigned count) {
    if (RARELY(count > LEADING))
        return value / TENS[count - LEADING] % TENS[LEADING];
    return value;
}

static inline uint64_t key_of(uint64_t place, unsigned count, uint64_t value) {
    return place << (LENGTH_BITS + DIGIT_BITS) | (uint64_t)count << DIGIT_BITS | leading(value, count);
}

static inline int64_t bucket_of(const Lookup *lookup, uint64_t key) {
    uint64_t context = key >> DIGIT_BITS;
    double digits = (double)(int64_t)(key & (((uint64_t)1 << DIGIT_BITS) - 1));
    int64_t bucket = (int64_t)(digits * lookup->factor[context]) + lookup->base[context];
    return bucket < lookup->last ? bucket : lookup->last;
}

/* Returns the index of the last key that is not above the given one. */
static inline int64_t find_in(const Lookup *lookup, int64_t bucket, uint64_t key) {
    int32_t low = lookup->first[bucket], high = lookup->first[bucket + 1];
    while (low < high) {
        int32_t middle = (low + high) >> 1;
        if (lookup->keys[middle] <= key)
            low = middle + 1;
        else
            high = middle;
    }
    return low - 1;
}

static int64_t find(const Lookup *lookup, uint64_t key) { return find_in(lookup, bucket_of(lookup, key), key); }

/* What a row has become so far. */
typedef struct {
    uint64_t value;
    unsigned count; /* how many digits */
    int action;
    int64_t run;
} Reading;

/* Takes all further steps that the tables ask for. */
static void follow(const Plans *plans, int64_t region, Reading *reading) {
    if (reading->action == RETRY) {
        int64_t run = find(&plans->plans, key_of((uint64_t)plans->again[region], reading->count, reading->value));
        reading->run = run;
        reading->action = plans->runs[run].extracted ? plans->runs[run].action : RETRY;
    }
    if (reading->action >= IDD && reading->action < DROP) {
        unsigned taken = (unsigned)(reading->action - IDD);
        if (taken >= reading->count || reading->count - taken > DIGITS_MAX) {
            reading->action = ASK;
            return;
        }
        reading->count -= taken;
        reading->value %= TENS[reading->count];
        reading->run = find(&plans->plans, key_of(INTERNATIONAL, reading->count, reading->value));
        reading->action = plans->runs[reading->run].action;
    }
    if (reading->action >= DROP && reading->action < NO_REGION) {
        unsigned taken = (unsigned)(reading->action - DROP);
        if (taken >= reading->count) {
            reading->action = ASK;
            return;
        }
        reading->value %= TENS[reading->count - taken];
        reading->action = NUMBER;
    }
}

static int rejected(int action) {
    switch (action) {
    case TOO_SHORT: return SHORT_TEXT;
    case TOO_LONG: return LONG_TEXT;
    case RETRY: return UNKNOWN_CODE;
    case NO_REGION: return WITHOUT_REGION;
    case NO_DIGITS: return NOT_A_NUMBER;
    default: return UNDECIDED;
    }
}

/* ---------------------------------------------------------------------------------------------- odd texts */

typedef struct {
    uint8_t symbol[TEXT_MAX];
    uint16_t place[TEXT_MAX + 1]; /* of each symbol's first byte */
    int size;
} Symbols;

static int is_digit(uint8_t symbol) {
    return (uint8_t)(symbol - '0') < 10 || (symbol >= DIGIT_0 && symbol <= DIGIT_9);
}

static int is_ascii_letter(uint8_t symbol) { return (uint8_t)((symbol | 32) - 'a') < 26 && symbol < 128; }

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

/* ------------------------------------------------------------------------------------------------ repairs */

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

/* ----------------------------------------------------------------------------------------- a chunk of rows */

enum { BLOCK = 128, PLAIN_MAX = SLOT_DIGITS };

/* How often each kind of byte was met, in one word: up to 31 of each. */
enum { A_DIGIT = 1, A_PLUS = 1 << 8, A_PARTING = 1 << 16, AN_ODD = 1 << 24, OF_A_KIND = 0xFF };

static uint32_t kind_of(int byte) {
    switch (byte) {
    case '+': return A_PLUS;
    case '.': case '/': return A_PARTING;
    case ' ': case '(': case ')': case '-': return 0;
    default: return byte >= '0' && byte <= '9' ? A_DIGIT : AN_ODD;
    }
}

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

/* Reads 8 to 16 digits with or without a + in front of them; returns whether that is all. */
static inline int read_digits(Text text, Slot *slot) {
    if (text.size < 8)
        return 0;
    unsigned plus = text.bytes[0] == '+', count = (unsigned)text.size - plus;
    if (count < 8 || count > 16)
        return 0;
    uint64_t first = eight_at(text.bytes + plus), last = eight_at(text.bytes + plus + count - 8);
    if (!are_digits(first) || !are_digits(last))
        return 0;
    /* Of the first eight only those that are not among the last eight, behind zeros. */
    uint64_t front = count > 8 ? (first - ZERO_DIGITS) << 8 * (16 - count) : 0;
    slot->value = joined(front) * 100000000u + joined(last - ZERO_DIGITS);
    slot->count = count;
    slot->plus = (int)plus;
    return 1;
}

/* Reads a text of digits and marks; returns how often each kind of byte is in it, some AN_ODD where it is none. */
static inline uint32_t read_plain(const uint32_t kinds[256], Text text, Slot *slot) {
    uint32_t seen = 0;
    if (text.size >= 8 && text.size <= 24) {
        /* As if it had 16 or 24 bytes, with spaces behind: nobody can foretell where a loop of other lengths ends. */
        uint64_t first = eight_at(text.bytes), last = eight_at(text.bytes + text.size - 8);
        uint8_t padded[24];
        memset(padded, ' ', sizeof padded);
        memcpy(padded, &first, 8);
        if (text.size > 16)
            memcpy(padded + 8, text.bytes + 8, 8);
        memcpy(padded + text.size - 8, &last, 8);
        int size = text.size > 16 ? 24 : 16;
        for (int at = 0; at < size; at += 8) {
            for (int step = at; step < at + 8; step++) {
                slot->digit[ZEROS + (seen & OF_A_KIND)] = padded[step];
                seen += kinds[padded[step]];
            }
        }
    } else {
        for (int64_t at = 0; at < text.size; at++) {
            slot->digit[ZEROS + (seen & OF_A_KIND)] = text.bytes[at];
            seen += kinds[text.bytes[at]];
        }
    }
    unsigned count = seen & OF_A_KIND, pluses = seen / A_PLUS & OF_A_KIND;
    slot->count = count;
    slot->plus = pluses != 0;
    /* Two digits are a number only if nothing stands between them. */
    if (RARELY(count == 2 || pluses > 1))
        return seen | AN_ODD;
    if (pluses && text.bytes[0] != '+')
        for (int64_t at = 0; text.bytes[at] != '+'; at++)
            if (kinds[text.bytes[at]] == A_DIGIT)
                return seen | AN_ODD;
    return seen;
}

/* ------------------------------------------------------------------------------- one text, and parts of a cell */

typedef struct {
    uint64_t value;
    int32_t outcome;
    uint16_t extension, extension_size;
    int valid, dialable;
} Part;

/* Reads one text from a region, without any haste. */
static Part read_one(const Plans *plans, const Parts *parts, Text text, int64_t region) {
    Slot slot;
    Part part = {0, 0, 0, 0, 0, 0};
    slot.extension_size = 0;
    part.outcome = take_apart(plans, text, &slot);
    if (part.outcome)
        return part;
    part.outcome = UNDECIDED;
    if (slot.count > DIGITS_MAX)
        return part;
    memset(slot.digit, '0', ZEROS);
    Reading reading = {value_of(&slot), slot.count, 0, 0};
    uint64_t place = slot.plus ? INTERNATIONAL : (uint64_t)plans->national[region];
    reading.run = find(&plans->plans, key_of(place, reading.count, reading.value));
    reading.action = plans->runs[reading.run].action;
    if (reading.action != NUMBER)
        follow(plans, region, &reading);
    if (reading.action != NUMBER) {
        part.outcome = rejected(reading.action);
        return part;
    }
    const Run *run = &plans->runs[reading.run];
    uint64_t value = reading.value + (uint64_t)run->delta;
    part.outcome = plans->outcome[find(&plans->kinds, key_of(0, run->length, value))];
    if (part.outcome < 0)
        return part;
    int verdict = plans->verdict[part.outcome];
    part.value = value;
    part.valid = verdict == VALID;
    part.dialable = parts->dialable[part.outcome];
    if (verdict <= PARSED_MAX) {
        part.extension = slot.extension;
        part.extension_size = slot.extension_size;
    }
    return part;
}

static int is_separator(uint8_t byte) { return byte == ';' || byte == ',' || byte == '|' || byte == '/'; }

/* Returns how many bytes separate two numbers here, in text that has no control characters. */
static int64_t separator_at(Text text, int64_t at) {
    int64_t size = 0;
    while (at + size < text.size && is_separator(text.bytes[at + size]))
        size++;
    if (size)
        return size;
    if (text.bytes[at] == '&')
        return 1;
    const uint8_t *byte = text.bytes + at;
    int64_t left = text.size - at;
    if (byte[0] != ' ')
        return 0;
    if (left >= 4 && (byte[1] | 32) == 'o' && (byte[2] | 32) == 'r' && byte[3] == ' ')
        return 4;
    if (left >= 5 && (byte[1] | 32) == 'a' && (byte[2] | 32) == 'n' && (byte[3] | 32) == 'd' && byte[4] == ' ')
        return 5;
    return 0;
}

enum { PARTS_MAX = 8, PART_DIGITS = 7, CELL_MAX = 4096, LEAVE = 0, CHOSEN, ASK_PYTHON };

/* Chooses among the numbers of a cell as cells.py does, where they are plain ASCII; `whole` becomes the answer.
 * Returns LEAVE where the cell as a whole is the answer. */
static int choose(const Plans *plans, Parts *parts, Text text, int64_t region, int64_t row, Part *whole) {
    Part found[PARTS_MAX];
    int count = 0, longer = 0, valid = 0;
    if (text.size > CELL_MAX)
        return ASK_PYTHON;
    /* ',,' waits for an extension. What a spreadsheet made of a number is for mend.py. */
    for (int64_t at = 0; at + 1 < text.size; at++) {
        if (text.bytes[at] == ',' && text.bytes[at + 1] == ',')
            return LEAVE;
        if (text.bytes[at] == '.' && text.bytes[at + 1] == '0')
            return ASK_PYTHON;
    }
    for (int64_t begin = 0, at = 0; at <= text.size; at++) {
        int64_t gap = at < text.size ? separator_at(text, at) : 1;
        if (!gap)
            continue;
        Text part = {text.bytes + begin, at - begin};
        int digits = 0;
        for (int64_t place = 0; place < part.size; place++)
            digits += (uint8_t)(part.bytes[place] - '0') < 10;
        if (digits) {
            if (count == PARTS_MAX)
                return ASK_PYTHON;
            found[count] = read_one(plans, parts, part, region);
            if (found[count].outcome < 0)
                return ASK_PYTHON;
            found[count].extension = (uint16_t)(found[count].extension + begin);
            valid += found[count].valid;
            longer += digits >= PART_DIGITS;
            count++;
        }
        begin = at + gap;
        at = begin - 1;
    }
    if (longer < 2 && valid < 2 && !(valid && !whole->valid))
        return LEAVE;
    int best = 0;
    for (int index = 1; index < count; index++)
        if (found[index].dialable > found[best].dialable ||
            (found[index].dialable == found[best].dialable && found[index].valid > found[best].valid))
            best = index;
    if (parts->counts[1] + count > parts->room)
        return ASK_PYTHON;
    *whole = found[best];
    parts->parted[parts->counts[0]] = row;
    parts->rank[parts->counts[0]++] = best + 1;
    for (int index = 0; index < count; index++) {
        int new = found[index].dialable && found[index].value != whole->value;
        for (int before = 0; before < index; before++)
            new = new && !(found[before].dialable && found[before].value == found[index].value);
        if (new) {
            parts->other_rows[parts->counts[1]] = row;
            parts->other_values[parts->counts[1]++] = found[index].value;
        }
    }
    return CHOSEN;
}

/* What mend.py drops from a text that is no number: 1, what it makes a space: 2. */
static int hides(int32_t point) {
    if (point == '\t' || point == 0xA0 || point == 0x1680 || (point >= 0x2000 && point <= 0x200A) || point == 0x202F ||
        point == 0x205F || point == 0x3000)
        return 2;
    return point < 0x20 || (point >= 0x7F && point < 0xA0) || point == 0xAD || point == 0x61C || point == 0x180E ||
           (point >= 0x200B && point <= 0x200F) || (point >= 0x202A && point <= 0x202E) ||
           (point >= 0x2060 && point <= 0x2069) || point == 0xFEFF;
}

enum { UNCOVERED_MAX = 512 };

/* Returns whether a text may be a number without its invisible characters. */
static int uncovers(const Plans *plans, const Parts *parts, Text text, int64_t region) {
    uint8_t bytes[UNCOVERED_MAX];
    int64_t size = 0;
    const uint8_t *at = text.bytes, *end = text.bytes + text.size;
    if (text.size > UNCOVERED_MAX)
        return 1;
    while (at < end) {
        const uint8_t *begin = at;
        int32_t point = code_point(&at, end);
        if (point < 0)
            return 1;
        int hidden = hides(point);
        if (hidden == 2)
            bytes[size++] = ' ';
        for (; !hidden && begin < at; begin++)
            bytes[size++] = *begin;
    }
    Text plain = {bytes, size};
    Part part = read_one(plans, parts, plain, region);
    return part.outcome < 0 || part.valid;
}

/* Decides on the answer of a text that looks as if something was done to it; says whether mend.py must see it. */
static int repairable(const Plans *plans, Parts *parts, Text text, int suspicion, int64_t region, int64_t row,
                      Part *whole, int *chosen) {
    *chosen = 0;
    if (suspicion & DAMAGED)
        return 1;
    if (suspicion & PARTED && (!whole->valid || suspicion & ROOMY)) {
        int choice = suspicion & HIDDEN ? ASK_PYTHON : choose(plans, parts, text, region, row, whole);
        *chosen = choice == CHOSEN;
        return choice == ASK_PYTHON;
    }
    return suspicion & HIDDEN && !whole->valid && uncovers(plans, parts, text, region);
}

/* One block at work; all look-ups of a step are under way at the same time. */
typedef struct {
    Slot slot[BLOCK];
    Text text[BLOCK];
    uint64_t value[BLOCK], key[BLOCK];
    int64_t bucket[BLOCK], run[BLOCK];
    int32_t outcome[BLOCK];
    uint8_t open[BLOCK], many[BLOCK], suspicion[BLOCK];
} Block;

/* Notes a row that Python has to look at. */
static void leave(Answers *answers, int64_t row, const Slot *slot, int many) {
    int64_t at = answers->counts[0]++;
    const uint8_t *head = slot->digit + ZEROS;
    answers->rest[at] = row;
    answers->rest_head[at] = -1;
    if (many) {
        answers->rest_head[at] = (head[0] - '0') * 1000 + (head[1] - '0') * 100 + (head[2] - '0') * 10 + head[3] - '0';
        answers->rest_count[at] = (uint8_t)slot->count;
        answers->rest_plus[at] = (uint8_t)slot->plus;
    }
}

/* Notes the extension of a row's number, if it has one, as a view into its text. */
static void extend(const Texts *texts, Answers *answers, int64_t row, Text text, const Part *part) {
    if (!part->extension_size)
        return;
    /* A text with so long an extension stands outside of its own view. */
    const uint8_t *source = texts->views + row * VIEW;
    put_view(answers->extensions + answers->counts[2] * VIEW, text.bytes + part->extension, part->extension_size,
             word_at(source + 8), word_at(source + 12) + part->extension);
    answers->extended[answers->counts[2]++] = row;
}

static void read_block(const Texts *texts, const Plans *plans, const uint32_t kinds[256], const int64_t *region,
                       int64_t begin, int rows, Block *block, Answers *answers, Parts *parts) {
    for (int row = 0; row < rows; row++) {
        Slot *slot = &block->slot[row];
        Text text = block->text[row] = text_at(texts, begin + row);
        slot->extension_size = 0;
        block->suspicion[row] = 0;
        int stopped = UNDECIDED;
        if (text.size >= 0) {
            stopped = 0;
            if (!read_digits(text, slot)) {
                uint32_t seen = text.size <= PLAIN_MAX ? read_plain(kinds, text, slot) : AN_ODD;
                if (seen >= A_PARTING) {
                    if (seen >= AN_ODD)
                        stopped = take_apart(plans, text, slot);
                    if (parts)
                        block->suspicion[row] = (uint8_t)suspicion(text);
                }
                if (!stopped && slot->count <= DIGITS_MAX + 1)
                    slot->value = value_of(slot);
            }
        }
        int64_t mine = region ? region[begin + row] : 0;
        /* With 19 digits it depends on what the look-up says. */
        block->many[row] = !stopped && slot->count > DIGITS_MAX;
        if (RARELY(mine < 0 || mine >= plans->regions || (!stopped && slot->count > DIGITS_MAX + 1)))
            stopped = UNDECIDED;
        block->open[row] = !stopped;
        block->outcome[row] = stopped;
        block->value[row] = 0;
    }
    for (int row = 0; row < rows; row++) {
        if (!block->open[row])
            continue;
        const Slot *slot = &block->slot[row];
        uint64_t value = block->value[row] = slot->value;
        unsigned count = slot->count;
        if (RARELY(count > DIGITS_MAX)) {
            /* The first digits tell whether an international prefix stands before the others. */
            value /= 10;
            count = DIGITS_MAX;
        }
        int64_t mine = region ? region[begin + row] : 0;
        uint64_t place = slot->plus ? INTERNATIONAL : (uint64_t)plans->national[mine];
        block->key[row] = key_of(place, count, value);
        block->bucket[row] = bucket_of(&plans->plans, block->key[row]);
        FETCH(&plans->plans.first[block->bucket[row]]);
    }
    for (int row = 0; row < rows; row++) {
        if (!block->open[row])
            continue;
        block->run[row] = find_in(&plans->plans, block->bucket[row], block->key[row]);
        FETCH(&plans->runs[block->run[row]]);
    }
    for (int row = 0; row < rows; row++) {
        if (!block->open[row])
            continue;
        Reading reading = {block->value[row], block->slot[row].count, 0, block->run[row]};
        reading.action = plans->runs[reading.run].action;
        if (RARELY(reading.count > DIGITS_MAX) && (reading.action < IDD || reading.action >= DROP))
            reading.action = ASK;
        if (reading.action != NUMBER) {
            follow(plans, region ? region[begin + row] : 0, &reading);
            if (reading.action != NUMBER) {
                block->outcome[row] = rejected(reading.action);
                block->value[row] = 0;
                block->open[row] = 0;
                continue;
            }
        }
        const Run *run = &plans->runs[reading.run];
        uint64_t value = block->value[row] = reading.value + (uint64_t)run->delta;
        block->key[row] = key_of(0, run->length, value);
        block->bucket[row] = bucket_of(&plans->kinds, block->key[row]);
        FETCH(&plans->kinds.first[block->bucket[row]]);
    }
    for (int row = 0; row < rows; row++) {
        int64_t here = begin + row;
        if (block->open[row]) {
            int64_t kind = find_in(&plans->kinds, block->bucket[row], block->key[row]);
            block->outcome[row] = plans->outcome[kind];
        }
        int32_t outcome = block->outcome[row];
        answers->value[here] = block->value[row];
        answers->outcome[here] = outcome;
        const Slot *slot = &block->slot[row];
        if (RARELY(outcome < 0 && parts && block->suspicion[row] & PARTED && block->many[row])) {
            /* Too many digits for one number: two of them are the answer, whatever the whole would be. */
            int64_t mine = region ? region[here] : 0;
            Part whole = {0, UNDECIDED, 0, 0, 1, 0};
            if (!(block->suspicion[row] & (DAMAGED | HIDDEN)) &&
                choose(plans, parts, block->text[row], mine, here, &whole) == CHOSEN) {
                answers->value[here] = whole.value;
                answers->outcome[here] = whole.outcome;
                extend(texts, answers, here, block->text[row], &whole);
                continue;
            }
        }
        if (RARELY(outcome < 0)) {
            leave(answers, here, slot, block->many[row]);
            /* Nobody knows yet whether it is valid. */
            if (parts && (block->suspicion[row] & (DAMAGED | HIDDEN | PARTED) || block->text[row].size < 0))
                answers->suspects[answers->counts[1]++] = here;
            continue;
        }
        if (RARELY(slot->extension_size != 0 || block->suspicion[row] != 0)) {
            int verdict = plans->verdict[outcome], chosen = 0;
            Part part = {block->value[row], outcome, slot->extension, 0, verdict == VALID, 0};
            if (verdict <= PARSED_MAX)
                part.extension_size = slot->extension_size;
            if (block->suspicion[row] &&
                repairable(plans, parts, block->text[row], block->suspicion[row], region ? region[here] : 0, here,
                           &part, &chosen))
                answers->suspects[answers->counts[1]++] = here;
            if (chosen) {
                answers->value[here] = part.value;
                answers->outcome[here] = part.outcome;
            }
            extend(texts, answers, here, block->text[row], &part);
        }
    }
}

/* Reads a column of texts; without `parts` exactly as libphonenumber does, and nothing is suspected. */
PUBLIC void dialer_read(const Texts *texts, const Plans *plans, const int64_t *region, Answers *answers,
                        Parts *parts) {
    uint32_t kinds[256];
    Block block;
    for (int byte = 0; byte < 256; byte++)
        kinds[byte] = kind_of(byte);
    for (int row = 0; row < BLOCK; row++)
        memset(block.slot[row].digit, '0', ZEROS);
    memset(answers->counts, 0, sizeof answers->counts);
    if (parts)
        memset(parts->counts, 0, sizeof parts->counts);
    for (int64_t begin = 0; begin < texts->rows; begin += BLOCK) {
        int64_t left = texts->rows - begin;
        read_block(texts, plans, kinds, region, begin, left < BLOCK ? (int)left : BLOCK, &block, answers, parts);
    }
}

/* ---------------------------------------------------------------------------- columns out of values and codes */

/* Writes eight digits as text; the inverse of eight_digits. */
static void put_eight(uint8_t *text, uint64_t value) {
    uint64_t fours = value / 10000 | (value % 10000) << 32;
    uint64_t hundreds = (fours * 10486 >> 20) & 0x0000007F0000007Fu;
    uint64_t pairs = hundreds | (fours - hundreds * 100) << 16;
    uint64_t tens = (pairs * 103 >> 10) & 0x000F000F000F000Fu;
    uint64_t digits = (tens | (pairs - tens * 10) << 8) + 0x3030303030303030u;
    memcpy(text, &digits, sizeof digits);
}

enum { E164_MAX = 20, E164_ROOM = 32, FIELDS = 3 };

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

/* ------------------------------------------------------------------------------------- what different ones are */

enum { SEATS = 1 << 14, DIFFERENT_MAX = SEATS / 2 };

static uint64_t mixed(uint64_t low, uint64_t high) {
    uint64_t hash = (low ^ (high >> 29) ^ (high << 35)) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 32;
    hash *= 0xD6E8FEB86659FD93u;
    return hash ^ hash >> 32;
}

/* Returns how many different keys there are, and for each row which: `first` are the rows that had one first.
 *
 * `seats` are SEATS places for row numbers. Returns -1 where there are more than DIFFERENT_MAX. */
PUBLIC int64_t dialer_group(const uint64_t *keys, int64_t rows, int32_t *seats, int64_t *which, int64_t *first) {
    int64_t different = 0;
    memset(seats, 0xFF, SEATS * sizeof *seats);
    for (int64_t row = 0; row < rows; row++) {
        uint64_t seat = mixed(keys[row], 0) & (SEATS - 1);
        while (seats[seat] >= 0 && keys[first[seats[seat]]] != keys[row])
            seat = (seat + 1) & (SEATS - 1);
        if (seats[seat] < 0) {
            if (different == DIFFERENT_MAX)
                return -1;
            first[different] = row;
            seats[seat] = (int32_t)different++;
        }
        which[row] = seats[seat];
    }
    return different;
}

/* Makes two words of a view: its size and up to 12 bytes; nothing else of a longer text, whose size is kept too. */
static void words_of(const uint8_t *view, uint64_t words[2]) {
    uint32_t size = word_at(view);
    memcpy(words, view, VIEW);
    /* What is behind a short text need not be zero. */
    if (size < 4)
        words[0] &= ((uint64_t)1 << (32 + 8 * size)) - 1;
    if (size <= 4)
        words[1] = 0;
    else if (size < INLINE)
        words[1] &= ((uint64_t)1 << 8 * (size - 4)) - 1;
    else if (size > INLINE)
        words[1] = size;
}

/* The same for texts; nulls are one of the different ones. `words` are two for each of DIFFERENT_MAX. */
PUBLIC int64_t dialer_index(const Texts *texts, int32_t *seats, uint64_t *words, int64_t *which, int64_t *first) {
    int64_t different = 0, last = -1;
    uint64_t mine[2], before[2] = {0, 0};
    memset(seats, 0xFF, SEATS * sizeof *seats);
    for (int64_t row = 0; row < texts->rows; row++) {
        /* Sizes do not reach so far: a text is never like a null. */
        if (is_null(texts, row))
            mine[0] = mine[1] = UINT64_MAX;
        else
            words_of(texts->views + row * VIEW, mine);
        int longer = (uint32_t)mine[0] > INLINE && mine[0] != UINT64_MAX;
        if (row && !longer && mine[0] == before[0] && mine[1] == before[1]) {
            which[row] = last;
            continue;
        }
        Text text = text_at(texts, row);
        if (text.size < 0)
            return -1;
        uint64_t seat = mixed(mine[0], mine[1]) & (SEATS - 1);
        for (; seats[seat] >= 0; seat = (seat + 1) & (SEATS - 1)) {
            const uint64_t *known = words + 2 * seats[seat];
            if (known[0] == mine[0] && known[1] == mine[1] &&
                (!longer || memcmp(text_at(texts, first[seats[seat]]).bytes, text.bytes, (size_t)text.size) == 0))
                break;
        }
        if (seats[seat] < 0) {
            if (different == DIFFERENT_MAX)
                return -1;
            first[different] = row;
            memcpy(words + 2 * different, mine, sizeof mine);
            seats[seat] = (int32_t)different++;
        }
        memcpy(before, mine, sizeof mine);
        last = which[row] = seats[seat];
    }
    return different;
}

/* Fills a column with one text. */
PUBLIC void dialer_repeat(const uint8_t *view, int64_t rows, uint8_t *views) {
    for (int64_t row = 0; row < rows; row++)
        memcpy(views + row * VIEW, view, VIEW);
}

/* --------------------------------------------------------------------------------- why rejected rows are rejected */

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

/* Returns the checksum of the source that this was compiled from. */
PUBLIC const char *dialer_source(void) { return KERNEL_SOURCE; }
