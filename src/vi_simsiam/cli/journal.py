"""Journal of an unfinished table, from which an interrupted command continues."""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import pandas as pd

from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import lock, writing

_SUFFIX = ".partial"  # after the name of the table


class Journal:
    """Rows in memory and in a file: a line of JSON with all that they depend on, then a line for each table of rows.

    Attributes:
        path: of the file.
        tables: rows in the order in which they were added; numbers read from the file are the same to the last bit.
        unread: path and reason of each image that could not be read.
    """

    def __init__(self, file: TextIO, path: Path, lines: Sequence[str]):
        self._file, self.path = file, path
        self.tables: list[pd.DataFrame] = []
        self.unread: list[tuple[str, str]] = []
        for line in lines:
            self._remember(**json.loads(line))

    def add(self, rows: pd.DataFrame, unread: Sequence[tuple[str, str]]) -> None:
        """Add a table, which may be empty, and images that could not be read. Raises: Problem as `write`."""
        self._remember(rows, unread)
        self.write({"rows": rows.to_dict("list"), "unread": list(unread)})

    def _remember(self, rows: pd.DataFrame | dict[str, list[Any]], unread: Sequence[Sequence[str]]) -> None:
        if len(rows):
            self.tables.append(pd.DataFrame(rows))
        self.unread += [(path, problem) for path, problem in unread]

    def write(self, content: dict[str, Any]) -> None:
        """Add a line to the file. Raises: Problem when it cannot be written."""
        with writing(self.path):
            self._file.write(json.dumps(content) + "\n")
            self._file.flush()


@contextmanager
def journal(out: Path, made_of: dict[str, Any], overwrite: bool) -> Iterator[Journal]:
    """Open the journal beside a table. It is removed when the work is done; after an error it stays if it has rows.

    Args:
        out: the table.
        made_of: all that its rows depend on.
        overwrite: whether to replace a journal whose rows depend on something else.

    Raises: Problem where the journal's rows depend on something else, or another process writes it.
    """
    # A file's name has at most 255 bytes.
    name = out.name if len(os.fsencode(out.name)) < 240 else hashlib.sha256(os.fsencode(out.name)).hexdigest()
    path = out.with_name(name + _SUFFIX)
    with open(path, "a+", encoding="utf-8") as file:
        try:
            lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Problem(f"--out {out}: another process writes it now. Wait for it, or name another file.") from None
        file.seek(0)
        lines = [line for line in file if line.endswith("\n")]  # one that is cut off is computed again
        if lines and lines[0] != json.dumps(made_of) + "\n":
            if not overwrite:
                raise Problem(
                    f"{path} has the rows of an interrupted command that differs from this one: in the model, the "
                    "images, an option, the folder or a package's version. Give that command again to finish it, name "
                    "another --out, or add --overwrite to drop these rows."
                )
            lines = []
        opened = Journal(file, path, lines[1:])
        try:
            file.truncate(len("".join(lines).encode()))
            if not lines:
                opened.write(made_of)
            yield opened
        except BaseException:
            if not opened.tables:
                path.unlink(missing_ok=True)
            raise
        path.unlink(missing_ok=True)
