"""Tiles of large images, which are ranked as photographs are, and the summary of an image's tiles."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import pandas as pd
from PIL import Image

from vi_simsiam.cli.rank.photographs import Photograph, Photographs, Tile, page_key, part_key
from vi_simsiam.data import decode
from vi_simsiam.data.archives import Unreadable
from vi_simsiam.data.reader import Contents, Work
from vi_simsiam.data.remarks import remark, remarks

# Shortest side of a tile in pixels: with 8, features tell tiles apart hardly better than mean colours do
# (docs/your_images.md).
LEAST = 16
MOST = 16_384  # tiles of an image: the store holds 680 MB for them with EfficientNet-Lite0
SHARE = 0.05  # of an image's tiles that may be lower than its score
SUFFIX = "_q05"


def grid(width: int, height: int, side: int) -> list[Tile]:
    """Cover an image with the fewest squares at even steps, row by row. Where they do not fit, neighbours overlap.

    Args:
        width, height: of the image in pixels.
        side: of a tile in pixels; an image with a shorter side has tiles with that side.
    """
    side = min(side, width, height)
    places = [(left, top) for top in _starts(height, side) for left in _starts(width, side)]
    return [Tile(number, left, top, side, side) for number, (left, top) in enumerate(places, 1)]


def _starts(length: int, side: int) -> list[int]:
    last = -(-length // side) - 1
    return [0] + [i * (length - side) // last for i in range(1, last + 1)]


@dataclass
class Tiles(Photographs):
    """A reader of `Photograph`s that are tiles. side: of a tile, in pixels.

    Images are decoded one at a time, and their tiles are cut when the consumer takes them.
    """

    side: int = LEAST
    most: ClassVar[int] = decode.MOST_OF_TILES

    def count(self) -> None:
        """None, because the number of tiles is known only when all images have been read."""

    def _works(self) -> Iterator[Work]:
        for file, contents in self._contents():
            try:
                for work in self._tiles(contents, file.page):
                    yield Work(file.path, work)
            except Unreadable as error:
                yield Work(file.path, partial(_refuse, str(error)))

    def _tiles(self, contents: Contents, page: int | None) -> Iterator[Callable[[], Photograph]]:
        with remarks() as said:
            tiles = grid(*contents.book.size(page or 1), self.side)
            if len(tiles) > MOST:
                raise Unreadable(f"{len(tiles)} tiles of {tiles[0].width} pixels, more than {MOST}: increase --tiles")
            whole, pages = page_key(contents, page), contents.book.pages
            keys = [part_key(whole, repr(tuple(tile))) for tile in tiles]
            if new := any(key not in self.stored for key in keys):
                image = self.loaded(contents, page, None).upright(self.channels, self.depth)
                # The book turns to the next page before all tiles are cut.
                image = image if page is None else image.copy()
        for tile, key in zip(tiles, keys, strict=True):
            if new and key not in self.stored:
                yield partial(self._cut, image, tile, pages, key, said)
            else:
                yield partial(Photograph, key, tile=tile)

    def _cut(self, image: Image.Image, tile: Tile, pages: int, key: bytes, said: Sequence[str]) -> Photograph:
        for text in said:
            remark(text)
        square = image.crop((tile.left, tile.top, tile.left + tile.width, tile.top + tile.height))
        pixels = decode.square(square, self.size)
        return Photograph(key, pixels, *self._facts(square, tile.width, tile.height, pages), tile)


def _refuse(problem: str) -> Photograph:
    raise Unreadable(problem)


def summary(tiles: pd.DataFrame, score: str, names: Sequence[str]) -> pd.DataFrame:
    """A row per image, from a row per tile.

    Args:
        tiles: with the rows of each image together, in the order of their numbers.
        score: column whose lowest value decides `lowest_tile`.
        names: columns with a quantile.

    Returns: `path`, `tiles` (their number), the quantile `SHARE` of each of `names`, and `lowest_tile`.
    """
    images = tiles.groupby((tiles["tile"] == 1).cumsum())
    result = images.agg(path=("path", "first"), tiles=("tile", "size"))
    quantiles = images[list(names)].quantile(SHARE).add_suffix(SUFFIX)
    result = pd.concat([result, quantiles], axis=1).reset_index(drop=True)
    result["lowest_tile"] = tiles["tile"].to_numpy()[images[score].idxmin()]
    return result
