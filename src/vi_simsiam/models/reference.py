"""A model's certainty scores on its training images: the scale for its scores of new images.

The scores are in scoring.json in the model's folder, with the rule for resizing images and the versions of the
packages, so that the folder is usable without the data.
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
RESIZE = "central square, bilinear, antialiased"  # the rule of transforms.resizing.resize
_MOST = 10_000  # stored scores; of more images this many quantiles, so that percentiles are exact to .01
_CENTRAL = 500  # training images, at most, that are compared with their central quarters
# Of texture a quarter shows as much as the whole. In folders below this share kappa says nothing about errors, or its
# order depends on the seed (docs/choosing_parameters.md).
_RELIABLE = 2 / 3
_SAME = 1  # mean difference in grey levels up to which two images look the same
_BATCH = 500


@dataclass(frozen=True)
class TrainingScores:
    """A model's own certainty score on its training images.

    Attributes:
        name: of the score, e.g. "kappa"; None if the method has none.
        images: number of training images.
        values: (n,) float32 in ascending order: the scores, or `_MOST` quantiles of them; empty without a score.
        central: number of training images that were compared with their central quarters. Images that look like their
            quarters, such as those of one colour, are left out. 0: none, or an older model.
        above: number of these images with a higher score than their quarters.
    """

    name: str | None
    images: int
    values: np.ndarray
    central: int = 0
    above: int = 0

    @property
    def reliable(self) -> bool:
        """True if more than two thirds of the images score higher than their quarters, by the 95 % Wilson interval."""
        return self.central > 0 and wilson(np.arange(self.central) < self.above).ci_low > _RELIABLE

    @property
    def reliability_warning(self) -> str | None:
        """Warning if images were compared and the score is not `reliable`, else None."""
        if self.central == 0 or self.reliable:
            return None
        return (
            f"{self.name} of this model is higher on a whole image than on its central quarter for {self.above} of "
            f"{self.central} training images. That is not clearly more than two thirds, so its order means little. "
            "Train longer or on more images (docs/troubleshooting.md)."
        )

    def percentile(self, scores: np.ndarray) -> np.ndarray:
        """Percentage of training images with a lower score: (n,) in [0, 100]; ties count half.

        Args:
            scores: (n,) of new images; larger is more certain.
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
    """Score the unaugmented training images and write `folder`/scoring.json beside the saved model.

    Also write their features, at most 20 MB, to `folder`/known.safetensors.

    Args:
        model: moved to the device.
        store: its training images.
        features: (N, dim) of these images, for a model with a frozen encoder; computed by default.
        device: of the scoring; by default the GPU if there is one, else the CPU.
    """
    name = model.certainty_scores[0] if model.certainty_scores else None
    images, values, central, above = store.images("train"), np.empty(0, np.float32), 0, 0
    model.to(device or best_device())
    stored = known.selection(len(images), model.backbone.dim)
    encoded = batches(images[stored], _BATCH) if features is None else _pieces(features[stored])
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
            "train_scores": [float(f"{value:.9g}") for value in values],  # nine digits distinguish all float32
            "central": central,
            "above": above,
            "resize": RESIZE,
            "versions": versions(),
        },
    )


def _scores(model: Method, name: str, images: Iterable[Tensor]) -> np.ndarray:
    return extract(model, images, lambda f, x: {name: model.own_scores(f, x)[name]})[name].numpy()


def _pieces(features: np.ndarray | RowView) -> Iterator[Tensor]:
    """Features in batches. A model with a frozen encoder takes features in place of images."""
    for start in range(0, len(features), _BATCH):
        yield torch.from_numpy(np.array(features[start : start + _BATCH], dtype=np.float32))


def _central(images: np.ndarray) -> np.ndarray:
    """Central quarter of the area of each image, resized to the image's size: uint8 (n, H, W, C)."""
    side = images.shape[1]
    half = max(1, side // 2)
    start = (side - half) // 2
    return resize(images[:, start : start + half, start : start + half], side)


def _differ(images: np.ndarray, quarters: np.ndarray) -> np.ndarray:
    """Find images that differ from their quarters by more than `_SAME` levels on average: (n,) booleans.

    An image of one colour does not, and says nothing about the score.
    """
    return np.abs(images.astype(np.int16) - quarters).mean((1, 2, 3)) > _SAME


def read(folder: Path) -> TrainingScores:
    """Read `folder`/scoring.json. Raises: Problem when it is missing or damaged."""
    path = folder / FILE
    if not path.exists():
        raise Problem(
            f"{folder} has no {FILE}: it is not the whole folder of a model, or an earlier version made it. Run "
            "the step `pretrain` again (`snakemake --cores all`)."
        )
    content = read_json(path)
    try:
        if content["format"] != FORMAT or content["resize"] != RESIZE:
            raise Problem(f"{path} was written by another version of this package: run the step `pretrain` again.")
        values = np.array(content["train_scores"], dtype=np.float32)
        compared = (int(content.get(name, 0)) for name in ("central", "above"))
        scores = TrainingScores(content["score"], int(content["train_images"]), values, *compared)
        if values.ndim != 1 or (len(values) > 0) != (scores.name is not None) or not (np.diff(values) >= 0).all():
            raise ValueError("its scores do not ascend")
    except (KeyError, TypeError, ValueError) as error:
        raise Problem(f"{path} is damaged ({error!r}): copy the folder again, or run `pretrain` again.") from None
    return scores
