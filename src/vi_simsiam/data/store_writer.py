"""Build a store piece by piece: decode and resize every image once, draw and store its views.

The store's images and views are never in memory as a whole, and files grow by plain writes: a full disk is then an
error message, where writing through a memory map would kill the process.
"""

import hashlib
import re
from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from vi_simsiam.config.schema import CacheViewsParams
from vi_simsiam.core.command import note
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import replacing, sha256, write_json
from vi_simsiam.core.randomness import Generators
from vi_simsiam.core.text import several
from vi_simsiam.data.decode import FULL_DEPTH, few_bits, used_depth
from vi_simsiam.data.image_sets import Depth, Images, Split
from vi_simsiam.data.splits import split_rows
from vi_simsiam.data.store import DESCRIPTION, SPLITS, SplitName, file_names
from vi_simsiam.transforms.spatial import to_uint8
from vi_simsiam.transforms.views import Views

_PIECE = 256  # images read at once, and whose views are drawn at once
_VALUES_AT_ONCE = 1 << 24  # pixels x channels of the float views in memory at once: 64 MiB
_ROWS_PER_GROUP = 1 << 16  # of the parquet tables
_SOURCES = pa.schema([("index", pa.int64()), ("path", pa.string())])
_SMALLEST_STD = 1 / 255  # so that normalising never divides by 0


