"""The encodings of text that a person can name, by any of the names that Python knows for them."""

from __future__ import annotations

import codecs

from dialer.base.words import did_you_mean

WIDE = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")
NAMES = (
    "utf-8",
    *WIDE,
    *(f"cp{number}" for number in range(1250, 1259)),
    *(f"iso8859-{number}" for number in range(1, 17) if number != 12),
    *("koi8-r", "koi8-u", "mac-roman", "cp437", "cp850", "cp852", "cp866", "cp874"),
    *("shift_jis", "cp932", "euc_jp", "gb18030", "big5", "euc_kr", "cp949"),
)


def named_encoding(name: str) -> str:
    """Return the one of NAMES that is meant: `windows-1252` and `CP1252` mean `cp1252`.

    Raises:
        ValueError: none is; the message names all there are and the nearest one.
    """
    try:
        known = codecs.lookup(name.strip()).name
    except (LookupError, ValueError):
        known = ""
    known = {"utf-8-sig": "utf-8", "gbk": "gb18030", "gb2312": "gb18030"}.get(known, known)
    for one in NAMES:
        if codecs.lookup(one).name == known:
            return one
    hint = did_you_mean(name, NAMES)
    raise ValueError(f"the name of an encoding{hint}; there are {', '.join(NAMES)}")
