"""Collect Pillow's warnings per file, while several threads read files."""

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


class _Heard(threading.local):
    texts: list[str] | None = None


_heard = _Heard()
_original = warnings.showwarning


@contextmanager
def remarks() -> Iterator[list[str]]:
    """Collect the warnings of this thread until the end of the `with`, each once, after a call of `listen`."""
    texts: list[str] = []
    _heard.texts = texts
    try:
        yield texts
    finally:
        _heard.texts = None


def listen() -> None:
    """Collect Pillow's warnings inside `remarks`; outside they are shown as before."""
    global _original
    if warnings.showwarning is not _show:
        _original = warnings.showwarning
        warnings.showwarning = _show
        warnings.filterwarnings("always", module=r"PIL\.")  # else only the first file with a warning would be named
        warnings.filterwarnings("ignore", "Image size .* exceeds limit")  # data.decode has another limit
        logging.getLogger("PIL").addHandler(logging.NullHandler())  # Pillow also raises the errors that it logs


def _show(message, category, filename, lineno, file=None, line=None) -> None:
    if not remark(str(message)):
        _original(message, category, filename, lineno, file, line)


def remark(text: str) -> bool:
    """Add a remark on the file that this thread reads. Returns: False if the thread is not inside `remarks`."""
    if _heard.texts is None:
        return False
    first_line = (text.strip().splitlines() or [""])[0]
    if first_line not in _heard.texts:
        _heard.texts.append(first_line)
    return True
