"""Arrays on disk that grow piece by piece, and that a killed process cannot damage.

A folder holds

    <field>.bin    numbers of all items, one after the other; a memory map is an array (N, ...)
    pieces.jsonl   a line per piece: its number of items, and SHA-256 of its part of each file. The line is written
                   last, so a piece is whole or missing
    lock           held by the process that opens the folder or adds to it
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import lock, writing

Field = tuple[str, tuple[int, ...]]  # dtype and shape of one item's numbers
_BLOCK = 1 << 24


class AppendStore:
    """Arrays with a row for each item; items are found by their keys.

    Opening a folder compares all pieces with their checksums. A damaged piece and those after it are dropped, and the
    next piece takes their place.

    Args:
        folder: made if it is missing.
        fields: by name; `key`, bytes, identifies an item.

    Attributes:
        rows: by key, the item's row in all arrays.
        count: number of items.

    Raises: Problem when the folder cannot be written.
    """

    def __init__(self, folder: Path, fields: Mapping[str, Field]):
        self.folder, self.fields = folder, fields
        self.rows: dict[bytes, int] = {}
        self.count = self._end = 0  # items, and bytes of pieces.jsonl, whose checksums are right
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        with self.alone():
            self.refresh()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let one process at a time work in the folder; the kernel releases the lock of a process that ends.

        On a disk without file locks nothing is held.

        Raises: Problem where the folder cannot be written, or has gone.
        """
        try:
            if not self.folder.is_dir():
                raise self._gone()
            with open(self.folder / "lock", "w") as file:
                lock(file, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise Problem(
                f"{error.filename or self.folder} cannot be written: {error.strerror or error}. What was computed "
                "before is kept: make room, or name another folder, and run again."
            ) from None

    def array(self, name: str) -> np.ndarray:
        """(N, ...) memory map of a field; an empty array if there are no items."""
        dtype, shape = self.fields[name]
        if not self.count:
            return np.empty((0, *shape), dtype)
        self._require(self._file(name), self.count * self._bytes(name))
        return np.memmap(self._file(name), dtype, "r", shape=(self.count, *shape))

    def refresh(self) -> None:
        """Find the pieces that other processes have added. Call it only inside `alone`."""
        known = self.count
        for line in self._new_lines():
            try:
                piece = json.loads(line)
                whole = line.endswith(b"\n") and all(
                    self._digest(name, self.count, piece["items"]) == piece["sha256"][name] for name in self.fields
                )
            except (ValueError, KeyError, TypeError, OSError):
                whole = False
            if not whole:
                break
            self.count += piece["items"]
            self._end += len(line)
        if self.count > known:
            self.rows |= {bytes(key): row for row, key in enumerate(self.array("key")[known:], known)}

    def add(self, columns: Mapping[str, np.ndarray]) -> None:
        """Append a piece: an array (n, ...) of each field. Call it only inside `alone`, after `refresh`."""
        count = len(columns["key"])
        sums = {}
        for name, (dtype, shape) in self.fields.items():
            data = np.ascontiguousarray(columns[name], dtype=dtype).reshape(count, *shape).tobytes()
            sums[name] = hashlib.sha256(data).hexdigest()
            self._append(self._file(name), self.count * self._bytes(name), data)
        line = json.dumps({"items": count, "sha256": sums}) + "\n"
        self._append(self._pieces, self._end, line.encode())
        self.rows |= {bytes(key): row for row, key in enumerate(columns["key"], self.count)}
        self.count += count
        self._end += len(line)

    @property
    def _pieces(self) -> Path:
        return self.folder / "pieces.jsonl"

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.bin"

    def _bytes(self, name: str) -> int:
        dtype, shape = self.fields[name]
        return np.dtype(dtype).itemsize * int(np.prod(shape))

    def _new_lines(self) -> list[bytes]:
        if not self._pieces.exists():
            return []
        with open(self._pieces, "rb") as file:
            file.seek(self._end)
            return file.readlines()

    def _digest(self, name: str, first: int, count: int) -> str:
        digest, left = hashlib.sha256(), count * self._bytes(name)
        with open(self._file(name), "rb") as file:
            file.seek(first * self._bytes(name))
            while left > 0 and (block := file.read(min(left, _BLOCK))):
                digest.update(block)
                left -= len(block)
        return digest.hexdigest()

    def _require(self, path: Path, size: int) -> None:
        """Raise Problem if a file lacks bytes that were written: zeros would take their place."""
        if size and not (path.is_file() and path.stat().st_size >= size):
            raise self._gone()

    def _gone(self) -> Problem:
        return Problem(f"{self.folder} was moved, removed or cut short while it was in use. Run again.")

    def _append(self, path: Path, end: int, data: bytes) -> None:
        """Write at byte `end`. Bytes after it, which a killed process may have left, are removed."""
        self._require(path, end)
        with open(path, "ab") as file:
            file.truncate(end)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
