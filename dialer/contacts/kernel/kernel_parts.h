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

enum { NUMBERS_MAX = 8, FULL_DIGITS = 9, PERHAPS = 2, LEAVE = 0, CHOSEN, ASK_PYTHON };
/* An international prefix has up to 8 digits (Australia), a calling code 3, a national number 17 (Japan). */
enum { SURELY_TOO_LONG = 29 };

/* One of the numbers in a cell. */
typedef struct {
    Part part;
    int digits, begins, begins_full;
    int counted, marked; /* the single digit in front, 0 where there is none; and whether it only counts */
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

/* Returns where the first digit of a text is, or a + before it, or its end. */
static int64_t start_of(Text text) {
    int64_t at = 0;
    while (at < text.size && text.bytes[at] != '+' && !is_plain_digit(text.bytes[at]))
        at++;
    return at;
}

/* Returns whether a number is written with a + or a 0 in front. */
static int begins_full(Text text) {
    int64_t at = start_of(text);
    return at < text.size && (text.bytes[at] == '+' || text.bytes[at] == '0');
}

/* Returns whether a number is written so that no area code of another one can be missing. */
static int is_full(Text text, int digits_before) {
    return begins_full(text) || digits_in(text) >= (digits_before < FULL_DIGITS ? digits_before : FULL_DIGITS);
}

/* Notes the number between two places; returns whether that can be done here. */
static int add_number(Cell *cell, Part part, int64_t begin, int64_t end, int begins) {
    Text text = between(cell, begin, end);
    int64_t start = start_of(text);
    if (part.outcome < 0 || cell->count == NUMBERS_MAX)
        return 0;
    int64_t stop = start;
    while (stop < text.size && is_plain_digit(text.bytes[stop]))
        stop++;
    int marked = stop - start <= 2 && stop < text.size && text.bytes[stop] == ')' &&
                 !memchr(text.bytes, '(', (size_t)start);
    int alone = start + 1 < text.size && is_plain_digit(text.bytes[start]) && !is_plain_digit(text.bytes[start + 1]);
    Numeral number = {part, digits_in(text), begins, begins_full(text), alone ? text.bytes[start] - '0' : 0, marked};
    cell->found[cell->count++] = number;
    return 1;
}

/* A run of digits: where it is, how many there are, and the mark that alone stands before it, 0 where none does. */
typedef struct {
    const uint8_t *digits;
    int64_t size;
    uint8_t mark;
} DigitRun;

static int is_year(DigitRun run) {
    return run.size == 4 && ((run.digits[0] == '1' && run.digits[1] == '9') || (run.digits[0] == '2' && run.digits[1] == '0'));
}

/* Returns whether a run may be a time of day at a full quarter of an hour. */
static int is_time_of_day(DigitRun run) {
    const uint8_t *minutes = run.digits + run.size - 2;
    return (run.size == 3 || run.size == 4) && ((minutes[0] - '0') * 10 + minutes[1] - '0') % 15 == 0;
}

/* Takes the next run of digits, behind those before; returns 0 where there is none. */
static int next_run(Text text, int64_t *at, DigitRun run[3]) {
    while (*at < text.size && !is_plain_digit(text.bytes[*at]))
        ++*at;
    if (*at == text.size)
        return 0;
    int64_t begin = *at;
    while (*at < text.size && is_plain_digit(text.bytes[*at]))
        ++*at;
    int alone = run[2].digits && run[2].digits + run[2].size + 1 == text.bytes + begin;
    DigitRun new = {text.bytes + begin, *at - begin, alone ? text.bytes[begin - 1] : 0};
    run[0] = run[1], run[1] = run[2], run[2] = new;
    return 1;
}

/* Returns whether a cell may hold a date. */
static int tells_date(Text text) {
    DigitRun run[3] = {{0}};
    for (int64_t at = 0; next_run(text, &at, run);) {
        uint8_t mark = run[2].mark;
        int joined = mark == run[1].mark && (mark == '.' || mark == '-' || mark == '/');
        int small = (run[0].size <= 2) + (run[1].size <= 2) + (run[2].size <= 2);
        if (joined && small == 2 && (is_year(run[0]) || is_year(run[2])))
            return 1;
    }
    return 0;
}

/* Returns whether a piece may be hours and nothing else: 0800-1600, 8:00 - 16:00. */
static int tells_hours(Text text) {
    DigitRun run[3] = {{0}};
    int count = 0, clock = 0, dash = 0;
    for (int64_t at = 0; next_run(text, &at, run); count++) {
        if (run[2].mark == ':')
            return 1;
        dash = run[1].digits && memchr(run[1].digits, '-', (size_t)(run[2].digits - run[1].digits)) != NULL;
        clock |= dash && run[1].mark == '.' && run[1].size == 2;
    }
    return clock || (count == 2 && dash && is_time_of_day(run[1]) && is_time_of_day(run[2]));
}

/* Notes the number of a piece, or both if a bare slash separates them; returns whether that can be done here. */
static int add_piece(Cell *cell, int64_t begin, int64_t end, int begins) {
    Text piece = between(cell, begin, end);
    int digits = digits_in(piece), marks = 1;
    int64_t slash = 0, behind = 0;
    if (!digits)
        return 1;
    if (piece.size < cell->text.size && tells_hours(piece))
        return 0;
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
        return add_number(cell, whole, begin, end, begins);
    if (behind < 0 || (whole.outcome < 0 && !(marks && digits >= SURELY_TOO_LONG)))
        return 0;
    Part left = read_there(cell, begin, slash);
    Text front = between(cell, begin, slash), back = between(cell, behind, end);
    int before = digits_in(front);
    if (left.outcome < 0)
        return 0;
    if (before < NUMBER_DIGITS || digits - before < NUMBER_DIGITS || !left.dialable ||
        !(begins_full(front) || is_full(back, before)))
        return add_number(cell, whole, begin, end, begins);
    return add_number(cell, left, begin, slash, begins) &&
           add_number(cell, read_there(cell, behind, end), behind, end, 0);
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

/* Returns whether letters are in a cell, but for words that separate numbers. */
static int has_words(Text text) {
    for (int64_t at = 0; at < text.size; at++) {
        int64_t word = word_between(text, at);
        if (word)
            at += word - 2;
        else if (is_ascii_letter(text.bytes[at]) || text.bytes[at] == '#' || text.bytes[at] == '~')
            return 1;
    }
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
            if (separates && !begins_full(between(cell, begin, at))) {
                int64_t end = next;
                while (end < text.size && !strchr(";,|&/", text.bytes[end]) && !word_between(text, end))
                    end++;
                if (end < text.size && text.bytes[end] == '/')
                    return 0;
                Text right = between(cell, next, end);
                separates = !digits_in(right) || is_full(right, digits);
            }
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
    }
    return add_piece(cell, begin, at, begins);
}

/* Chooses among the numbers of a cell as several.py does, where they are plain ASCII and the first one is the answer;
 * `whole`, which may be valid or not or PERHAPS, becomes that. Returns LEAVE where the whole is the answer. */
static int choose(const Plans *plans, Parts *parts, Text text, int64_t region, int64_t row, Part *whole) {
    Cell cell = {.plans = plans, .parts = parts, .text = text, .region = region, .count = 0};
    if (text.size > TEXT_MAX)
        return ASK_PYTHON;
    /* ',,' waits for an extension. */
    for (int64_t at = 0; at + 1 < text.size; at++)
        if (text.bytes[at] == ',' && text.bytes[at + 1] == ',')
            return LEAVE;
    if (has_words(text) || tells_date(text) || !split_cell(&cell))
        return ASK_PYTHON;
    const Numeral *found = cell.found, *first = cell.found;
    int longer = 0, useful = 0, most = first->digits;
    int marked = first->marked || (cell.count > 1 && first->counted == 1 && found[1].counted == 2);
    unsigned unsure = 0;
    for (int index = 1; index < cell.count; index++) {
        if (!found[index].begins_full && found[index].digits < (most < FULL_DIGITS ? most : FULL_DIGITS))
            unsure |= 1u << index;
        most = found[index].digits > most ? found[index].digits : most;
        marked |= found[index].marked;
        longer |= found[index].digits >= NUMBER_DIGITS;
        useful |= found[index].part.dialable | found[index].part.valid;
        /* What stands behind a fragment is not sure. */
        if (index > 1 && !found[index].begins && !found[index - 1].part.dialable &&
            found[index - 1].digits < NUMBER_DIGITS)
            return ASK_PYTHON;
    }
    if (cell.count > 1 && marked)
        return ASK_PYTHON;
    if (!cell.count || !(useful || first->part.dialable || first->part.valid))
        return LEAVE;
    if (cell.count == 1)
        return whole->valid == 1 || !first->part.dialable ? LEAVE : ASK_PYTHON;
    if (!(first->part.dialable && first->digits >= NUMBER_DIGITS && longer) && whole->valid)
        return whole->valid == PERHAPS ? ASK_PYTHON : LEAVE;
    if (!first->part.dialable || parts->counts[1] + cell.count > parts->room)
        return ASK_PYTHON;
    *whole = first->part;
    parts->parted[parts->counts[0]++] = row;
    for (int index = 1; index < cell.count; index++) {
        const Part *part = &found[index].part;
        int new = part->dialable && !(unsure >> index & 1) && part->value != whole->value;
        for (int before = 1; before < index; before++) {
            const Part *other = &found[before].part;
            new = new && ((unsure >> before & 1) || !other->dialable || other->value != part->value);
        }
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

/* Returns whether letters may be in a text that are not ASCII. */
static int has_foreign_letters(const Plans *plans, Text text) {
    const uint8_t *at = text.bytes, *end = text.bytes + text.size;
    while (at < end) {
        int32_t point = code_point(&at, end);
        uint8_t symbol = point >= 0 && point < plans->symbols_known ? plans->symbols[point] : UNKNOWN;
        if (point >= 0x80 && (symbol == LETTER || symbol == LETTER_MARK || symbol == UNSURE || symbol == UNKNOWN))
            return 1;
        if (point < 0)
            return 1;
    }
    return 0;
}

/* Decides on the answer of a text that looks as if something was done to it; says whether mend.py must see it. */
static int repairable(const Plans *plans, Parts *parts, Text text, int suspicion, int64_t region, int64_t row,
                      Part *whole, int *chosen) {
    *chosen = 0;
    /* Letters are no words where they name the extension of a number. */
    int extends = whole->valid && whole->extension_size && !(suspicion & ROOMY);
    if (suspicion & DAMAGED || (suspicion & WORDED && !extends))
        return 1;
    if (suspicion & PARTED && (!whole->valid || suspicion & ROOMY)) {
        int choice = suspicion & HIDDEN ? ASK_PYTHON : choose(plans, parts, text, region, row, whole);
        *chosen = choice == CHOSEN;
        return choice == ASK_PYTHON;
    }
    return suspicion & HIDDEN && !whole->valid &&
           (has_foreign_letters(plans, text) || uncovers(plans, parts, text, region));
}

#endif
