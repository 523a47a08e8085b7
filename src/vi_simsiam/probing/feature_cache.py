"""Features that a frozen encoder gave, kept by the contents of images, so that none is encoded twice.

Trainings, probes and scores of all methods and seeds share them. A cache outside any engine's outputs, which can be
deleted at any time. A folder for each encoder holds

    features.bin   float16, dim numbers an image
    index.bin      for each of them 16 bytes of the SHA-256 of its image, and the CRC-32 of its features; written last
    source.json    what they depend on
"""

import fcntl
import hashlib
import json
import os
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import write_json
from vi_simsiam.core.record import versions
from vi_simsiam.core.text import duration
from vi_simsiam.data.store import FORGET_AFTER, forget
from vi_simsiam.methods import Method

_ENTRY = np.dtype([("key", "V16"), ("crc", "<u4")])
_PIECE = 256  # images that are encoded and written at once
_EVERY = 10  # s between lines of progress


class FeatureCache:
    """The features of a frozen encoder, on disk.

    Processes may use it at once: each image is encoded by the first that asks for it, and others wait.

    Args:
        model: whose encoder it is, on its device.
        top: folder of all such caches.

    Raises: Problem when it cannot be read or written.
    """

    def __init__(self, model: Method, top: Path):
        self.model, self.dim = model, model.backbone.dim
        source = {"encoder": digest(model), "images": asdict(model.images), "versions": versions()}
        self.folder = top / hashlib.sha256(json.dumps(source, sort_keys=True).encode()).hexdigest()[:16]
        self._rows: dict[bytes, int] = {}
        self._crcs = np.empty(0, np.uint32)
        self._features = np.empty((0, self.dim), "<f2")
        self._read = 0  # bytes since memory was given back
        with self._alone():
            write_json(self.folder / "source.json", source)
            self._refresh()

    def features(self, images: Tensor) -> Tensor:
        """(B, C, H, W) images in [0, 1] to (B, dim) features, float32, on the images' device."""
        return torch.from_numpy(self.at(self.rows(images)).astype(np.float32)).to(images.device)

    def rows(self, images: Tensor) -> np.ndarray:
        """(B,) where the features of images (B, C, H, W) in [0, 1] are; those that are not there are computed."""
        keys = [_key(image) for image in images.detach().cpu().contiguous().numpy()]
        if any(key not in self._rows for key in keys):
            with self._alone():
                self._refresh()  # another process may have been here
                new = {key: i for i, key in enumerate(keys) if key not in self._rows}
                if new:
                    self._add(list(new), images[list(new.values())])
        return np.array([self._rows[key] for key in keys], np.int64)

    def at(self, rows: np.ndarray) -> np.ndarray:
        """(..., dim) float16 features at rows (...). Raises: Problem where they are damaged."""
        features = self._features[rows]
        for row, values in zip(rows.ravel(), features.reshape(-1, self.dim), strict=True):
            if zlib.crc32(values) != self._crcs[row]:
                raise Problem(f"{self.folder / 'features.bin'} is damaged. Delete {self.folder} and run again.")
        self._read += features.nbytes
        if self._read >= FORGET_AFTER:
            forget(self._features)
            self._read = 0
        return features

    def of_views(self, views: np.ndarray) -> "Views":
        """The features of uint8 views (N, V, H, W, C), with progress where they must be computed."""
        flat = views.reshape(-1, *views.shape[2:])
        rows = np.empty(len(flat), np.int64)
        started = told = time.monotonic()
        read = 0
        for start in range(0, len(flat), _PIECE):
            pixels = torch.from_numpy(np.array(flat[start : start + _PIECE]))
            rows[start : start + _PIECE] = self.rows(pixels.permute(0, 3, 1, 2).float() / 255)
            if (read := read + pixels.numel()) >= FORGET_AFTER:
                forget(views)
                read = 0
            done, now = min(start + _PIECE, len(flat)), time.monotonic()
            if now - told > _EVERY:
                left = (now - started) / done * (len(flat) - done)
                print(f"features of views: {done} of {len(flat)}, {duration(left)} left", flush=True)
                told = now
        self._check(rows.reshape(views.shape[:2])[:1000, 0])
        return Views(self, rows.reshape(views.shape[:2]))

    def _check(self, rows: np.ndarray) -> None:
        some = self.at(np.unique(rows))
        if len(some) > 1 and (some == some[0]).all():
            raise Problem(
                "the frozen encoder gives the same features for all images: it says nothing of them. Name other "
                "weights in pretrain.backbone.weights, or look whether all images are the same."
            )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time; the system takes the lock from one that ends."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with open(self.folder / "lock", "w") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise Problem(
                f"features cannot be kept in {self.folder}: {error.strerror}. Each image takes {2 * self.dim} bytes; "
                "make room and run again, which continues where this ended."
            ) from None

    def _refresh(self) -> None:
        """Take in what the files hold by now."""
        file = self.folder / "index.bin"
        known = len(self._rows)
        size = file.stat().st_size // _ENTRY.itemsize if file.exists() else 0
        if size == known:
            return
        entries = np.fromfile(file, _ENTRY, size - known, offset=known * _ENTRY.itemsize)
        self._rows.update(zip(map(bytes, entries["key"]), range(known, size), strict=True))
        self._crcs = np.concatenate([self._crcs, entries["crc"]])
        features = self.folder / "features.bin"
        if len(self._rows) != size or features.stat().st_size < size * 2 * self.dim:
            raise Problem(f"{self.folder} is damaged. Delete it and run again.")
        self._features = np.memmap(features, "<f2", "r", shape=(size, self.dim))

    def _add(self, keys: list[bytes], images: Tensor) -> None:
        """Encode images and write their features. What an earlier process wrote without an entry is written over."""
        known = len(self._rows)
        for file, width in ((self.folder / "features.bin", 2 * self.dim), (self.folder / "index.bin", _ENTRY.itemsize)):
            file.touch()
            os.truncate(file, known * width)
        for start in range(0, len(keys), _PIECE):
            features = self._encoded(images[start : start + _PIECE])
            entries = np.empty(len(features), _ENTRY)
            entries["key"] = [np.void(key) for key in keys[start : start + _PIECE]]
            entries["crc"] = [zlib.crc32(values) for values in features]
            _append(self.folder / "features.bin", features)
            _append(self.folder / "index.bin", entries)
        self._refresh()

    def _encoded(self, images: Tensor) -> np.ndarray:
        return self.model.encode(images.to(next(self.model.parameters()).device)).cpu().numpy().astype("<f2")


class Views:
    """Features of views as an array (N, V, dim), of which some are read at a time."""

    def __init__(self, cache: FeatureCache, rows: np.ndarray):
        self._cache, self._rows = cache, rows
        self.shape, self.dtype = (*rows.shape, cache.dim), np.dtype("<f2")
        self.base = None

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, key) -> np.ndarray:
        return self._cache.at(self._rows[key])


def use(model: Method, top: Path | None) -> FeatureCache | None:
    """Have a model keep the features of its encoder, if that is frozen and there is a folder for them."""
    if top is None or not model.frozen:
        return None
    cache = FeatureCache(model, top)
    model.kept = cache.features
    return cache


def digest(model: Method) -> str:
    """SHA-256 of the encoder: its network and its weights."""
    total = hashlib.sha256(str(model.backbone).encode())
    for name, tensor in model.backbone.state_dict().items():
        total.update(name.encode())
        total.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return total.hexdigest()


def _key(image: np.ndarray) -> bytes:
    return hashlib.sha256(image).digest()[:16]


def _append(file: Path, values: np.ndarray) -> None:
    with open(file, "ab") as out:
        out.write(values.tobytes())
        out.flush()
        os.fsync(out.fileno())
