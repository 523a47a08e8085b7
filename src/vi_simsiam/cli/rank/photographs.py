"""Photographs of files, folders and archives, each known by the SHA-256 of its file and decoded only if it is new."""

import hashlib
from collections.abc import Container
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from PIL import Image

from vi_simsiam.cli.rank import facts
from vi_simsiam.data import decode
from vi_simsiam.data.reader import Contents, ImageReader


class Tile(NamedTuple):
    """Place of a tile: its number within the image, from 1, row by row; pixels of the upright image."""

    tile: int
    left: int
    top: int
    width: int
    height: int


class Photograph(NamedTuple):
    """One file, page or tile.

    Attributes:
        key: SHA-256 of the file's bytes; for a page or tile, SHA-256 of the key of the whole and the place in it.
        pixels: uint8 (size, size, channels); None for contents that are stored already.
        facts, look: of `facts.measure`; None also from a reader that does not measure.
        tile: place of a tile; None for a file or page.
    """

    key: bytes
    pixels: np.ndarray | None = None
    facts: np.ndarray | None = None
    look: np.ndarray | None = None
    tile: Tile | None = None


@dataclass
class Photographs(ImageReader):
    """A reader of `Photograph`s.

    Args, beside those of `ImageReader`:
        stored: keys of the contents that are stored already, which are not decoded.
        measured: whether to measure facts and look.
    """

    stored: Container[bytes] = field(default_factory=set)
    measured: bool = True

    def only(self, paths: Container[str]) -> None:
        """Read nothing but the files with these paths."""
        self._listed = [file for file in self._files() if file.path in paths]

    def prepared(self, contents: Contents, page: int | None) -> Photograph:
        key = page_key(contents, page)
        if key in self.stored:
            return Photograph(key)
        size = contents.book.size(page or 1)
        # Encoder and facts need a decoding of at least twice their size, for accuracy; a thumbnail does not.
        side = 2 * max(self.size, facts.SIDE) if self.measured else self.size
        image = self.loaded(contents, page, side).upright(self.channels, self.depth)
        return Photograph(key, decode.square(image, self.size), *self._facts(image, *size, contents.book.pages))

    def _facts(
        self, image: Image.Image, width: int, height: int, pages: int
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Facts and look of an upright image."""
        if not self.measured:
            return None, None
        return facts.measure(image, width, height, pages)


def page_key(contents: Contents, page: int | None) -> bytes:
    """SHA-256 of a file's bytes; of a page of several, of that and its number."""
    return contents.sha256 if page is None else part_key(contents.sha256, f"page {page}")


def part_key(whole: bytes, part: str) -> bytes:
    """Key of a part of what has the key `whole`."""
    return hashlib.sha256(whole + part.encode()).digest()
