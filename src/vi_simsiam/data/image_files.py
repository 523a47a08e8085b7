"""Read sets of images from archives of image files, in folders by split and class, by class, or without folders."""

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

import numpy as np

from vi_simsiam.core.errors import Problem
from vi_simsiam.core.text import one_spelling
from vi_simsiam.data.archives import Archive, write_all
from vi_simsiam.data.decode import FULL_DEPTH, load, square, used_depth
from vi_simsiam.data.image_sets import Depth, Images, Split
from vi_simsiam.data.layout import Layout, without_masks
from vi_simsiam.data.left_out import Report, count
from vi_simsiam.data.names import MASKS
from vi_simsiam.data.reader import ImageFile, LoadedImage, Work, list_archive, load_images
from vi_simsiam.data.remarks import remark

_DATE = re.compile(r"(19|20)\d\d([-_. ]?\d\d){0,2}")  # a year, a month, or a day
# Bytes of a file, on average. Smaller files take longer to open, under Python's lock, than to decode: for 60,000 images
# of 32 pixels two threads took 1.26 times as long as one, and sixteen 1.5 times.
_WORTH_THREADS = 64 << 10


class _Pixels(NamedTuple):
    """One image: (size, size, C) uint8, C 1 if it is grey, else 3. brightest: as of `decode.Decoded`."""

    square: np.ndarray
    brightest: int | None


def read_archive(
    archive: Archive,
    folder: Path,
    size: int,
    depth: Depth = FULL_DEPTH,
    threads: int = 1,
    place: Callable[[str], str | None] | None = None,
    packed: Report | None = None,
    labels: bool = True,
) -> Images:
    """Read the images of an archive, and find the split and class of each by its folders.

    Args:
        folder: of the archive, named in messages. A temporary file in it holds the decoded images.
        size, depth, threads: as of `image_sets.Source.read`. Small files are decoded by one thread.
        place: gives for a file's path the path that tells split and class, or None for a file that is not wanted. By
            default the same path.
        packed: the report of `own_images.bring` if it packed the archive; it is added to this one.
        labels: whether folders are classes.

    Raises: Problem if the layout of the folders is not clear (as `Layout.of`) or the machine fails.
    """
    packed = packed or Report()
    ignored = dict(packed.ignored)
    wanted: list[ImageFile] = []
    given: dict[str, str] = {}
    for file in list_archive(archive, ignored):
        where = file.name if place is None else place(file.name)
        if where is None:
            count(ignored, "images that are not wanted", file.name)
        else:
            wanted.append(file)
            given[file.name] = one_spelling(where)
    found = without_masks([*given.values()])
    placed = {name: where for name, path in given.items() if (where := found[path]) is not None}
    for name in given:
        if name not in placed:
            count(ignored, MASKS, name)
    wanted = [file for file in wanted if file.name in placed]
    layout = Layout.of([placed[file.name] for file in wanted if file.problem is None], folder, labels)
    left_out = [*packed.left_out]
    files: dict[str, list[ImageFile]] = {split: [] for split in layout.splits}
    for file in wanted:
        split = layout.split(placed[file.name])
        if file.problem is not None:
            left_out.append((file.name, file.problem))
        elif split in files:
            files[split].append(file)
        elif split is not None:
            used, other = layout.folders[layout.splits[-1]], PurePosixPath(placed[file.name]).parts[layout.split_at]
            count(ignored, f"of {other}/, because there is a {used}/", file.name)
        else:
            left_out.append((file.name, f"outside {' and '.join(f'{name}/' for name in layout.folders.values())}"))
    sizes = [file.size for listed in files.values() for file in listed]
    threads = threads if threads > 1 and sum(sizes) > _WORTH_THREADS * len(sizes) else 0
    todo = [(split, file) for split, listed in files.items() for file in listed]
    names: dict[str, list[str]] = {split: [] for split in files}
    stored, channels = 0, 1
    remarks, deep = [], {}
    with tempfile.TemporaryFile(dir=folder, buffering=0) as scratch:
        for (split, file), image in zip(todo, _decoded([file for _, file in todo], size, depth, threads), strict=True):
            if image.problem is not None:
                left_out.append((file.name, image.problem))
                continue
            if image.content.brightest is not None:
                deep[stored] = file, image.content.brightest
            remarks += [(file.name, text) for text in image.remarks]
            names[split].append(file.name)
            _write(scratch, stored, image.content.square)
            stored, channels = stored + 1, max(channels, image.content.square.shape[2])
        largest = max((value for _, value in deep.values()), default=None)
        if depth == "auto" and largest is not None:  # known only now; 16-bit images are rare, and decoded again
            again = [file for file, _ in deep.values()]
            for row, image in zip(deep, _decoded(again, size, used_depth(largest), threads), strict=True):
                if image.problem is not None:
                    raise Problem(f"{image.path} could be read before and cannot now: {image.problem}. Run again.")
                _write(scratch, row, image.content.square)
        shape = stored, size, size, 3
        pixels = np.memmap(scratch, np.uint8, "r", shape=shape) if stored else np.empty(shape, np.uint8)
    paths = {split: [placed[name] for name in of_split] for split, of_split in names.items()}
    classes = layout.classes(paths)
    splits, first = [], 0
    for split, of_split in names.items():
        of_files = pixels[first : first + len(of_split), ..., :channels]
        splits.append(Split(of_files, layout.labels(paths[split], classes), names=of_split))
        first += len(of_split)
    notes = [layout.note] if layout.note else []
    if classes and all(_DATE.fullmatch(name) for name in classes):
        notes.append(
            f"the class folders are named as dates ({classes[0]}). If they are albums, set cache_views.labels to false."
        )
    if MASKS in ignored or (not layout.labelled and any(placed[name] != given[name] for name in placed)):
        notes.append("folders such as images/, masks/ and labels/ (YOLO, Pascal VOC, segmentation) are no classes.")
    report = Report(tuple(sorted(left_out)), ignored, tuple(sorted(remarks)), tuple(notes))
    return Images(classes, splits[0], splits[1] if len(splits) == 2 else None, report, largest)


def _write(scratch: BinaryIO, row: int, square: np.ndarray) -> None:
    """Write an image of 1 or 3 channels as 3 channels, in row `row` of the file."""
    pixels = np.broadcast_to(square, (*square.shape[:2], 3)).tobytes()
    scratch.seek(row * len(pixels))
    write_all(scratch, pixels, "decoded images")


def _decoded(files: Sequence[ImageFile], size: int, depth: Depth, threads: int) -> Iterator[LoadedImage]:
    return load_images((Work(file.name, partial(_decode, file, size, depth)) for file in files), threads)


def _decode(file: ImageFile, size: int, depth: Depth) -> _Pixels:
    image = load(file.read(), 2 * size)
    if image.pages > 1:
        remark(f"the first of its {image.pages} pages is used")
    upright = image.upright(1 if image.grey else 3, FULL_DEPTH if depth == "auto" else depth)
    return _Pixels(square(upright, size), image.brightest)
