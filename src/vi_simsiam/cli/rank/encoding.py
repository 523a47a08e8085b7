"""Encode photographs: store the pixels, the facts and the features of each, and the features of its random views."""

import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from vi_simsiam.cli.rank.facts import FACTS, LOOK
from vi_simsiam.cli.rank.photographs import Photograph, Photographs, Tile
from vi_simsiam.config.schema import AugmentationParams
from vi_simsiam.core.randomness import Generators
from vi_simsiam.core.record import DECODERS
from vi_simsiam.data.append_store import AppendStore, Field
from vi_simsiam.data.store import RowView
from vi_simsiam.evaluation import feature_cache
from vi_simsiam.methods import Method
from vi_simsiam.nn.inference import PACKAGES
from vi_simsiam.nn.threads import by_piece
from vi_simsiam.transforms.views import Views

# Of each image, and fewest in all: of few images, heads learn the views they have seen instead of the images
# (docs/choosing_parameters.md).
VIEWS, _LEAST_VIEWS = 4, 8000
_MOST_VIEWS = 64  # of each image
AUGMENTATION = AugmentationParams(
    crop_scale=[0.2, 1.0], crop_ratio=[3 / 4, 4 / 3], flip=0.5, jitter=0.8, brightness=0.4, contrast=0.4,
    saturation=0.4, hue=0.1, grey=0.2, blur=0.0, blur_sigma=[0.1, 2.0],
)  # fmt: skip
_PIECE = 256  # photographs per write
_AT_ONCE = 128  # views that a thread holds in memory at once
_FORMAT = 5


