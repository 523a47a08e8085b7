"""Certainty scores and representations of new images, from the folder of a trained model alone.

>>> import vi_simsiam
>>> model = vi_simsiam.load("results/pretrain/digits/vi_simsiam/seed0")  # doctest: +SKIP
>>> table = model.score(["photos", "more.zip"])  # doctest: +SKIP
>>> features = model.embed(["photos", "more.zip"])  # doctest: +SKIP
"""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from vi_simsiam.config.encoder_params import MODEL_FILES, meant
from vi_simsiam.core import processes, record
from vi_simsiam.core.errors import Problem
from vi_simsiam.data.reader import ImageReader, LoadedImage
from vi_simsiam.evaluation.features import batches, best_device, extract
from vi_simsiam.evaluation.scores import SCORES
from vi_simsiam.methods import Method
from vi_simsiam.models import known, reference, saved
from vi_simsiam.models.known import KnownImages
from vi_simsiam.models.reference import TrainingScores

Inputs = Iterable[str | os.PathLike]
DENSITY = "knn_density"
OnUnreadable = Callable[[str, str], None]  # called with an image's path and why it cannot be read


def load(folder: str | os.PathLike, device: torch.device | str | None = None) -> "Model":
    """Read a trained model, from results/pretrain/<dataset>/<method>/seed<k> or a copy of that folder.

    Args:
        folder: with model.safetensors, model.json, scoring.json, known.safetensors (which models of earlier versions
            lack), and run.json, which has their checksums. No code in them is executed.
        device: by default the GPU if there is one, else the CPU.

    Raises: Problem when a file is missing, damaged or of an older version.
    """
    folder = Path(folder)
    if not any((folder / name).is_file() for name in MODEL_FILES):
        raise Problem(
            f"{folder} is no folder of a model{meant(folder)}. Name one that a run has left, "
            "results/pretrain/<dataset>/<method>/seed<k>, or a copy of it."
        )
    scores = reference.read(folder)
    record.verify(folder, *MODEL_FILES, reference.FILE)
    network, description = saved.load(folder, best_device() if device is None else device)
    images = None
    if known.FILE in record.read(folder)["outputs"]:
        record.verify(folder, known.FILE)
        images = known.read(folder, next(network.parameters()).device)
    return Model(network, description, scores, images)


@dataclass(frozen=True)
class Model:
    """A frozen model with the scores and features of its training images. `load` makes one.

    Attributes:
        network: in evaluation mode, on its device.
        description: of the model: `method`, `dataset`, `images` (size, channels, mean, std), `params`.
        training: the method's own certainty score of the training images.
        known: features of the training images; None: the model is of an earlier version.
    """

    network: Method
    description: dict[str, Any]
    training: TrainingScores
    known: KnownImages | None = None

    @property
    def scores(self) -> tuple[str, ...]:
        """Columns of the method's own scores. Raises: Problem for a method without a score of its own."""
        if self.training.name is None:
            others = dict.fromkeys(row.method for row in SCORES.values() if row.method)
            raise Problem(
                f"method {self.description['method']} has no certainty score of its own. Those of {', '.join(others)} "
                "have: name such a model's folder."
            )
        return self.network.certainty_scores

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the table of scores. Raises: Problem for a method without a score of its own."""
        return "path", *self.scores, "percentile", *([] if self.known is None else [DENSITY])

    def stream(self, inputs: Inputs, threads: int | None = None, every_page: bool = False) -> ImageReader:
        """The images of files, folders and archives, prepared as the training images were.

        Args:
            threads: number of threads that decode; None: one for each core.
            every_page: whether each page of a file is an image, rather than the first alone.
        """
        images = self.description["images"]
        depth, threads = images.get("depth", 16), threads or processes.cores()
        return ImageReader(inputs, images["size"], images["channels"], threads, depth, every_page=every_page)

    def scored(
        self, images: Iterable[LoadedImage], report: OnUnreadable | None = None, batch_size: int = 256
    ) -> Iterator[tuple[pd.DataFrame, np.ndarray]]:
        """Score a stream batch by batch, in memory that does not grow with it.

        Args:
            images: from `stream`.
            report: called with path and reason of each image that cannot be read. None: the first raises.
            batch_size: images that are on the device at once.

        Yields: a table and the pixels of its rows, uint8 (n, size, size, channels). The table has `path`, the method's
            own scores (larger = more certain: `kappa` in (0, inf) and `expected_cosine` in (0, 1) of VI-SimSiam; for
            others see `vi_simsiam.evaluation.scores`), `percentile`: percent of the training images that are less
            certain (ties half), and `knn_density`, unless the model is of an earlier version: mean cosine to the
            nearest training images.
        Raises: Problem for a method without a score; for the first image that cannot be read, if `report` is None.
        """
        names = self.scores
        for paths, pixels in _readable(images, report, batch_size):
            scores = extract(self.network, batches(pixels, batch_size), self._read)
            table = pd.DataFrame({"path": paths} | {name: scores[name].double().numpy() for name in names})
            table["percentile"] = self.training.percentile(scores[self.training.name].numpy())
            if self.known is not None:
                table[DENSITY] = scores[DENSITY].double().numpy()
            yield table, pixels

    def _read(self, features: Tensor, images: Tensor) -> dict[str, Tensor]:
        density = {} if self.known is None else {DENSITY: self.known.density(features)}
        return self.network.own_scores(features, images) | density

    def score(self, inputs: Inputs, report: OnUnreadable | None = None, threads: int | None = None) -> pd.DataFrame:
        """The scores of all images of files, folders and archives, a row per image; columns as of `scored`."""
        tables = [table for table, _ in self.scored(self.stream(inputs, threads), report)]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(self.columns))

    def embed(self, inputs: Inputs, report: OnUnreadable | None = None, threads: int | None = None) -> np.ndarray:
        """(n, dim) float32 representations, those that probes and k-NN read, in the order of `score`'s rows."""
        images = self.stream(inputs, threads)
        parts = [np.empty((0, self.network.backbone.dim), np.float32)]
        for _, pixels in _readable(images, report, 256):
            parts.append(extract(self.network, batches(pixels, len(pixels)))["features"].numpy())
        return np.concatenate(parts)


def _readable(
    images: Iterable[LoadedImage], report: OnUnreadable | None, batch_size: int
) -> Iterator[tuple[list[str], np.ndarray]]:
    """Paths and pixels of the images that could be read, in batches; the others are reported."""

    def readable() -> Iterator[LoadedImage]:
        for image in images:
            if image.problem is None:
                yield image
            elif report is None:
                raise Problem(f"{image.path}: {image.problem}. Remove it, or give `report` to go on without it.")
            else:
                report(image.path, image.problem)

    images_read = readable()
    while batch := list(islice(images_read, batch_size)):
        yield [image.path for image in batch], np.stack([image.content for image in batch])
