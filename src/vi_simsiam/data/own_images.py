"""Images of the user: copied into the download folder as an archive (a folder is packed into one), and read.

A text file with names of folders can choose some classes of a larger data set, as the list of ImageNet-100 does.
"""

import hashlib
import os
import shutil
import stat
import zipfile
from collections.abc import Callable, Collection, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import read_json, replacing, write_json
from vi_simsiam.core.record import NAME
from vi_simsiam.core.text import one_spelling, several
from vi_simsiam.data.archives import SUFFIXES, Unreadable, open_archive, suffix
from vi_simsiam.data.decode import FULL_DEPTH
from vi_simsiam.data.image_files import read_archive
from vi_simsiam.data.image_sets import Depth, Images
from vi_simsiam.data.left_out import Ignored, Report, count
from vi_simsiam.data.names import ARCHIVE
from vi_simsiam.data.reader import ImageFile, files_below, list_folder

CLASSES = "classes.txt"  # the list of classes in the download folder
_PACKED = "packed.json"  # the report on a packed folder's other files
_DATE = (1980, 1, 1, 0, 0, 0)  # of every packed file, so that the same images give the same bytes


def find_images(path: str) -> Path:
    """The folder or archive `path`, relative to the project. Raises: Problem if it is missing or of another kind."""
    original = Path(os.path.expanduser(path))
    if not os.path.exists(original):
        raise Problem(f"download.path = {path}: there is no such file or folder. Relative paths begin at the project.")
    if not original.is_dir() and suffix(original) is None:
        raise Problem(f"download.path = {path}: neither a folder nor an archive ({', '.join(SUFFIXES)}).")
    if not os.access(original, os.R_OK | (os.X_OK if original.is_dir() else 0)):
        raise Problem(f"download.path = {path}: you may not read it. Change its permissions, and run again.")
    return original


def outside_of(path: Path, folder: Path) -> None:
    """Raise Problem if the images lie in the folder into which they are copied, or around it.

    The copy would change their folder, so every run would copy them again.
    """
    images, copy = path.resolve(), folder.resolve()
    if images.is_relative_to(copy) or copy.is_relative_to(images):
        raise Problem(
            f"download.path = {path}: it lies in {folder}, or around it, and this folder is written to. Move the "
            "images elsewhere, and name them there."
        )


def find_classes(path: str) -> tuple[str, ...]:
    """The classes in the list `path`, relative to the project. Raises: Problem if there is no list."""
    classes = read_classes(Path(os.path.expanduser(path)))
    if classes is None:
        raise Problem(f"download.classes = {path}: there is no such file. Relative paths begin at the project.")
    return classes


