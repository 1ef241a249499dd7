/* Text of delimited records -> views of their fields, in one pass over the bytes.
 *
 * The rules are those of exact.py, for all that they leave no doubt about: a quote opens a field only as its
 * first character, two quotes inside are one, and what closes a field is followed by a delimiter or the end of
 * the record. Where there is doubt the split stops, and Python reads on from there.
 *
 * No allocation, no globals; every read and write is checked against the sizes that were given.
 */

#include <stdint.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define EXPORT __attribute__((visibility("default")))

enum { VIEW = 16, INLINE = 12, WINDOW = 64 };
enum { READ, DOUBTFUL, FULL };

/* What is read, and where the answer goes; columns follow each other, `room` rows each. */
typedef struct {
    const uint8_t *data;
    int64_t size, start;
    uint8_t *views;
    uint8_t *known; /* a bit per row, `room` rounded up to bytes per column, zero at first */
    int64_t *number; /* of records before this one */
    int64_t *line;   /* line ends before this one */
    uint8_t *unescaped; /* as many bytes as the data has */
    int64_t *broken; /* number, line, start, end and fields of a record that has too many or too few */
    int64_t room, broken_room;
    int64_t sure_bytes; /* a longer quoted field is doubtful */
    int32_t width, delimiter, final;
    /* answers */
    int64_t rows, broken_rows, records, lines, used, unescaped_used;
} Split;

typedef struct {
    const uint8_t *data;
    int64_t size, base;
    uint64_t marks; /* of the 64 bytes from base: delimiters and line ends */
    uint8_t delimiter;
} Scan;

static uint64_t marks_of(const uint8_t *at, uint8_t delimiter) {
    uint64_t found = 0;
#if defined(__SSE2__)
    const __m128i cut = _mm_set1_epi8((char)delimiter), feed = _mm_set1_epi8('\n'), back = _mm_set1_epi8('\r');
    for (int part = 0; part < 4; part++) {
        __m128i some = _mm_loadu_si128((const __m128i *)(const void *)(at + 16 * part));
        __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(some, cut),
                                   _mm_or_si128(_mm_cmpeq_epi8(some, feed), _mm_cmpeq_epi8(some, back)));
        found |= (uint64_t)(uint32_t)_mm_movemask_epi8(hit) << (16 * part);
    }
#else
    for (int place = 0; place < WINDOW; place++) {
        uint8_t byte = at[place];
        found |= (uint64_t)(byte == delimiter || byte == '\n' || byte == '\r') << place;
    }
#endif
    return found;
}

/* Return the next delimiter or line end from `from` on, the size where there is none. */
static int64_t next_mark(Scan *scan, int64_t from) {
    for (;;) {
        if (from >= scan->size)
            return scan->size;
        if (from - scan->base >= WINDOW || from < scan->base) {
            scan->base = from - from % WINDOW;
            if (scan->size - scan->base >= WINDOW) {
                scan->marks = marks_of(scan->data + scan->base, scan->delimiter);
            } else {
                uint8_t last[WINDOW];
                memset(last, ' ', WINDOW); /* which is no mark; a zero may be one */
                memcpy(last, scan->data + scan->base, (size_t)(scan->size - scan->base));
                scan->marks = marks_of(last, scan->delimiter);
            }
        }
        uint64_t left = scan->marks >> (from - scan->base);
        if (left)
            return from + __builtin_ctzll(left);
        from = scan->base + WINDOW;
    }
}

/* Return how many line ends a text editor sees: CRLF, LF and lone CR count one each. */
static int64_t line_ends(const uint8_t *data, int64_t start, int64_t end) {
    int64_t count = 0;
    for (int64_t at = start; at < end; at++)
        count += data[at] == '\n' ? !(at > start && data[at - 1] == '\r') : data[at] == '\r';
    return count;
}

/* Return the quote that closes the field opened before `from`, -1 where it is not here; count those of pairs. */
static int64_t closing(const Split *given, int64_t from, int64_t *pairs) {
    int64_t at = from;
    *pairs = 0;
    while (at < given->size) {
        const uint8_t *quote = memchr(given->data + at, '"', (size_t)(given->size - at));
        if (!quote)
            return -1;
        at = quote - given->data;
        if (at + 1 == given->size)
            return given->final ? at : -1;
        if (given->data[at + 1] != '"')
            return at;
        *pairs += 1;
        at += 2;
    }
    return -1;
}