def build(folder: Path, dataset: str, images: Images, params: CacheViewsParams) -> None:
    """Write a store.

    Args:
        folder: its earlier store is replaced.
        images: to store, of `params.size` pixels. `params.test_fraction` splits them if they have no test set, or for
            validation.
        params: size, split, subset, views. The same params and images give the same bytes.

    Raises: Problem if the images do not fit the params, too many were left out, or the disk cannot be written.
    """
    _require_most(images, params.left_out)
    labels_test = None if images.test is None else images.test.labels
    subset = params.test_fraction, params.train_images, params.test_images
    names = _group_names(images.train, params.groups)
    groups = None if names is None else np.unique(names, return_inverse=True)[1]
    chosen = split_rows(images.train.labels, labels_test, *subset, params.seed, params.evaluate_on, groups)
    test_set = images.test if params.evaluate_on == "test" else None
    sources = images.train, images.train if test_set is None else test_set
    needed = -(-params.least_views // len(chosen[0])) if params.per_image else 0
    per_image = max(params.per_image, needed), params.test_per_image
    depth = _depth(images, params.depth)
    _note_unseen_classes(images, sources, chosen)
    group_names = [_group_names(source, params.groups) for source in sources]
    group_sets = [{*names[rows].tolist()} for names, rows in zip(group_names, chosen, strict=True) if names is not None]
    if len(group_sets) == 2 and (both := group_sets[0] & group_sets[1]):
        note(
            f"{len(both)} groups of cache_views.groups have training and test images, the first is {min(both)}: "
            "accuracies are too high."
        )
    try:
        (folder / DESCRIPTION).unlink(missing_ok=True)  # from here on it would not describe the files beside it
        pixels = {name: _Pixels(images.train.channels) for name in SPLITS}
        for split, source, rows, views in zip(SPLITS, sources, chosen, per_image, strict=True):
            _write_split(folder, split, source, rows, views, params, pixels[split])
        digests = [pixels[name].digests() for name in SPLITS]
        copies = int(np.isin(digests[1], digests[0]).sum())
        if copies:
            note(
                f"{copies} of {len(chosen[1])} test images are also training images (equal pixels), so that accuracies "
                "are too high: remove copies from the data set, or keep them together with cache_views.groups."
            )
        _note_several_classes(images.classes, sources, chosen, digests)
        mean, std = pixels["train"].mean_and_std()
        description: dict[str, Any] = {
            "dataset": dataset,
            "classes": list(images.classes),
            "size": params.size,
            "channels": images.train.channels,
            "mean": mean,
            "std": std,
            **{split: len(rows) for split, rows in zip(SPLITS, chosen, strict=True)},
            "views": dict(zip(SPLITS, per_image, strict=True)),
            "evaluate_on": params.evaluate_on,
            "test_in_train": copies,
            **({"groups": dict(zip(SPLITS, map(len, group_sets), strict=True))} if len(group_sets) == 2 else {}),
            "left_out": len(images.report.left_out),
            "ignored": {kind: count for kind, (count, _) in images.report.ignored.items()},
            "augmentation": params.augmentation.model_dump(),
            **({} if depth in (None, FULL_DEPTH) else {"depth": depth}),
            "sha256": {name: sha256(folder / name) for split in SPLITS for name in file_names(split)},
        }
        write_json(folder / DESCRIPTION, description)
    except OSError as error:
        raise Problem(
            f"{error.filename or folder} cannot be written: {error.strerror}. Make room and run again."
        ) from None


def _require_most(images: Images, most: float) -> None:
    left_out = images.report.left_out
    used = len(images.train.labels) + (0 if images.test is None else len(images.test.labels))
    if len(left_out) > most * (used + len(left_out)):
        first = "".join(f"\n  {path}: {problem}" for path, problem in left_out[:10])
        raise Problem(
            f"{len(left_out)} of {used + len(left_out)} images cannot be used, more than cache_views.left_out = {most} "
            f"allows; the first are:{first}\nRepair or remove them, or raise it."
        )


def _depth(images: Images, asked: Depth) -> int | None:
    """The depth with which 16-bit images are decoded; None if there are none. Notes if it loses levels."""
    if images.brightest is None:
        return None
    used = used_depth(images.brightest)
    if asked == "auto":
        note(f"images of 16 bits are read as {used} bits: the largest number in them is {images.brightest}.")
        return used
    if few_bits(images.brightest, asked) is not None:
        note(
            f"images of 16 bits use {used} of them (the largest number is {images.brightest}), so that only "
            f"{round(images.brightest * 255 / (2**asked - 1)) + 1} of 256 grey levels are left: set "
            f"cache_views.depth to {used}, or to auto."
        )
    elif used > asked:
        note(
            f"numbers above {2**asked - 1} (cache_views.depth = {asked}) become white; the largest is "
            f"{images.brightest}."
        )
    return asked


def _group_names(source: Split, pattern: str | None) -> np.ndarray | None:
    """(N,) name of each image's group: the part of its path that `pattern` finds, or the source's group number."""
    if pattern is None:
        return source.groups
    paths = source.paths(np.arange(len(source.labels)))
    found = [re.search(pattern, path) for path in paths]
    names = [match and match[match.re.groups] for match in found]
    if missing := [path for path, name in zip(paths, names, strict=True) if not name]:
        raise Problem(
            f"cache_views.groups = {pattern!r} finds no group in {len(missing)} of {len(paths)} paths, the first is "
            f"{missing[0]}: write a pattern that names the group of every image."
        )
    return np.array(names, dtype=str)


def _note_unseen_classes(images: Images, sources: tuple[Split, Split], rows: tuple[np.ndarray, np.ndarray]) -> None:
    train, test = ({*source.labels[chosen].tolist()} for source, chosen in zip(sources, rows, strict=True))
    if unseen := sorted(test - train - {-1}):
        note(
            f"{len(unseen)} classes of the test images have no training image, the first is "
            f"{images.classes[unseen[0]]}."
        )


def _note_several_classes(
    classes: Sequence[str], sources: tuple[Split, Split], rows: tuple[np.ndarray, np.ndarray], digests: list[np.ndarray]
) -> None:
    """Note the number of images in several classes, for example where links put one image into several folders.

    Args:
        digests: of the pixels of each split.
    """
    labels = [source.labels[chosen] for source, chosen in zip(sources, rows, strict=True)]
    stored = pd.DataFrame({"digest": np.concatenate(digests), "label": np.concatenate(labels)}).query("label >= 0")
    twice = stored[stored.groupby("digest")["label"].transform("nunique") > 1]
    if len(twice):
        first = twice["label"][twice["digest"] == twice["digest"].iloc[0]].unique()
        note(
            f"{twice['digest'].nunique()} images are in several classes (equal pixels), the first is in "
            f"{several([classes[label] for label in first])}: no classifier can be right on all of them. Leave each in "
            "one class."
        )


class _Pixels:
    """Statistics of a split's pixels.

    Mean and standard deviation by channel are exact in any order: they are sums of whole numbers. Digests of 64 bits
    find equal images: among a million training and a million test images two different images have the same digest in
    1 of 10^7 sets.
    """

    def __init__(self, channels: int):
        self.levels = np.zeros((channels, 256), dtype=np.int64)
        self._digests = array("Q")

    def digests(self) -> np.ndarray:
        """(N,) uint64, equal for images with equal pixels."""
        return np.array(self._digests, np.uint64)

    def add(self, images: np.ndarray) -> None:
        for image in images:
            digest = hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=8).digest()
            self._digests.append(int.from_bytes(digest, "little"))
        for channel, levels in enumerate(self.levels):
            levels += np.bincount(images[..., channel].ravel(), minlength=256)

    def mean_and_std(self) -> tuple[list[float], list[float]]:
        value = np.arange(256) / 255
        share = self.levels / self.levels.sum(1, keepdims=True)
        mean = share @ value
        std = np.sqrt(np.maximum(share @ value**2 - mean**2, 0))
        return mean.tolist(), np.maximum(std, _SMALLEST_STD).tolist()


