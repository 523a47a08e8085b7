"""The source of one's own images: an archive of image files, in folders by split and class, or by class, or in none."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from vi_simsiam.core.errors import Problem
from vi_simsiam.core.text import one_spelling
from vi_simsiam.data.archives import SUFFIXES, Archive, Member, Unreadable, open_archive
from vi_simsiam.data.decode import FULL_DEPTH, Contents, decode, inspect
from vi_simsiam.data.names import ARCHIVE, HEAD, RAW, is_hidden, is_image, is_raw, kind_of
from vi_simsiam.data.remarks import listen, remarks
from vi_simsiam.data.sources import own
from vi_simsiam.data.sources.base import Images
from vi_simsiam.data.sources.layout import Layout
from vi_simsiam.data.sources.report import HIDDEN, NO_IMAGES, Ignored, Report, count

_AT_ONCE = 32  # images a thread takes at a time
# Smaller files take longer to open, under Python's lock, than to decode: 60,000 of 32 px took two threads 1.26 times as
# long as one, and sixteen 1.5 times.
_WORTH_THREADS = 64 << 10  # bytes of a file, on average


class OwnImages:
    """Images in a .zip or .tar that `own.bring` has put into the download folder."""

    def download(self, folder: Path, mirrors: Sequence[str], retries: int) -> list[str]:
        raise Problem("the source `files` is images of your own: set download.path to their folder or archive.")

    def read(self, folder: Path, threads: int = 1) -> Images:
        archive = open_archive(_archive_in(folder))
        chosen = own.read_classes(folder / own.CLASSES)
        not_packed = own.read_not_packed(folder)
        if chosen is None:
            return read_archive(archive, folder, threads, not_packed=not_packed)
        images = read_archive(archive, folder, threads, own.only(chosen), not_packed)
        own.require_all(chosen, images.classes, f"the archive in {folder}")
        return images


def read_archive(
    archive: Archive,
    folder: Path,
    threads: int,
    place: Callable[[str], str | None] | None = None,
    not_packed: Report = Report(),  # noqa: B008 (it cannot be changed)
) -> Images:
    """Find the images of an archive, and which split and class each belongs to, by its folders.

    Args:
        folder: that holds the archive, for messages.
        threads: that decode, unless the files are small.
        place: from a file's path to the path that tells its split and class; None: it is not asked for. By default
            the path itself.
        not_packed: what the archive lacks of the folder that it was packed of; it is added to the report.
    """
    ignored = dict(not_packed.ignored)
    wanted, placed = [], {}
    for member in _image_files(archive, ignored):
        where = member.name if place is None else place(member.name)
        if where is None:
            count(ignored, "images that are not asked for", member.name)
        else:
            wanted.append(member)
            placed[member.name] = one_spelling(where)
    layout = Layout.of([placed[member.name] for member in wanted if _problem(member) is None], folder)
    left_out = [*not_packed.left_out]
    members: dict[str, list[Member]] = {split: [] for split in layout.splits}
    for member in wanted:
        split = layout.split(placed[member.name])
        if problem := _problem(member):
            left_out.append((member.name, problem))
        elif split in members:
            members[split].append(member)
        elif split is not None:
            kept, other = layout.folders[layout.splits[-1]], PurePosixPath(placed[member.name]).parts[layout.split_at]
            count(ignored, f"of {other}/, because there is a {kept}/", member.name)
        else:
            left_out.append((member.name, f"outside {' and '.join(f'{name}/' for name in layout.folders.values())}"))
    bytes_in_all = sum(member.bytes for listed in members.values() for member in listed)
    pool = _Pool(threads if bytes_in_all > _WORTH_THREADS * sum(map(len, members.values())) else 1)
    listen()
    grey, brightest, remarked = True, [], []
    for split, listed in members.items():
        inspected = list(zip(listed, pool.map(lambda member: _inspect(archive, member), listed), strict=True))
        left_out += [(member.name, contents) for member, (contents, _) in inspected if isinstance(contents, str)]
        readable = [
            (member, contents, texts) for member, (contents, texts) in inspected if isinstance(contents, Contents)
        ]
        members[split] = [member for member, _, _ in readable]
        remarked += [(member.name, text) for member, _, texts in readable for text in texts]
        grey = grey and all(contents.grey for _, contents, _ in readable)
        brightest += [contents.brightest for _, contents, _ in readable if contents.brightest is not None]
    names = {split: [placed[member.name] for member in readable] for split, readable in members.items()}
    classes = layout.classes(names)
    splits = [
        FileSplit(archive, tuple(members[split]), layout.labels(names[split], classes), 1 if grey else 3, pool)
        for split in members
    ]
    report = Report(tuple(sorted(left_out)), ignored, tuple(sorted(remarked)), (layout.note,) if layout.note else ())
    test = splits[1] if len(splits) == 2 else None
    return Images(classes, splits[0], test, report, max(brightest, default=None))


@dataclass(frozen=True)
class FileSplit:
    """A `Split` of files in an archive, which have been read through once."""

    archive: Archive
    members: tuple[Member, ...]
    labels: np.ndarray
    channels: int
    pool: "_Pool"

    def decode(self, rows: np.ndarray, size: int, depth: int = FULL_DEPTH) -> np.ndarray:
        images = np.empty((len(rows), size, size, self.channels), dtype=np.uint8)
        members = [self.members[row] for row in rows]
        decoded = self.pool.map(lambda member: self._decode(member, size, depth), members)
        for image, pixels in zip(images, decoded, strict=True):
            image[:] = pixels
        return images

    def _decode(self, member: Member, size: int, depth: int) -> np.ndarray:
        try:
            with remarks():  # they are in the report already
                return decode(self.archive.read(member), size, self.channels, depth)
        except Unreadable as error:
            raise Problem(f"{member.name} could be read before and cannot now: {error}. Run again.") from None

    def paths(self, rows: np.ndarray) -> list[str]:
        return [self.members[row].name for row in rows]


class _Pool:
    """Threads, because decoders and resizing leave Python's lock while they work; results come in order."""

    def __init__(self, threads: int):
        self.threads, self._executor = threads, ThreadPoolExecutor(threads) if threads > 1 else None

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


def _image_files(archive: Archive, ignored: Ignored) -> Iterator[Member]:
    for member in archive.members:
        if is_hidden(member.name):
            count(ignored, HIDDEN, member.name)
        elif not is_image(member.name) and not _looks_like_one(archive, member):
            count(ignored, NO_IMAGES, member.name)
        else:
            yield member


def _looks_like_one(archive: Archive, member: Member) -> bool:
    try:
        return member.problem is None and kind_of(archive.head(member, HEAD)) is not None
    except Unreadable:
        return False


def _problem(member: Member) -> str | None:
    return member.problem or (RAW if is_raw(member.name) else None)


def _inspect(archive: Archive, member: Member) -> tuple[Contents | str, list[str]]:
    """What an image is like, or its problem where it cannot be decoded; and what was remarked on it."""
    with remarks() as texts:
        try:
            return inspect(archive.read(member)), texts
        except Unreadable as error:
            return str(error), []
