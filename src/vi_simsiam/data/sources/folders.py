"""The source of one's own images: an archive of image files, in folders by split and class, or by class, or in none."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from vi_simsiam.core.errors import Problem
from vi_simsiam.data.archives import SUFFIXES, Archive, Member, Unreadable, open_archive
from vi_simsiam.data.decode import decode, is_grey
from vi_simsiam.data.names import ARCHIVE, IMAGES, is_hidden, is_image
from vi_simsiam.data.sources import own
from vi_simsiam.data.sources.base import Images, Report

_TRAIN, _TEST, _VAL = "train", "test", "val"
_AT_ONCE = 32  # images a thread takes at a time


class OwnImages:
    """Images in a .zip or .tar that `own.bring` has put into the download folder."""

    def download(self, folder: Path, mirrors: Sequence[str], retries: int) -> list[str]:
        raise Problem("the source `files` is images of your own: set download.path to their folder or archive.")

    def read(self, folder: Path, threads: int = 1) -> Images:
        archive = open_archive(_archive_in(folder))
        chosen = own.read_classes(folder / own.CLASSES)
        if chosen is None:
            return read_archive(archive, folder, threads)
        images = read_archive(archive, folder, threads, own.only(chosen))
        own.require_all(chosen, images.classes, f"the archive in {folder}")
        return images


def read_archive(
    archive: Archive, folder: Path, threads: int, place: Callable[[str], str | None] | None = None
) -> Images:
    """Find the images of an archive, and which split and class each belongs to, by its folders.

    Args:
        folder: that holds the archive, for messages.
        threads: that decode.
        place: from a file's path to the path that tells its split and class; None: it is not asked for. By default
            the path itself.
    """
    ignored: dict[str, tuple[int, str]] = {}
    wanted, placed = [], {}
    for member in _image_files(archive.members, ignored):
        where = member.name if place is None else place(member.name)
        if where is None:
            _count(ignored, "images that are not asked for", member.name)
        else:
            wanted.append(member)
            placed[member.name] = where
    layout = _Layout.of([placed[member.name] for member in wanted if member.problem is None], folder)
    left_out = [(member.name, member.problem) for member in wanted if member.problem is not None]
    members: dict[str, list[Member]] = {split: [] for split in layout.splits}
    for member in wanted:
        if member.problem is not None:
            continue
        split = layout.split(placed[member.name])
        if split in members:
            members[split].append(member)
        elif split == _VAL:
            _count(ignored, "of val/, because there is a test/", member.name)
        else:
            left_out.append((member.name, f"outside {' and '.join(f'{name}/' for name in layout.splits)}"))
    pool = _Pool(threads)
    grey = True
    for split, listed in members.items():
        kinds = list(pool.map(lambda member: _inspect(archive, member), listed))
        left_out += [(m.name, kind) for m, kind in zip(listed, kinds, strict=True) if isinstance(kind, str)]
        members[split] = [m for m, kind in zip(listed, kinds, strict=True) if not isinstance(kind, str)]
        grey = grey and all(kind is not False for kind in kinds)
    names = {split: [placed[member.name] for member in readable] for split, readable in members.items()}
    classes = layout.classes(names)
    splits = [
        FileSplit(archive, tuple(members[split]), layout.labels(names[split], classes), 1 if grey else 3, pool)
        for split in members
    ]
    report = Report(tuple(sorted(left_out)), ignored)
    return Images(classes, splits[0], splits[1] if len(splits) == 2 else None, report)


@dataclass(frozen=True)
class FileSplit:
    """A `Split` of files in an archive, which have been read through once."""

    archive: Archive
    members: tuple[Member, ...]
    labels: np.ndarray
    channels: int
    pool: "_Pool"

    def decode(self, rows: np.ndarray, size: int) -> np.ndarray:
        images = np.empty((len(rows), size, size, self.channels), dtype=np.uint8)
        members = [self.members[row] for row in rows]
        decoded = self.pool.map(lambda member: self._decode(member, size), members)
        for image, pixels in zip(images, decoded, strict=True):
            image[:] = pixels
        return images

    def _decode(self, member: Member, size: int) -> np.ndarray:
        try:
            return decode(self.archive.read(member), size, self.channels)
        except Unreadable as error:
            raise Problem(f"{member.name} could be read before and cannot now: {error}. Run again.") from None

    def paths(self, rows: np.ndarray) -> list[str]:
        return [self.members[row].name for row in rows]


class _Pool:
    """Threads, because decoders and resizing leave Python's lock while they work; results come in order."""

    def __init__(self, threads: int):
        self._executor = ThreadPoolExecutor(threads) if threads > 1 else None

    def map(self, work: Callable[[Member], object], members: Sequence[Member]) -> Iterator[object]:
        if self._executor is None:
            return map(work, members)
        starts = range(0, len(members), _AT_ONCE)
        parts = self._executor.map(lambda i: [work(member) for member in members[i : i + _AT_ONCE]], starts)
        return (result for part in parts for result in part)


