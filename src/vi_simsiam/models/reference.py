"""How certain a model is of its training images: the scale on which its scores of new images are read.

The scores lie in the model's folder as scoring.json. Beside them are the rule by which images are resized and the
versions of the packages, so that the folder can be used without the data.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import read_json, write_json
from vi_simsiam.core.record import versions
from vi_simsiam.data.store import RowView, TrainingImages
from vi_simsiam.evaluation.features import batches, best_device, extract
from vi_simsiam.methods import Method
from vi_simsiam.models import known
from vi_simsiam.stats.intervals import wilson
from vi_simsiam.transforms.resizing import resize

FILE = "scoring.json"
FORMAT = 2
RESIZE = "central square, bilinear, antialiased"  # what transforms.resizing.resize does, the only rule there is
_MOST = 10_000  # values kept; of more training images so many quantiles, which tell percentiles .01 apart
_CENTRAL = 500  # training images, at most, that are compared with their central quarter
_SAME = 1  # grey levels
_BATCH = 500


@dataclass(frozen=True)
class TrainingScores:
    """The own certainty score of a model, as its training images got it.

    Attributes:
        name: of the score, e.g. "kappa"; None: the method has none.
        images: number of training images.
        values: (n,) float32, rising: the scores, or `_MOST` quantiles of them; empty where there is no score.
        central: pairs of a training image and its central quarter that were compared, without those that look the same,
            as images of one colour do; 0: none, or an older model.
        above: how many of these images were more certain than their quarter.
    """

    name: str | None
    images: int
    values: np.ndarray
    central: int = 0
    above: int = 0

    @property
    def reliable(self) -> bool:
        """True where the score is higher on whole images than on their quarters more often than by chance.

        So it is where the 95 % Wilson interval of the share of such pairs lies above one half.
        """
        return self.central > 0 and wilson(np.arange(self.central) < self.above).ci_low > 0.5

    @property
    def reliability_warning(self) -> str | None:
        """A sentence where the pairs were compared and the score is not `reliable`; else None."""
        if self.central == 0 or self.reliable:
            return None
        return (
            f"{self.name} of this model is higher on a whole image than on its central quarter for {self.above} of "
            f"{self.central} training images, which is no more than chance: its order says little. Train longer or on "
            "more images (docs/troubleshooting.md)."
        )

    def percentile(self, scores: np.ndarray) -> np.ndarray:
        """Percent of the training images that are less certain: (n,) in [0, 100]; images that tie count half.

        Args:
            scores: (n,) of new images, larger = more certain.
        """
        scores = np.asarray(scores, dtype=np.float32)
        below, upto = (np.searchsorted(self.values, scores, side) for side in ("left", "right"))
        return 50 * (below + upto) / len(self.values)


def write(
    folder: Path,
    model: Method,
    store: TrainingImages,
    features: np.ndarray | RowView | None = None,
    device: torch.device | None = None,
) -> None:
    """Score the training images, as they are, and write `folder`/scoring.json beside the saved model.

    Features of them, of at most 20 MB, go to `folder`/known.safetensors.

    Args:
        folder: of the model.
        model: moved to the device.
        store: its training images.
        features: (N, dim) of these images as they are, where they are known.
        device: the GPU if there is one unless named.
    """
    name = model.certainty_scores[0] if model.certainty_scores else None
    images, values, central, above = store.images("train"), np.empty(0, np.float32), 0, 0
    model.to(device or best_device())
    some = known.selection(len(images), model.backbone.dim)
    encoded = batches(images[some], _BATCH) if features is None else _pieces(features[some])
    known.write(folder, extract(model, encoded)["features"])
    if name is not None:
        encoded = batches(images, _BATCH) if features is None or model.scores_images else _pieces(features)
        whole = _scores(model, name, encoded)
        rows = np.arange(0, len(images), -(-len(images) // _CENTRAL))
        quarters = _central(images[rows])
        rows, quarters = (each[_differ(images[rows], quarters)] for each in (rows, quarters))
        quarter = _scores(model, name, batches(quarters, _BATCH)) if len(rows) else np.empty(0, np.float32)
        central, above = len(rows), int((quarter < whole[rows]).sum())
        values = np.sort(whole)
        if len(values) > _MOST:
            values = np.quantile(values, (np.arange(_MOST) + 0.5) / _MOST, method="nearest")
    write_json(
        folder / FILE,
        {
            "format": FORMAT,
            "score": name,
            "train_images": len(images),
            "train_scores": [float(f"{value:.9g}") for value in values],  # nine digits tell all of float32 apart
            "central": central,
            "above": above,
            "resize": RESIZE,
            "versions": versions(),
        },
    )


def _scores(model: Method, name: str, images: Iterable[Tensor]) -> np.ndarray:
    return extract(model, images, lambda f, x: {name: model.own_scores(f, x)[name]})[name].numpy()


def _pieces(features: np.ndarray | RowView) -> Iterator[Tensor]:
    """Features in batches, which a model with a frozen encoder takes as they are."""
    for start in range(0, len(features), _BATCH):
        yield torch.from_numpy(np.array(features[start : start + _BATCH], dtype=np.float32))


def _central(images: np.ndarray) -> np.ndarray:
    """The middle of each image, a quarter of its area, at the image's size: uint8 (n, H, W, C)."""
    side = images.shape[1]
    half = max(1, side // 2)
    start = (side - half) // 2
    return resize(images[:, start : start + half, start : start + half], side)


def _differ(images: np.ndarray, quarters: np.ndarray) -> np.ndarray:
    """Find images that differ from their quarters by more than `_SAME` levels on average: (n,) booleans.

    One of a single level does not, and says nothing about the score.
    """
    return np.abs(images.astype(np.int16) - quarters).mean((1, 2, 3)) > _SAME


def read(folder: Path) -> TrainingScores:
    """Read `folder`/scoring.json. Raises: Problem when it is missing or damaged."""
    path = folder / FILE
    if not path.exists():
        raise Problem(
            f"{folder} has no {FILE}: it is no folder of a model, only a part of one, or was made before models knew "
            "the scores of their training images. Run the step `pretrain` again (`snakemake --cores all`)."
        )
    content = read_json(path)
    try:
        if content["format"] != FORMAT or content["resize"] != RESIZE:
            raise Problem(f"{path} was written by another version of this package: run the step `pretrain` again.")
        values = np.array(content["train_scores"], dtype=np.float32)
        compared = (int(content.get(name, 0)) for name in ("central", "above"))
        scores = TrainingScores(content["score"], int(content["train_images"]), values, *compared)
        whole = values.ndim == 1 and (len(values) > 0) == (scores.name is not None) and (np.diff(values) >= 0).all()
    except (KeyError, TypeError, ValueError) as error:
        raise Problem(f"{path} is damaged ({error!r}): copy the folder anew, or run `pretrain` again.") from None
    if not whole:
        raise Problem(f"{path} is damaged (its scores do not rise): copy the folder anew, or run `pretrain` again.")
    return scores
