"""Rows of a table that is not finished, so that an interrupted command goes on where it was."""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import pandas as pd

from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import lock, writing

_SUFFIX = ".partial"  # after the name of the table


class Piece(NamedTuple):
    """Rows that were computed together, and path and reason of each image that could not be read before them."""

    rows: pd.DataFrame
    unread: list[tuple[str, str]]


class Journal:
    """A file with a line of JSON for what its rows depend on, then one for each `Piece`.

    A line that is cut off is not counted: it is computed again.

    Attributes:
        path: of the file.
    """

    def __init__(self, file: TextIO, path: Path):
        self._file, self.path = file, path

    def add(self, rows: pd.DataFrame, unread: Sequence[tuple[str, str]]) -> None:
        self._line({"rows": rows.to_dict("list"), "unread": list(unread)})

    def pieces(self) -> Iterator[Piece]:
        """All pieces in their order, with the numbers that were added, to the last bit."""
        self._file.seek(0)
        self._file.readline()
        while (line := self._file.readline()).endswith("\n"):
            piece = json.loads(line)
            yield Piece(pd.DataFrame(piece["rows"]), [(path, problem) for path, problem in piece["unread"]])

    def begin(self, made_of: dict[str, Any]) -> None:
        """Remove all pieces and write what new ones depend on."""
        self._file.seek(0)
        self._file.truncate()
        self._line(made_of)

    def resume(self, made_of: dict[str, Any]) -> bool:
        """Drop a line that is cut off. Returns: whether there are pieces of the same. False: of something else."""
        self._file.seek(0)
        whole = 0
        first = self._file.readline()
        line = first
        while line.endswith("\n"):
            whole = self._file.tell()
            line = self._file.readline()
        self._file.truncate(whole)
        try:
            return json.loads(first) == json.loads(json.dumps(made_of))
        except ValueError:
            return False

    def _line(self, content: dict[str, Any]) -> None:
        with writing(self.path):
            self._file.seek(0, os.SEEK_END)
            self._file.write(json.dumps(content) + "\n")
            self._file.flush()


@contextmanager
def journal(out: Path, made_of: dict[str, Any], overwrite: bool) -> Iterator[Journal]:
    """The journal beside a table. It is removed when the work is done, and stays after an interruption.

    Args:
        out: the table. made_of: what its rows depend on. overwrite: whether a journal of something else is replaced.

    Raises: Problem where the journal is of something else, or another process writes it.
    """
    name = out.name if len(os.fsencode(out.name)) < 240 else hashlib.sha256(os.fsencode(out.name)).hexdigest()
    path = out.with_name(name + _SUFFIX)
    with open(path, "a+", encoding="utf-8") as file:
        try:
            lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Problem(f"--out {out}: another process writes it now. Wait for it, or name another file.") from None
        kept = Journal(file, path)
        try:
            if path.stat().st_size == 0:
                kept.begin(made_of)
            elif not kept.resume(made_of):
                if not overwrite:
                    raise Problem(
                        f"{path} has the rows of an interrupted command with other images or another model. Give that "
                        "command again to finish it, name another --out, or add --overwrite to drop these rows."
                    )
                kept.begin(made_of)
            yield kept
        except BaseException:
            if next(kept.pieces(), None) is None:
                path.unlink(missing_ok=True)
            raise
        path.unlink(missing_ok=True)