def _write_split(
    folder: Path, split: SplitName, source: Split, rows: np.ndarray, per_image: int, params: CacheViewsParams,
    pixels: _Pixels,
) -> None:  # fmt: skip
    size, channels, n = params.size, source.channels, len(rows)
    views = Views(params.augmentation, size, channels)
    generators = Generators(params.seed, "cached views", split)
    names = [folder / name for name in file_names(split)]
    with ExitStack() as files:
        image_file = files.enter_context(_array_file(names[0], (n, size, size, channels), np.uint8))
        label_file = files.enter_context(_array_file(names[1], (n,), np.int64))
        view_file = files.enter_context(_array_file(names[2], (n, per_image, size, size, channels), np.uint8))
        table = files.enter_context(_table_file(names[3], _view_columns(views)))
        label_file.write(source.labels[rows].astype(np.int64).tobytes())
        sources = files.enter_context(_table_file(names[4], _SOURCES))
        for first in range(0, n, _PIECE):
            images = source.pixels(rows[first : first + _PIECE])
            image_file.write(images.tobytes())
            paths = pa.array(source.paths(rows[first : first + _PIECE]), pa.string())
            sources.add({"index": first + np.arange(len(images)), "path": paths})
            pixels.add(images)
            parameters = views.draw(len(images) * per_image, size, size, generators)
            index, view = np.divmod(np.arange(len(parameters)), max(per_image, 1))
            table.add({"index": first + index, "view": view, **parameters.table()})
            most = max(1, _VALUES_AT_ONCE // (size * size * channels))
            for start in range(0, len(parameters), most):
                part = slice(start, start + most)
                repeated = torch.from_numpy(images[index[part]])
                view_file.write(to_uint8(views.apply(repeated, parameters[part])).numpy().tobytes())


@contextmanager
def _array_file(path: Path, shape: tuple[int, ...], dtype: type) -> Iterator[BinaryIO]:
    """A .npy file to which the array's bytes are written in order; it gets its name when it is complete."""
    with replacing(path) as temporary, open(temporary, "wb") as file:
        header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        yield file


class _Table:
    """Collect rows until they fill a row group."""

    def __init__(self, writer: pq.ParquetWriter):
        self.writer, self.rows = writer, 0
        self.parts: list[pa.Table] = []

    def add(self, columns: dict[str, np.ndarray]) -> None:
        self.parts.append(pa.table(columns))
        self.rows += self.parts[-1].num_rows
        if self.rows >= _ROWS_PER_GROUP:
            self.flush()

    def flush(self) -> None:
        if self.rows:
            self.writer.write_table(pa.concat_tables(self.parts).combine_chunks())
        self.parts, self.rows = [], 0


def _view_columns(views: Views) -> pa.Schema:
    none = views.draw(0, views.size, views.size, Generators()).table()
    integers = {name: np.zeros(0, dtype=np.int64) for name in ("index", "view")}
    return pa.table(integers | none).schema


@contextmanager
def _table_file(path: Path, schema: pa.Schema) -> Iterator[_Table]:
    with replacing(path) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        table = _Table(writer)
        yield table
        table.flush()