def state(path: Path, classes: Sequence[str] | None = None) -> str:
    """A digest of the names, sizes and dates of the files at `path`: it changes if an image is changed or added.

    Contents are not read: a million files take seconds. `classes`: the chosen classes, a part of the digest.
    """
    digest = hashlib.sha256("".join(f"{name}\n" for name in classes or ()).encode())
    names, errors, _ = files_below(path) if path.is_dir() else ([""], [], [])
    for name in sorted(names):
        try:
            status = os.stat(path / name)
            digest.update(os.fsencode(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n"))
        except OSError as error:  # a link that leads nowhere
            digest.update(os.fsencode(f"{name}\0{error.strerror}\n"))
    for line in sorted(f"{error.filename}\0{error.strerror}\n" for error in errors):
        digest.update(os.fsencode(line))
    return digest.hexdigest()[:16]


def bring(path: Path, folder: Path, classes: Sequence[str] | None = None) -> list[str]:
    """Copy an archive, or pack a folder's images, into `folder`.

    Args:
        classes: names of the class folders to use; None: all. Of a folder only these are packed.

    Returns: the names of the written files.
    Raises: Problem if the images cannot be read, or the folder has none; an earlier copy then stays.
    """
    outside_of(path, folder)
    kind = ".zip" if path.is_dir() else suffix(path)
    packed: Report | None = None
    try:
        with replacing(folder / f"{ARCHIVE}{kind}") as temporary:
            if path.is_dir():
                packed = _pack(path, temporary, classes)
            else:
                shutil.copyfile(path, temporary)
            # Not earlier: until the new copy is whole, the earlier one is complete, with its record.
            others = [f"{ARCHIVE}{other}" for other in SUFFIXES if other != kind]
            for name in (NAME, *others, CLASSES, _PACKED):
                (folder / name).unlink(missing_ok=True)
        if classes is not None:
            with replacing(folder / CLASSES) as temporary:
                temporary.write_text("".join(f"{name}\n" for name in classes), encoding="utf-8")
        if packed is not None:
            write_json(folder / _PACKED, {"left_out": packed.left_out, "ignored": packed.ignored})
    except OSError as error:
        raise Problem(f"{error.filename or path}: {error.strerror or error}. Make it readable and run again.") from None
    return [f"{ARCHIVE}{kind}"] + [CLASSES] * (classes is not None) + [_PACKED] * (packed is not None)


def _pack(path: Path, archive: Path, classes: Sequence[str] | None) -> Report:
    """Pack the images of a folder. Returns: the report on its other files."""
    left_out: list[tuple[str, str]] = []
    ignored: Ignored = {}
    wanted = _place(classes)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:  # images are compressed already
        for file in sorted(list_folder(path, ignored), key=lambda file: file.name):
            if wanted(file.name) is None and not (file.source and file.source.is_dir()):
                count(ignored, "images that are not wanted", file.name)
            elif problem := _pack_image(file, packed):
                left_out.append((file.name, problem))
        others = len(left_out) + sum(number for number, _ in ignored.values())
        if not packed.filelist:
            chosen = "" if classes is None else " in a folder that download.classes names"
            raise Problem(
                f"download.path = {path}: none of its {others} files is an image that can be used{chosen}. If its disk "
                "is not mounted, mount it; else put images there or correct the path. The earlier copy, if there is "
                "one, stays."
            )
        print(f"packed {len(packed.filelist)} images of {path}; {others} other files", flush=True)
    return Report(tuple(sorted(left_out)), ignored)


def _pack_image(file: ImageFile, packed: zipfile.ZipFile) -> str | None:
    """Pack a file. Returns: the reason why it cannot be packed, or None."""
    try:
        contents = file.read()
    except Unreadable as error:
        return str(error)
    info = zipfile.ZipInfo(file.name, _DATE)
    info.create_system = 3  # Unix on any system, so that the bytes are the same
    info.external_attr = (stat.S_IFREG | 0o644) << 16
    with packed.open(info, "w", force_zip64=True) as sink:
        sink.write(contents)
    return None


def _read_packed(folder: Path) -> Report:
    """The report of `bring` on the folder that it packed; empty if it copied an archive."""
    if not (folder / _PACKED).exists():
        return Report()
    written = read_json(folder / _PACKED)
    left_out = tuple((name, problem) for name, problem in written["left_out"])
    return Report(left_out, {kind: (number, tuple(names)) for kind, (number, names) in written["ignored"].items()})


def read_classes(path: Path) -> tuple[str, ...] | None:
    """The classes in a list, one per line; None if the file is missing. Raises: Problem if it is not a list."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        names = [one_spelling(line.strip()) for line in lines if line.strip()]
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"{path} cannot be read as a list of classes: {error}.") from None
    if not names:
        raise Problem(f"{path} is empty: a list of classes has the name of a folder in each line.")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise Problem(f"{path}: {twice} is in the list of classes twice.")
    return tuple(names)


def _place(classes: Collection[str] | None) -> Callable[[str], str | None]:
    """A function of paths that gives None for a path without a folder of `classes`. None: it gives every path."""

    chosen = frozenset(classes or ())

    def place(path: str) -> str | None:
        folders = PurePosixPath(one_spelling(path)).parts[:-1]
        return path if classes is None or not chosen.isdisjoint(folders) else None

    return place


class OwnImages:
    """Images in an archive that `bring` wrote into the download folder: a `Source`."""

    def download(self, folder: Path, mirrors: Sequence[str], retries: int) -> list[str]:
        raise Problem("the source `files` is the user's own images: set download.path to their folder or archive.")

    def read(self, folder: Path, size: int, depth: Depth = FULL_DEPTH, threads: int = 1, labels: bool = True) -> Images:
        archive = open_archive(_archive_in(folder))
        chosen, packed = read_classes(folder / CLASSES), _read_packed(folder)
        images = read_archive(archive, folder, size, depth, threads, _place(chosen), packed, labels)
        found = images.classes or _folders(images)  # a single folder has no classes
        if labels and (missing := [name for name in chosen or () if name not in found]):
            raise Problem(
                f"the archive in {folder} has no images of {several(missing, 5)}, which download.classes names: "
                "correct the list, or the folder."
            )
        return images


def _folders(images: Images) -> set[str]:
    """Names of all folders of images."""
    splits = [images.train] if images.test is None else [images.train, images.test]
    paths = [path for split in splits for path in split.paths(np.arange(len(split.labels)))]
    return {name for path in paths for name in PurePosixPath(one_spelling(path)).parts[:-1]}


def _archive_in(folder: Path) -> Path:
    for name in (f"{ARCHIVE}{ending}" for ending in SUFFIXES):
        if (folder / name).is_file():
            return folder / name
    raise Problem(f"{folder} holds no archive of images. Delete the folder and run again (`snakemake --cores all`).")