static void put(Split *given, int64_t column, int64_t start, int64_t end, int64_t pairs) {
    const uint8_t *text = given->data + start, *last = given->data + given->size;
    int32_t head[4] = {(int32_t)(end - start), 0, 0, (int32_t)start};
    if (pairs) { /* two quotes are one */
        uint8_t *to = given->unescaped + given->unescaped_used;
        text = to;
        for (int64_t at = start; at < end; at++) {
            *to++ = given->data[at];
            at += given->data[at] == '"';
        }
        head[0] = (int32_t)(to - text);
        head[2] = 1;
        head[3] = (int32_t)given->unescaped_used;
        given->unescaped_used += head[0];
        last = to;
    }
    uint8_t *view = given->views + (column * given->room + given->rows) * VIEW;
    if (head[0] > INLINE) {
        memcpy(&head[1], text, 4);
        memcpy(view, head, VIEW);
    } else if (last - text >= VIEW) { /* whole words, the bytes behind the text cut off */
        uint64_t low, high;
        int32_t size = head[0];
        memcpy(&low, text, 8);
        memcpy(&high, text + 8, 8);
        low &= size >= 8 ? ~0ULL : (1ULL << (8 * size)) - 1;
        high &= size > 8 ? (1ULL << (8 * (size - 8))) - 1 : 0;
        memcpy(view, head, 4);
        memcpy(view + 4, &low, 8);
        memcpy(view + 12, &high, 4);
    } else {
        memset(view, 0, VIEW);
        memcpy(view, head, 4);
        memcpy(view + 4, text, (size_t)head[0]);
    }
    if (head[0])
        given->known[column * ((given->room + 7) / 8) + given->rows / 8] |= (uint8_t)(1 << given->rows % 8);
}

/* Split the records from `start` on; return why it ended before the last byte of the data, if it did. */
EXPORT int32_t dialer_split(Split *given) {
    const uint8_t *data = given->data;
    const int64_t size = given->size;
    Scan scan = {data, size, -WINDOW, 0, (uint8_t)given->delimiter};
    int64_t at = given->start;
    while (at < size) {
        int64_t fields = 0, lines = 0, kept = given->unescaped_used, end = at;
        while (1) {
            int64_t start = end, pairs = 0, stop;
            if (start < size && data[start] == '"') {
                int64_t close = closing(given, start + 1, &pairs);
                if ((close < 0 ? size : close) - start > given->sure_bytes || (close < 0 && given->final))
                    return DOUBTFUL;
                if (close < 0)
                    return READ;
                start += 1;
                stop = close;
                end = close + 1;
                if (end < size && data[end] != scan.delimiter && data[end] != '\n' && data[end] != '\r')
                    return DOUBTFUL;
                if (memchr(data + start, '\n', (size_t)(stop - start)) ||
                    memchr(data + start, '\r', (size_t)(stop - start)))
                    lines += line_ends(data, start, stop);
            } else {
                end = stop = next_mark(&scan, start);
            }
            if (end == size && !given->final)
                return READ;
            if (fields == 0 && start == stop && start == at && (end == size || data[end] != scan.delimiter)) {
                fields = -1; /* nothing stands on the line */
            } else {
                if (fields < given->width) {
                    if (given->rows == given->room)
                        return FULL;
                    /* What a record that turns out broken leaves here is written over, or never looked at. */
                    put(given, fields, start, stop, pairs);
                }
                fields++;
            }
            if (end == size || data[end] != scan.delimiter)
                break;
            end++;
        }
        int64_t text_end = end;
        if (end < size) {
            if (data[end] == '\r' && end + 1 == size && !given->final)
                return READ; /* the next byte may be its line feed */
            end += data[end] == '\r' && end + 1 < size && data[end + 1] == '\n' ? 2 : 1;
        }
        if (fields == given->width) {
            given->number[given->rows] = given->records;
            given->line[given->rows] = given->lines;
            given->rows++;
        } else {
            given->unescaped_used = kept;
            int64_t place = given->rows / 8;
            for (int64_t column = 0; column < given->width && fields > column && given->rows < given->room; column++)
                given->known[column * ((given->room + 7) / 8) + place] &= (uint8_t) ~(1 << given->rows % 8);
            if (fields >= 0) {
                if (given->broken_rows == given->broken_room)
                    return FULL;
                int64_t *told = given->broken + 5 * given->broken_rows++;
                told[0] = given->records;
                told[1] = given->lines;
                told[2] = at;
                told[3] = text_end;
                told[4] = fields;
            }
        }
        given->records += fields >= 0;
        given->lines += lines + 1;
        at = given->used = end;
    }
    return READ;
}

/* Return a count that the records of so many bytes do not exceed. */
EXPORT int64_t dialer_room(const uint8_t *data, int64_t size) {
    int64_t ends = 1;
    for (int64_t at = 0; at < size; at++)
        ends += (data[at] == '\n') | (data[at] == '\r');
    return ends;
}

/* Return the checksum of the source that this was compiled from. */
EXPORT const char *dialer_source(void) { return KERNEL_SOURCE; }