def _archive_in(folder: Path) -> Path:
    for name in (f"{ARCHIVE}{suffix}" for suffix in SUFFIXES):
        if (folder / name).is_file():
            return folder / name
    raise Problem(f"{folder} holds no archive of images. Delete the folder and run again (`snakemake --cores all`).")


def _image_files(members: Sequence[Member], ignored: dict[str, tuple[int, str]]) -> Iterator[Member]:
    for member in members:
        if is_hidden(member.name):
            _count(ignored, "hidden files and those of operating systems", member.name)
        elif not is_image(member.name):
            _count(ignored, "files that are no images by their names", member.name)
        else:
            yield member


def _count(ignored: dict[str, tuple[int, str]], kind: str, name: str) -> None:
    count, first = ignored.get(kind, (0, name))
    ignored[kind] = count + 1, first


def _inspect(archive: Archive, member: Member) -> bool | str:
    """Whether an image is grey; its problem where it cannot be decoded."""
    try:
        return is_grey(archive.read(member))
    except Unreadable as error:
        return str(error)


@dataclass(frozen=True)
class _Layout:
    """How the folders are to be understood.

    top: number of leading folders that all images share, which say nothing. splits: names of the split folders, of
    training first; one empty name where there are none. labelled: whether the next folder is a class.
    """

    top: int
    splits: tuple[str, ...]
    labelled: bool

    @classmethod
    def of(cls, paths: Sequence[str], folder: Path) -> "_Layout":
        names = [PurePosixPath(path).parts for path in paths]
        if not names:
            raise Problem(f"the archive in {folder} has no file with a name of an image ({', '.join(IMAGES)}).")
        top, splits = 0, ("",)
        while len(firsts := {parts[top] for parts in names if len(parts) > top + 1}) == 1:
            if firsts & {_TRAIN, _TEST, _VAL} or any(len(parts) == top + 1 for parts in names):
                break
            top += 1
        if _TRAIN in firsts:
            splits = (_TRAIN, *[name for name in (_TEST, _VAL) if name in firsts][:1])
        elif others := sorted(name for name in firsts if name.lower() in (_TRAIN, _TEST, _VAL)):
            raise Problem(f"the images have a folder {others[0]}/ but no train/: name the folders train/ and test/.")
        depth = top + (splits != ("",))
        inside = [parts for parts in names if splits == ("",) or (len(parts) > top + 1 and parts[top] in splits)]
        outside = ["/".join(parts) for parts in inside if len(parts) == depth + 1]
        if 0 < len(outside) < len(inside):
            raise Problem(
                f"{len(outside)} images lie outside the class folders, the first is {outside[0]}. Either all images "
                "lie in folders of classes, or none does."
            )
        return cls(top, splits, not outside)

    def split(self, name: str) -> str:
        """The split folder that a path is in, or whatever else is in its place."""
        return "" if self.splits == ("",) else PurePosixPath(name).parts[self.top : self.top + 1][0]

    def _class(self, name: str) -> str:
        return PurePosixPath(name).parts[self.top + (self.splits != ("",))]

    def classes(self, names: dict[str, list[str]]) -> tuple[str, ...]:
        if not self.labelled:
            return ()
        train, *test = [{self._class(name) for name in of_split} for of_split in names.values()]
        if unknown := sorted(set().union(*test) - train):
            raise Problem(
                f"class {unknown[0]} is in {self.splits[1]}/ and not in train/: nothing could be learnt of it."
            )
        return tuple(sorted(train))

    def labels(self, names: Sequence[str], classes: Sequence[str]) -> np.ndarray:
        number = {name: i for i, name in enumerate(classes)}
        labels = (number[self._class(name)] if self.labelled else -1 for name in names)
        return np.fromiter(labels, np.int64, len(names))
