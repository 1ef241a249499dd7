"""A pretend provider, with a ledger of placed calls, that throttles, stalls and loses answers on request."""
