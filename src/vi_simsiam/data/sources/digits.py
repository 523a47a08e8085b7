"""The handwritten digits that come with scikit-learn."""

import shutil
import zlib
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from vi_simsiam.core.files import replacing
from vi_simsiam.data.sources.base import ArraySplit, Images, unreadable


class Digits:
    """1,797 handwritten digits, 8 x 8 grey, from the test set of the UCI Optical Recognition data.

    The file is part of scikit-learn (`sklearn.datasets.load_digits`), so nothing is downloaded.
    """

    _FILE = "digits.csv.gz"

    def download(self, folder: Path, mirrors: Sequence[str], retries: int) -> list[str]:
        # Found beside scikit-learn's code, whose import would take longer than all the rest.
        inside = Path(find_spec("sklearn").origin).parent / "datasets/data" / self._FILE
        with inside.open("rb") as source, replacing(folder / self._FILE) as temporary, open(temporary, "wb") as sink:
            shutil.copyfileobj(source, sink)
        return [self._FILE]

    def read(self, folder: Path, threads: int = 1) -> Images:
        try:
            table = np.loadtxt(folder / self._FILE, delimiter=",", ndmin=2)  # as scikit-learn; it unpacks .gz
            pixels, labels = table[:, :64], table[:, 64].astype(np.int64)
        except (OSError, EOFError, ValueError, IndexError, zlib.error) as error:
            raise unreadable(folder / self._FILE, error) from None
        # 8 x 8 pixels that count 0..16 points of ink.
        images = np.rint(pixels.reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8)
        return Images(tuple("0123456789"), ArraySplit(images, labels), None)