class Encoder:
    """A frozen encoder, its random views of each photograph, and the store of its features.

    Args:
        model: on its device; put into evaluation mode. Its encoder is used, its heads are not.
        seed: of the random views.
        top: folder of the stores, one for each encoder and setting.
        views: number of random views per image; 0 for a ranking without kappa.

    Attributes:
        store: store with a row for each different content: uint8 `pixels` (N, size, size, C) and `look` (N, 32, 32),
            float16 features `whole` (N, dim) and, unless `views` is 0, `views` (N, V, dim), float32 `facts` (N, 8).
    """

    def __init__(self, model: Method, seed: int, top: Path, views: int = VIEWS):
        self.model, self.seed, self.count = model.eval(), seed, views
        images = model.images
        self.device = next(model.parameters()).device
        self.views = Views(AUGMENTATION, images.size, images.channels)
        of_views = {"augmentation": AUGMENTATION.model_dump(exclude_defaults=True), "seed": seed}
        self._top = top
        self._settings = {
            "format": _FORMAT,
            **feature_cache.depends_on(model, *DECODERS, *PACKAGES, "scipy"),  # scipy computes the facts
            **(of_views if views else {}),
        }
        self.store = self._store(_fields(images.size, images.channels, model.backbone.dim, views), views=views)
        self._fast = False

    def _store(self, fields: Mapping[str, Field], **numbers: int) -> AppendStore:
        """Open the store of these fields; `numbers` tell the stores of an encoder apart."""
        settings = json.dumps({**self._settings, **numbers}, sort_keys=True)
        return AppendStore(self._top / hashlib.sha256(settings.encode()).hexdigest()[:16], fields)

    def encode(
        self, stream: Photographs, report: Callable[[Sequence[tuple[str, str]]], None]
    ) -> tuple[pd.DataFrame, np.ndarray]:
        """Encode and store the photographs whose contents are not stored yet.

        Args:
            stream: photographs; its `stored` is `store.rows`, so that stored contents are not decoded.
            report: called before each write, and at the end, with path and reason of the photographs that could not be
                read since the last call.

        Returns: a table in the order of the stream, with `path` and, for tiles, the fields of `Tile`; and the row of
            each photograph in `store`, (n,) int64. Equal files share a row.
        """
        waiting: dict[bytes, Photograph] = {}
        unread: list[tuple[str, str]] = []
        paths: list[str] = []
        tiles: list[Tile] = []
        keys: list[bytes] = []
        total = stream.count()
        unit = " images" if total is not None else " tiles"
        for image in tqdm(stream, total=total, unit=unit, disable=not sys.stderr.isatty(), smoothing=0.05):
            if image.problem is not None:
                unread.append((image.path, image.problem))
                continue
            photograph: Photograph = image.content
            paths.append(image.path)
            keys.append(photograph.key)
            if photograph.tile is not None:
                tiles.append(photograph.tile)
            if photograph.key not in self.store.rows and photograph.pixels is not None:
                waiting.setdefault(photograph.key, photograph)
            if len(waiting) == _PIECE:
                report(unread)
                unread = []
                self._keep(list(waiting.values()))
                waiting.clear()
        report(unread)
        if waiting:
            self._keep(list(waiting.values()))
        table = pd.DataFrame({"path": paths}).join(pd.DataFrame(tiles))
        return table, np.array([self.store.rows[key] for key in keys], np.int64)

    def training_views(self, rows: np.ndarray) -> np.ndarray | RowView:
        """Features of the random views that heads are trained on: of few images, more views than `store` has.

        Args:
            rows: (n,) of `store`, each once.

        Returns: float16 (n, `views_of_each(n)`, dim).
        """
        stored = RowView(self.store.array("views"), rows)
        count = views_of_each(len(rows)) - self.count
        if count == 0:
            return stored
        further = self._store(
            {"key": self.store.fields["key"], "views": ("<f2", (count, stored.shape[-1]))}, more=count
        )
        keys, pixels = self.store.array("key")[rows], self.store.array("pixels")
        names = [key.tobytes() for key in keys]
        new = [i for i, name in enumerate(names) if name not in further.rows]
        with tqdm(total=len(new), unit=" images", disable=not sys.stderr.isatty()) as bar:
            for piece in _pieces(new, _PIECE):
                groups = _pieces(piece, max(1, _AT_ONCE // count))
                parts = self._by_group(
                    lambda some: self._of_views(pixels[rows[some]], [names[i] for i in some], count, "more"), groups
                )
                with further.alone():
                    further.add({"key": keys[piece], "views": np.concatenate(parts)})
                bar.update(len(piece))
        return np.concatenate([stored[:], further.array("views")[[further.rows[name] for name in names]]], axis=1)

    def fast_model(self) -> Method:
        """The model, after its encoder is made faster on a CPU, once."""
        if not self._fast:
            self.model.speed_up_encoder()
            self._fast = True
        return self.model

    def _by_group(self, compute: Callable[[list], Any], groups: Sequence[list]) -> list:
        self.fast_model()  # not earlier, because a run without new photographs encodes nothing
        return by_piece(compute, groups, self.device)

    def _keep(self, photographs: list[Photograph]) -> None:
        parts = self._by_group(self._features, _pieces(photographs, _AT_ONCE // VIEWS))
        views, whole = (np.concatenate(part) for part in zip(*parts, strict=True))
        columns = {
            "key": np.stack([np.frombuffer(photograph.key, np.uint8) for photograph in photographs]),
            "pixels": _stack(photograph.pixels for photograph in photographs),
            "views": views,
            "whole": whole,
            "facts": _stack(photograph.facts for photograph in photographs),
            "look": _stack(photograph.look for photograph in photographs),
        }
        with self.store.alone():
            self.store.add(columns)

    def _features(self, photographs: list[Photograph]) -> tuple[np.ndarray, np.ndarray]:
        """Float16 features of the views, (n, V, dim), and of the whole images, (n, dim)."""
        pixels = _stack(photograph.pixels for photograph in photographs)
        whole = self._encoded(torch.from_numpy(pixels).to(self.device).permute(0, 3, 1, 2).float() / 255)
        if not self.count:
            return np.empty((len(whole), 0, whole.shape[1]), whole.dtype), whole
        return self._of_views(pixels, [photograph.key for photograph in photographs], self.count, "views"), whole

    def _of_views(self, pixels: np.ndarray, keys: Sequence[bytes], count: int, purpose: str) -> np.ndarray:
        """Float16 features (n, count, dim) of random views of uint8 pixels (n, size, size, C)."""
        size = pixels.shape[1]
        # An image's contents seed its generator, so its views do not depend on the other images.
        drawn = self.views.draw(count, size, size, *(Generators(self.seed, key.hex(), purpose) for key in keys))
        repeated = torch.from_numpy(pixels).to(self.device).repeat_interleave(count, 0)
        views = self.views.apply(repeated, drawn).mul_(255).round_().div_(255)  # as if stored in 8 bits
        return self._encoded(views).reshape(len(pixels), count, -1)

    def _encoded(self, images: Tensor) -> np.ndarray:
        """Float16 features (n, dim) of images (n, C, size, size) in [0, 1]."""
        return self.model.encode(images).half().cpu().numpy()


def views_of_each(images: int) -> int:
    """Number of random views per image in a training on `images` images, a power of two."""
    views = VIEWS
    while views < _MOST_VIEWS and views * images < _LEAST_VIEWS:
        views *= 2
    return views


def _pieces(items: Sequence[Any], size: int) -> list[Any]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _stack(parts: Iterable[np.ndarray | None]) -> np.ndarray:
    """Stack one array of each new photograph. None of them is None, because new photographs are decoded."""
    return np.stack(cast(list[np.ndarray], list(parts)))


def _fields(size: int, channels: int, dim: int, views: int) -> dict[str, Field]:
    of_views: dict[str, Field] = {"views": ("<f2", (views, dim))} if views else {}
    return {
        "key": ("u1", (32,)),
        "pixels": ("u1", (size, size, channels)),
        **of_views,
        "whole": ("<f2", (dim,)),
        "facts": ("<f4", (len(FACTS),)),
        "look": ("u1", (LOOK, LOOK)),
    }
