"""The few images of a stream with the lowest and the highest score."""

import numpy as np
import pandas as pd

_Rows = tuple[pd.DataFrame, np.ndarray, np.ndarray]  # with their pixels, and their places among all that was added


class Extremes:
    """Of all that is added, the `count` images with the lowest score and the `count` with the highest.

    No image is on both sides, also where scores are equal: of fewer than 2 x `count` images, each side gets half, the
    lower one also the image in the middle.
    """

    def __init__(self, score: str, count: int):
        self.score, self.count, self.seen = score, count, 0
        self._lowest: _Rows | None = None
        self._highest: _Rows | None = None

    def add(self, table: pd.DataFrame, pixels: np.ndarray) -> None:
        """Rows with a column `score`, and their pixels (n, ...). Of equal scores, the earlier image counts as lower."""
        rows = table, pixels, np.arange(self.seen, self.seen + len(table))
        self.seen += len(table)
        self._lowest = self._best(self._lowest, rows, slice(None, None, 1))
        self._highest = self._best(self._highest, rows, slice(None, None, -1))

    def lowest(self) -> tuple[pd.DataFrame, np.ndarray]:
        """Table and pixels, lowest score first."""
        return self._some(self._lowest, (self.seen + 1) // 2)

    def highest(self) -> tuple[pd.DataFrame, np.ndarray]:
        """Table and pixels, highest score first; empty where there is one image alone."""
        return self._some(self._highest, self.seen // 2)

    def _best(self, kept: _Rows | None, rows: _Rows, direction: slice) -> _Rows:
        table, pixels, places = rows
        if kept is not None:
            table = pd.concat([kept[0], table], ignore_index=True)
            pixels, places = np.concatenate([kept[1], pixels]), np.concatenate([kept[2], places])
        order = np.lexsort((places, table[self.score].to_numpy()))[direction][: self.count]
        return table.iloc[order].reset_index(drop=True), pixels[order], places[order]

    def _some(self, kept: _Rows | None, share: int) -> tuple[pd.DataFrame, np.ndarray]:
        count = min(self.count, share)
        return kept[0][:count], kept[1][:count]
