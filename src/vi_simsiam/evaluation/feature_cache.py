"""Features of a frozen encoder, stored under the contents of images, so that no image is encoded twice.

Trainings, probes and scores of all methods and seeds share the features. The cache is no output of a job and can be
deleted when none runs. It has a folder for each encoder; source.json in it lists what the features depend on.
"""

import hashlib
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vi_simsiam.core import processes, record
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import write_json
from vi_simsiam.core.text import duration
from vi_simsiam.data.append_store import AppendStore
from vi_simsiam.data.store import FORGET_AFTER, release_pages
from vi_simsiam.evaluation.features import batches
from vi_simsiam.methods import Method
from vi_simsiam.nn.timm_encoders import TimmEncoder

_PIECE = 256  # images that are encoded and written at once
_EVERY = 10  # s between lines of progress


class FeatureCache:
    """The features of a frozen encoder, on disk as float16.

    Several processes may use it at once: the first that needs an image encodes it, and the others wait.

    Args:
        model: has the frozen encoder, on its device.
        top: folder of the caches of all encoders.

    Raises: Problem when the folder cannot be read or written.
    """

    def __init__(self, model: Method, top: Path):
        self.model, self.dim = model, model.backbone.dim
        source = depends_on(model)
        folder = top / hashlib.sha256(json.dumps(source, sort_keys=True).encode()).hexdigest()[:16]
        self._store = AppendStore(folder, {"key": ("u1", (32,)), "features": ("<f2", (self.dim,))})
        write_json(folder / "source.json", source)
        self._features = self._store.array("features")
        self._read = 0  # bytes since the last release of pages

    def features(self, images: Tensor) -> Tensor:
        """(B, C, H, W) images in [0, 1] to (B, dim) features, float32, on the images' device."""
        return torch.from_numpy(self.at(self.rows(images)).astype(np.float32)).to(images.device)

    def rows(self, images: Tensor) -> np.ndarray:
        """(B,) rows of the features of images (B, C, H, W) in [0, 1]; missing features are computed and stored."""
        keys = [hashlib.sha256(image).digest() for image in images.detach().cpu().contiguous().numpy()]
        rows = self._store.rows
        if any(key not in rows for key in keys):
            with self._store.alone():
                self._store.refresh()  # another process may have been here
                new = {key: i for i, key in enumerate(keys) if key not in rows}
                for start in range(0, len(new), _PIECE):
                    piece = list(new)[start : start + _PIECE]
                    features = self._encoded(images[[new[key] for key in piece]])
                    self._store.add(
                        {"key": np.stack([np.frombuffer(key, np.uint8) for key in piece]), "features": features}
                    )
            self._features = self._store.array("features")
        return np.array([rows[key] for key in keys], np.int64)

    def at(self, rows: np.ndarray) -> np.ndarray:
        """(..., dim) float16 features at rows (...)."""
        features = self._features[rows]
        self._read += features.nbytes
        if self._read >= FORGET_AFTER:
            release_pages(self._features)
            self._read = 0
        return features

    def of_views(self, views: np.ndarray) -> "ViewFeatures":
        """The features of uint8 views (N, V, H, W, C), with progress where they must be computed."""
        flat = views.reshape(-1, *views.shape[2:])
        found: list[np.ndarray] = []
        done, started, reported = 0, time.monotonic(), time.monotonic()
        for images in batches(flat, _PIECE):
            found.append(self.rows(images))
            done, now = done + len(images), time.monotonic()
            if now - reported > _EVERY:
                left = (now - started) / done * (len(flat) - done)
                print(f"features of views: {done} of {len(flat)}, {duration(left)} left", flush=True)
                reported = now
        rows = np.concatenate(found).reshape(views.shape[:2])
        some = self.at(np.unique(rows[:1000, 0]))
        if len(some) > 1 and (some == some[0]).all():
            raise Problem(
                "the frozen encoder gives the same features to all images, so it cannot tell them apart. Name other "
                "weights in pretrain.backbone.weights, or check if all images are the same."
            )
        return ViewFeatures(self, rows)

    def _encoded(self, images: Tensor) -> np.ndarray:
        device, threads = next(self.model.parameters()).device, torch.get_num_threads()
        # Other jobs wait for these features, so their cores are free. Features do not depend on the number of threads.
        torch.set_num_threads(processes.cores())
        try:
            return self.model.encode(images.to(device)).cpu().numpy().astype("<f2")
        finally:
            torch.set_num_threads(threads)


class ViewFeatures:
    """Features of views as an array (N, V, dim), float16, read on access."""

    def __init__(self, cache: FeatureCache, rows: np.ndarray):
        self._cache, self._rows = cache, rows
        self.shape, self.dtype = (*rows.shape, cache.dim), np.dtype("<f2")
        self.base = None

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, key) -> np.ndarray:
        return self._cache.at(self._rows[key])


def use(model: Method, top: Path | None) -> FeatureCache | None:
    """Let a model with a frozen encoder read its features from a cache below `top`.

    Returns: the cache; None where the encoder is not frozen or `top` is None.
    """
    if top is None or not model.frozen:
        return None
    cache = FeatureCache(model, top)
    model.feature_cache = cache.features
    return cache


def depends_on(model: Method, *packages: str) -> dict[str, Any]:
    """Everything that an encoder's features depend on, except the images. Its digest names the folder of the cache.

    Args:
        model: has the encoder.
        packages: names of packages that change the features, beside torch and timm.
    """
    names = ("torch", *packages, *["timm"] * isinstance(model.backbone, TimmEncoder))
    return {"encoder": digest(model), "images": asdict(model.images), "versions": record.versions(*names)}


def digest(model: Method) -> str:
    """SHA-256 of the encoder: its network and its weights."""
    total = hashlib.sha256(str(model.backbone).encode())
    for name, tensor in model.backbone.state_dict().items():
        total.update(name.encode())
        total.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return total.hexdigest()
