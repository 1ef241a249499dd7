/* Cells of several numbers, and those with invisible characters, as cells.py chooses and reads them. */

#ifndef KERNEL_PARTS_H
#define KERNEL_PARTS_H

#include "kernel_digits.h"
#include "kernel_lookup.h"
#include "kernel_odd.h"
#include "kernel_repairs.h"

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

#endif
