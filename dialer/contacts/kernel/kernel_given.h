/* What Python hands over, see binding.py, and texts in it. */

#ifndef KERNEL_GIVEN_H
#define KERNEL_GIVEN_H

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
    int64_t *parted;         /* rows whose answer is that of the first number in them */
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

typedef struct {
    const uint8_t *bytes;
    int64_t size; /* -1: the view points to nowhere */
} Text;

static int is_ascii_letter(uint8_t symbol) { return (uint8_t)((symbol | 32) - 'a') < 26; }

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

#endif
