"""What was computed of each photograph, kept in files that grow piece by piece.

A folder for each encoder and set of parameters holds

    <field>.bin    numbers of all photographs, one after the other; memory maps of them are arrays (N, ...)
    pieces.jsonl   a line per piece: its number of photographs, SHA-256 of what it added to each file. Written last, so
                   that a piece is there as a whole or not at all
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from vi_simsiam.core.errors import Problem

Field = tuple[str, tuple[int, ...]]  # dtype and shape of one photograph's numbers
_BLOCK = 1 << 24


class Kept:
    """Arrays that only grow.

    Opening them compares all pieces with their checksums. A damaged one, and those after it, are forgotten.

    Args:
        folder: made if need be.
        fields: by name; `key`, 32 bytes, identifies a photograph.

    Attributes:
        rows: by key, the photograph's row in all arrays.

    Raises: Problem when the folder cannot be written.
    """

    def __init__(self, folder: Path, fields: Mapping[str, Field]):
        self.folder, self.fields = folder, fields
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.count = self._recover()
        except OSError as error:
            raise _unwritable(folder, error) from None
        keys = self.array("key")
        self.rows = {bytes(key): row for row, key in enumerate(keys)}

    def array(self, name: str) -> np.ndarray:
        """(N, ...) memory map of a field; of no photographs an empty array."""
        dtype, shape = self.fields[name]
        if not self.count:
            return np.empty((0, *shape), dtype)
        return np.memmap(self._file(name), dtype, "r", shape=(self.count, *shape))

    def add(self, columns: Mapping[str, np.ndarray]) -> None:
        """Append a piece: of each field an array (n, ...). Raises: Problem when it cannot be written."""
        count = len(columns["key"])
        sums = {}
        try:
            for name, (dtype, shape) in self.fields.items():
                data = np.ascontiguousarray(columns[name], dtype=dtype).reshape(count, *shape).tobytes()
                sums[name] = hashlib.sha256(data).hexdigest()
                _append(self._file(name), data)
            _append(self._pieces, (json.dumps({"photographs": count, "sha256": sums}) + "\n").encode())
        except OSError as error:
            raise _unwritable(self.folder, error) from None
        for row, key in enumerate(columns["key"], self.count):
            self.rows[bytes(key)] = row
        self.count += count

    @property
    def _pieces(self) -> Path:
        return self.folder / "pieces.jsonl"

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.bin"

    def _bytes(self, name: str) -> int:
        dtype, shape = self.fields[name]
        return np.dtype(dtype).itemsize * int(np.prod(shape))

    def _recover(self) -> int:
        """Cut all files to the pieces that are whole. Returns: number of photographs in these."""
        count, lines = 0, []
        for line in self._pieces.read_bytes().splitlines(keepends=True) if self._pieces.exists() else []:
            try:
                piece = json.loads(line)
                whole = line.endswith(b"\n") and all(
                    self._digest(name, count, piece["photographs"]) == piece["sha256"][name] for name in self.fields
                )
            except (ValueError, KeyError, TypeError, OSError):
                whole = False
            if not whole:
                break
            count += piece["photographs"]
            lines.append(line)
        for name in self.fields:
            with open(self._file(name), "ab") as file:
                file.truncate(count * self._bytes(name))
        with open(self._pieces, "ab") as file:
            file.truncate(sum(map(len, lines)))
        return count

    def _digest(self, name: str, first: int, count: int) -> str:
        digest, left = hashlib.sha256(), count * self._bytes(name)
        with open(self._file(name), "rb") as file:
            file.seek(first * self._bytes(name))
            while left > 0 and (block := file.read(min(left, _BLOCK))):
                digest.update(block)
                left -= len(block)
        return digest.hexdigest()


def _append(path: Path, data: bytes) -> None:
    with open(path, "ab") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _unwritable(folder: Path, error: OSError) -> Problem:
    return Problem(
        f"{error.filename or folder} cannot be written: {error.strerror or error}. What was computed before is kept: "
        "make room, or name another folder, and run again."
    )
