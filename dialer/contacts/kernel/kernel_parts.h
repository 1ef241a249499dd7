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

enum { NUMBERS_MAX = 8, CELL_MAX = 4096, PERHAPS = 2, LEAVE = 0, CHOSEN, ASK_PYTHON };
/* An international prefix has up to 8 digits (Australia), a calling code 3, a national number 17 (Japan). */
enum { SURELY_TOO_LONG = 29 };

/* One of the numbers in a cell. */
typedef struct {
    Part part;
    int digits, begins;
} Numeral;

/* A cell that is being split. */
typedef struct {
    const Plans *plans;
    const Parts *parts;
    Text text;
    int64_t region;
    Numeral found[NUMBERS_MAX];
    int count;
} Cell;

static int digits_in(Text text) {
    int digits = 0;
    for (int64_t at = 0; at < text.size; at++)
        digits += is_plain_digit(text.bytes[at]);
    return digits;
}

/* Returns the text between two places of a cell. */
static Text between(const Cell *cell, int64_t begin, int64_t end) {
    Text text = {cell->text.bytes + begin, end - begin};
    return text;
}

/* Reads what stands between two places of a cell. */
static Part read_there(const Cell *cell, int64_t begin, int64_t end) {
    Part part = read_one(cell->plans, cell->parts, between(cell, begin, end), cell->region);
    part.extension = (uint16_t)(part.extension + begin);
    return part;
}

/* Notes a number; returns whether that can be done here. */
static int add_number(Cell *cell, Part part, int digits, int begins) {
    if (part.outcome < 0 || cell->count == NUMBERS_MAX)
        return 0;
    Numeral number = {part, digits, begins};
    cell->found[cell->count++] = number;
    return 1;
}

/* Notes the number of a piece, or both if a bare slash separates them; returns whether that can be done here. */
static int add_piece(Cell *cell, int64_t begin, int64_t end, int begins) {
    Text piece = between(cell, begin, end);
    int digits = digits_in(piece), marks = 1;
    int64_t slash = 0, behind = 0;
    if (!digits)
        return 1;
    for (int64_t at = 0; at < piece.size; at++) {
        uint8_t byte = piece.bytes[at];
        marks &= is_plain_digit(byte) || byte == ' ' || byte == '+' || (byte >= '(' && byte <= '/' && byte != ',');
        if (byte != '/')
            continue;
        if (slash && behind != begin + at)
            behind = -1;
        else if (!slash)
            slash = begin + at, behind = slash + 1;
        else
            behind++;
        if (behind < 0)
            break;
    }
    Part whole = read_there(cell, begin, end);
    if (!slash || digits < 2 * NUMBER_DIGITS || whole.valid)
        return add_number(cell, whole, digits, begins);
    if (behind < 0 || (whole.outcome < 0 && !(marks && digits >= SURELY_TOO_LONG)))
        return 0;
    Part left = read_there(cell, begin, slash);
    int before = digits_in(between(cell, begin, slash)), after = digits - before;
    if (left.outcome < 0)
        return 0;
    if (before < NUMBER_DIGITS || after < NUMBER_DIGITS || !left.dialable)
        return add_number(cell, whole, digits, begins);
    return add_number(cell, left, before, begins) && add_number(cell, read_there(cell, behind, end), after, 0);
}

/* Returns how many bytes a word takes that separates two numbers here. */
static int64_t word_between(Text text, int64_t at) {
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

/* Splits a cell into its numbers as several.py does; returns whether that can be done here. */
static int split_cell(Cell *cell) {
    Text text = cell->text;
    int begins = 1, digits = 0;
    int64_t begin = 0, at = 0;
    while (at < text.size) {
        uint8_t byte = text.bytes[at];
        int64_t word = word_between(text, at), next = at + 1;
        int separates = word || byte == ';' || byte == ',' || byte == '|' || byte == '&';
        if (byte == '/') {
            while (next < text.size && text.bytes[next] == '/')
                next++;
            int spaced = (at > begin && text.bytes[at - 1] == ' ') || (next < text.size && text.bytes[next] == ' ');
            separates = spaced && digits >= NUMBER_DIGITS;
        }
        if (!separates) {
            digits += is_plain_digit(byte);
            at = next;
            continue;
        }
        if (!add_piece(cell, begin, at, begins))
            return 0;
        begins = word > 0 || (begins && !digits);
        begin = at = word ? at + word : next;
        digits = 0;
        /* What begins with a letter may be an extension. */
        if (!word && byte != '/') {
            while (next < text.size && (word_between(text, next) == 0) && strchr(" ;,|&", text.bytes[next]))
                next++;
            if (next < text.size && (is_ascii_letter(text.bytes[next]) || strchr("#~", text.bytes[next])))
                return 0;
        }
    }
    return add_piece(cell, begin, at, begins);
}

/* Chooses among the numbers of a cell as several.py does, where they are plain ASCII and the first one is the answer;
 * `whole`, which may be valid or not or PERHAPS, becomes that. Returns LEAVE where the whole is the answer. */
static int choose(const Plans *plans, Parts *parts, Text text, int64_t region, int64_t row, Part *whole) {
    Cell cell = {.plans = plans, .parts = parts, .text = text, .region = region, .count = 0};
    if (text.size > CELL_MAX)
        return ASK_PYTHON;
    /* ',,' waits for an extension. */
    for (int64_t at = 0; at + 1 < text.size; at++)
        if (text.bytes[at] == ',' && text.bytes[at + 1] == ',')
            return LEAVE;
    if (!split_cell(&cell))
        return ASK_PYTHON;
    const Numeral *found = cell.found, *first = cell.found;
    int longer = 0, useful = 0;
    for (int index = 1; index < cell.count; index++) {
        longer |= found[index].digits >= NUMBER_DIGITS;
        useful |= found[index].part.dialable | found[index].part.valid;
        /* What stands behind a fragment is not sure. */
        if (index > 1 && !found[index].begins && !found[index - 1].part.dialable &&
            found[index - 1].digits < NUMBER_DIGITS)
            return ASK_PYTHON;
    }
    if (cell.count < 2 || !(useful || first->part.dialable || first->part.valid))
        return LEAVE;
    if (!(first->part.dialable && first->digits >= NUMBER_DIGITS && longer) && whole->valid)
        return whole->valid == PERHAPS ? ASK_PYTHON : LEAVE;
    if (!first->part.dialable || parts->counts[1] + cell.count > parts->room)
        return ASK_PYTHON;
    *whole = first->part;
    parts->parted[parts->counts[0]++] = row;
    for (int index = 1; index < cell.count; index++) {
        const Part *part = &found[index].part;
        int new = part->dialable && part->value != whole->value;
        for (int before = 1; before < index; before++)
            new = new && !(found[before].part.dialable && found[before].part.value == part->value);
        if (new) {
            parts->other_rows[parts->counts[1]] = row;
            parts->other_values[parts->counts[1]++] = part->value;
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
