"""Help for a person who mistyped a name."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """Return ` (did you mean 'x'?)` for the nearest known name, or an empty text.

    The longest name that the word begins with wins (`US-FLA` means US-FL), then what is most like it.
    """
    names = {name.casefold(): name for name in known}
    said = word.casefold()
    begun = [name for name in names if len(name) > 3 and said.startswith(name)]
    near = [max(begun, key=len)] if begun else get_close_matches(said, names, n=1, cutoff=likeness)
    return f" (did you mean '{names[near[0]]}'?)" if near else ""
