"""The few images of a stream with the lowest and the highest score."""

import numpy as np
import pandas as pd


class Extremes:
    """Of all that is added, the `count` images with the lowest score and the `count` with the highest.

    No image is on both sides, also where scores are equal: of fewer than 2 x `count` images, each side gets half, the
    lower one also the image in the middle.
    """

    def __init__(self, score: str, count: int):
        self.score, self.count, self.seen = score, count, 0
        self._lowest, self._highest = pd.DataFrame(), pd.DataFrame()

    def add(self, table: pd.DataFrame) -> None:
        """Rows with a column `score`. Of equal scores, the earlier image counts as lower."""
        rows = table.set_axis(np.arange(self.seen, self.seen + len(table)))
        self.seen += len(table)
        self._lowest = self._best(self._lowest, rows, slice(None, None, 1))
        self._highest = self._best(self._highest, rows, slice(None, None, -1))

    def lowest(self) -> pd.DataFrame:
        """Rows, lowest score first; the index has their places among all that was added."""
        return self._lowest[: (self.seen + 1) // 2]

    def highest(self) -> pd.DataFrame:
        """Rows, highest score first; empty where there is one image alone."""
        return self._highest[: self.seen // 2]

    def _best(self, kept: pd.DataFrame, rows: pd.DataFrame, direction: slice) -> pd.DataFrame:
        table = rows if kept.empty else pd.concat([kept, rows])
        order = np.lexsort((table.index, table[self.score].to_numpy()))[direction][: self.count]
        return table.iloc[order]
