"""Text from outside, mostly names of files, made safe to store and to print."""

import os
import unicodedata
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any


def writable(name: str | os.PathLike) -> str:
    """A name that every file and table can hold: bytes that are not UTF-8, and zeros, are shown by their codes."""
    text = os.fsdecode(name).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return text.replace("\0", "\\x00")


def no_formula(path: str) -> str:
    """The path as it is written to a .csv: with ./ before one that a spreadsheet would compute as a formula."""
    return f"./{path}" if path.startswith(("=", "+", "-", "@", "\t", "\r")) else path


def one_spelling(text: str) -> str:
    """The text in Unicode's form NFC: macOS writes é as e and an accent, other systems as one character."""
    return unicodedata.normalize("NFC", text)


def printable(text: str, keep: str = "") -> str:
    """The text with the codes of characters that are neither printable nor in `keep`, so that a terminal obeys none."""
    return "".join(c if c.isprintable() or c in keep else ascii(c)[1:-1] for c in text)


def shorten(value: Any) -> str:
    """A value as text of at most 80 characters, for a message."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def several(names: Sequence[str], most: int = 3, number: int | None = None) -> str:
    """The first `most` names, and the count of the others among `number` (None: the number of `names`)."""
    rest = (len(names) if number is None else number) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def nearest(word: str, choices: Iterable[Any]) -> str:
    """A question for a message, with the choice that is most like a word; empty where none is like it."""
    matches = get_close_matches(word, [str(choice) for choice in choices], n=1)
    return f" (did you mean {matches[0]}?)" if matches else ""


def duration(seconds: float) -> str:
    """Seconds as `40 s`, `12 min` or `3 h 05 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
