"""The ground floor: errors, clock, ids, settings, log. It knows nothing of calls."""
