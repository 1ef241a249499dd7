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

#include "kernel_columns.h"
#include "kernel_digits.h"
#include "kernel_groups.h"
#include "kernel_lookup.h"
#include "kernel_odd.h"
#include "kernel_parts.h"
#include "kernel_rejects.h"
#include "kernel_repairs.h"

#ifndef KERNEL_SOURCE
#define KERNEL_SOURCE ""
#endif

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
        int suspected = block->suspicion[row] & (DAMAGED | HIDDEN | PARTED | WORDED);
        if (RARELY(outcome < 0 && parts && suspected == PARTED && block->many[row])) {
            /* Too many digits for one number: nobody knows yet whether it is valid. */
            int64_t mine = region ? region[here] : 0;
            Part whole = {0, UNDECIDED, 0, 0, PERHAPS, 0};
            int choice = choose(plans, parts, block->text[row], mine, here, &whole);
            if (choice == LEAVE)
                suspected = 0;
            if (choice == CHOSEN) {
                answers->value[here] = whole.value;
                answers->outcome[here] = whole.outcome;
                extend(texts, answers, here, block->text[row], &whole);
                continue;
            }
        }
        if (RARELY(outcome < 0)) {
            leave(answers, here, slot, block->many[row]);
            if (parts && (suspected || block->text[row].size < 0))
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

/* Returns the checksum of the source that this was compiled from. */
PUBLIC const char *dialer_source(void) { return KERNEL_SOURCE; }
