"""Data sets published as archives of image files: Imagenette, Imagewoof, Tiny ImageNet."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from vi_simsiam.data.archives import Archive, Unreadable, open_archive
from vi_simsiam.data.sources.base import Images, Published, unreadable
from vi_simsiam.data.sources.folders import read_archive


@dataclass(frozen=True)
class PublishedArchive(Published):
    """Images in train/<class>/... and val/<class>/... of one archive, the classes being WordNet's numbers.

    files: the archive. names: the classes' names by their folders.
    """

    names: Mapping[str, str]

    def read(self, folder: Path, threads: int = 1) -> Images:
        images = read_archive(open_archive(folder / self.files[0].name), folder, threads)
        return replace(images, classes=tuple(self.names.get(name, name) for name in images.classes))


@dataclass(frozen=True)
class TinyImageNet(Published):
    """Tiny ImageNet: 100,000 + 10,000 images of 200 classes, 64 x 64.

    The labels of the validation images, which are tested on, are in a table. The images of test/ have no labels that
    are published, and are not used.

    files: the archive.
    """

    _LABELS = "val/val_annotations.txt"
    _NAMES = "words.txt"

    def read(self, folder: Path, threads: int = 1) -> Images:
        path = folder / self.files[0].name
        archive = open_archive(path)
        validation = {row[0]: row[1] for row in _table(archive, path, self._LABELS)}
        names = {row[0]: row[1].split(",")[0] for row in _table(archive, path, self._NAMES)}

        def place(name: str) -> str | None:
            parts = PurePosixPath(name).parts
            for i, part in enumerate(parts[:-1]):
                if part == "train":
                    return "/".join(parts[i:])
                if part == "val":
                    if parts[-1] not in validation:
                        raise unreadable(path, f"{self._LABELS} has no label of {name}")
                    return f"val/{validation[parts[-1]]}/{parts[-1]}"
            return None

        images = read_archive(archive, folder, threads, place)
        return replace(images, classes=tuple(names.get(name, name) for name in images.classes))


def _table(archive: Archive, path: Path, name: str) -> list[list[str]]:
    """Lines of a member, cut at tabs into at least two parts."""
    member = next((m for m in archive.members if m.name == name or m.name.endswith(f"/{name}")), None)
    if member is None or member.problem is not None:
        raise unreadable(path, f"it has no {name}" if member is None else f"{name}: {member.problem}")
    try:
        text = archive.read(member).decode("utf-8", "replace")
    except Unreadable as error:
        raise unreadable(path, f"{name}: {error}") from None
    rows = [line.split("\t") for line in text.splitlines() if line.strip()]
    if any(len(row) < 2 for row in rows):
        raise unreadable(path, f"{name} is not a table of two or more columns")
    return rows
