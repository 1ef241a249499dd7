/* What formats.py and clean_rows.py do to whole columns of texts, for one row after the other.
 *
 * In come columns as Arrow keeps them (string views) and which of their rows are wanted; out go the bytes of a
 * file. Nothing is allocated and nothing is kept here, so any number of threads may call.
 */

#include "render_csv.h"
#include "render_json.h"

#ifndef KERNEL_SOURCE
#define KERNEL_SOURCE ""
#endif

/* Return the checksum of the source that this was compiled from. */
PUBLIC const char *dialer_source(void) { return KERNEL_SOURCE; }
