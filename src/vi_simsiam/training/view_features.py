"""Features of the cached views, which a frozen encoder gives once for all trainings that begin with it.

A cache outside any engine's outputs: methods and seeds share it, and it can be deleted at any time. A folder for each
store and encoder holds

    features.npy   float16 (N, V, dim), written piece by piece, so that a killed training continues where it stopped
    features.json  its SHA-256 and what it was made from; written last
"""

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import read_json, sha256, write_json
from vi_simsiam.core.record import versions
from vi_simsiam.core.text import duration
from vi_simsiam.data.store import FORGET_AFTER, TrainingImages, forget
from vi_simsiam.methods import Method

_PIECE = 256  # views that are encoded and written at once
_EVERY = 10  # s between lines of progress


def of_views(model: Method, store: TrainingImages, folder: Path, device: torch.device) -> np.ndarray:
    """The features of the store's cached training views, read if they are there, else computed and kept.

    Processes that want the same ones wait for the first.

    Args:
        model: with a frozen encoder, on `device`.
        store: with cached views.
        folder: of all such caches.

    Returns: a memory map, float16 (N, V, dim).
    Raises: Problem when they cannot be written, are beyond float16's range, or are the same for all views.
    """
    source = {
        "views": store.sha256["views_train.npy"],
        "encoder": digest(model),
        "images": asdict(model.images),
        "versions": versions(),
    }
    key = hashlib.sha256(json.dumps(source, sort_keys=True).encode()).hexdigest()[:16]
    file = folder / key / "features.npy"
    views = store.views("train")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with _alone(file.with_name("lock")):
            if not _whole(file):
                _write(model, views, file, device)
                write_json(file.with_suffix(".json"), {"sha256": sha256(file), **source})
    except OSError as error:
        raise Problem(
            f"the features of the views cannot be kept in {file.parent}: {error.strerror}. They take "
            f"{_bytes(views, model) / 1e6:.0f} MB; make room and run again, which continues where this ended."
        ) from None
    return np.load(file, mmap_mode="r", allow_pickle=False)


def digest(model: Method) -> str:
    """SHA-256 of the encoder: its network and its weights."""
    digest = hashlib.sha256(str(model.backbone).encode())
    for name, tensor in model.backbone.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """One process at a time; the system takes the lock from one that ends."""
    with open(lock, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _whole(file: Path) -> bool:
    record = file.with_suffix(".json")
    if not file.is_file() or not record.is_file():
        return False
    try:
        if sha256(file) == read_json(record)["sha256"]:
            return True
    except (Problem, KeyError, TypeError):
        pass  # a damaged record says nothing of the features
    print(f"warning: {file} is damaged; the features of the views are computed anew", flush=True)
    file.unlink()
    record.unlink()
    return False


def _bytes(views: np.ndarray, model: Method) -> int:
    return 2 * views.shape[0] * views.shape[1] * model.backbone.dim


def _write(model: Method, views: np.ndarray, file: Path, device: torch.device) -> None:
    """Compute the features that are missing at the file's end."""
    model.eval()
    count, dim = views.shape[0] * views.shape[1], model.backbone.dim
    flat = views.reshape(count, *views.shape[2:])
    with open(file, "ab") as out:
        if out.tell() == 0:
            header = {"descr": "<f2", "fortran_order": False, "shape": (*views.shape[:2], dim)}
            np.lib.format.write_array_header_1_0(out, header)
            out.flush()
        with open(file, "rb") as start:
            np.lib.format.read_magic(start)
            np.lib.format.read_array_header_1_0(start)
            begin = start.tell()
        # The last piece may have been written in part, before the machine stopped even if it looks whole.
        done = max(0, (out.tell() - begin) // (2 * dim * _PIECE) - 1) * _PIECE
        out.truncate(begin + 2 * dim * done)
        if done:
            print(f"features of views: {done} of {count} are there", flush=True)
        started = told = time.monotonic()
        first, read = done, 0
        while done < count:
            piece = torch.from_numpy(np.array(flat[done : done + _PIECE])).to(device)
            out.write(encoded(model, piece).tobytes())
            out.flush()
            os.fsync(out.fileno())
            done += len(piece)
            if (read := read + piece.numel()) >= FORGET_AFTER:
                forget(views)
                read = 0
            now = time.monotonic()
            if now - told > _EVERY or done == count:
                left = (now - started) / (done - first) * (count - done)
                print(f"features of views: {done} of {count}, {duration(left)} left", flush=True)
                told = now
    _check(np.load(file, mmap_mode="r", allow_pickle=False), file)


@torch.no_grad()
def encoded(model: Method, pixels: Tensor) -> np.ndarray:
    """uint8 (n, H, W, C) to float16 (n, dim). Raises: Problem where float16 cannot hold a feature."""
    features = model.features(pixels.permute(0, 3, 1, 2).float() / 255).to(torch.float16)
    if not torch.isfinite(features).all():
        raise Problem(
            "the frozen encoder gives features that are not finite or beyond 65504: its weights do not belong to it. "
            "Name others in pretrain.backbone.weights."
        )
    return features.cpu().numpy().astype("<f2")


def _check(features: np.ndarray, file: Path) -> None:
    some = np.asarray(features[:1000, 0], dtype=np.float32)
    if len(some) > 1 and (some == some[0]).all():
        file.unlink()
        raise Problem(
            "the frozen encoder gives the same features for all images: it says nothing of them. Name other weights in "
            "pretrain.backbone.weights, or look whether all images are the same."
        )
