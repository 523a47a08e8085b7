"""The few images of a stream with the lowest and the highest score."""

import numpy as np
import pandas as pd


class Extremes:
    """Of all that is added, the `count` images with the lowest score and the `count` with the highest.

    No image is on both sides: of fewer than 2 x `count` images, each side gets half.
    """

    def __init__(self, score: str, count: int):
        self.score, self.count, self.seen = score, count, 0
        self._lowest: tuple[pd.DataFrame, np.ndarray] | None = None
        self._highest: tuple[pd.DataFrame, np.ndarray] | None = None

    def add(self, table: pd.DataFrame, pixels: np.ndarray) -> None:
        """Rows with a column `score`, and their pixels (n, ...). Of equal scores, the earlier image stays."""
        self.seen += len(table)
        self._lowest = self._best(self._lowest, table, pixels, rising=True)
        self._highest = self._best(self._highest, table, pixels, rising=False)

    def lowest(self) -> tuple[pd.DataFrame, np.ndarray]:
        """Table and pixels, lowest score first."""
        return self._some(self._lowest)

    def highest(self) -> tuple[pd.DataFrame, np.ndarray]:
        """Table and pixels, highest score first."""
        return self._some(self._highest)

    def _best(self, kept, table: pd.DataFrame, pixels: np.ndarray, rising: bool) -> tuple[pd.DataFrame, np.ndarray]:
        if kept is not None:
            table, pixels = pd.concat([kept[0], table], ignore_index=True), np.concatenate([kept[1], pixels])
        score = table[self.score].to_numpy()
        order = np.argsort(score if rising else -score, kind="stable")[: self.count]
        return table.iloc[order].reset_index(drop=True), pixels[order]

    def _some(self, kept) -> tuple[pd.DataFrame, np.ndarray]:
        count = min(self.count, max(1, self.seen // 2))
        return kept[0][:count], kept[1][:count]
