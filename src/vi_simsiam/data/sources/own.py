"""Bringing one's own images into the download folder: an archive is copied, a folder packed into one.

A text file with the names of folders can choose some classes of a larger data set, as ImageNet-100 is published.
"""

import hashlib
import os
import shutil
import stat
import zipfile
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path, PurePosixPath

from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import files_below, replacing
from vi_simsiam.core.text import writable
from vi_simsiam.data.archives import SUFFIXES, suffix
from vi_simsiam.data.names import ARCHIVE, is_image

CLASSES = "classes.txt"  # the list of classes in the download folder
_DATE = (1980, 1, 1, 0, 0, 0)  # of every file packed, so that the same images give the same bytes


def find_images(path: str) -> Path:
    """The folder or archive `path`, relative to the project. Raises: Problem when it is missing or of another kind."""
    original = Path(path).expanduser()
    if not original.exists():
        raise Problem(f"download.path = {path}: there is no such file or folder. Relative paths begin at the project.")
    if not original.is_dir() and suffix(original) is None:
        raise Problem(f"download.path = {path}: neither a folder nor an archive ({', '.join(SUFFIXES)}).")
    return original


def find_classes(path: str) -> tuple[str, ...]:
    """The classes of the list at `path`, relative to the project. Raises: Problem when there is none."""
    classes = read_classes(Path(path).expanduser())
    if classes is None:
        raise Problem(f"download.classes = {path}: there is no such file. Relative paths begin at the project.")
    return classes


def state(path: Path, classes: Sequence[str] | None = None) -> str:
    """A digest of the names, sizes and dates of what is at `path`: it changes when an image is changed or added.

    Contents are not read: a million files take seconds. `classes`: a part of the digest where some are chosen.
    """
    digest = hashlib.sha256("".join(f"{name}\n" for name in classes or ()).encode())
    for name, file in sorted(files_below(path, _raise)) if path.is_dir() else [("", path)]:
        status = file.stat()
        digest.update(os.fsencode(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n"))
    return digest.hexdigest()[:16]


def bring(path: Path, folder: Path, classes: Sequence[str] | None = None) -> list[str]:
    """Copy an archive, or pack a folder's images, into `folder`.

    Args:
        classes: names of the class folders that are asked for; None: all. Of a folder only these are packed.

    Returns: the names of the files that it has there. Raises: Problem when it cannot be read.
    """
    kind = ".zip" if path.is_dir() else suffix(path)
    try:
        for other in SUFFIXES:  # of another run with another path
            if other != kind:
                (folder / f"{ARCHIVE}{other}").unlink(missing_ok=True)
        with replacing(folder / f"{ARCHIVE}{kind}") as temporary:
            if path.is_dir():
                _pack(path, temporary, classes)
            else:
                shutil.copyfile(path, temporary)
        (folder / CLASSES).unlink(missing_ok=True)
        if classes is not None:
            with replacing(folder / CLASSES) as temporary:
                temporary.write_text("".join(f"{name}\n" for name in classes), encoding="utf-8")
    except OSError as error:
        raise Problem(f"{error.filename or path}: {error.strerror or error}. Make it readable and run again.") from None
    return [f"{ARCHIVE}{kind}"] + [CLASSES] * (classes is not None)


def _pack(path: Path, archive: Path, classes: Sequence[str] | None) -> None:
    skipped = 0
    chosen, seen = frozenset(classes or ()), set()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:  # images are compressed already
        for name, file in sorted(files_below(path, _raise)):
            class_name = _class_of(name, chosen)
            if not is_image(name) or (classes is not None and class_name is None):
                skipped += 1
                continue
            seen.add(class_name)
            info = zipfile.ZipInfo(writable(name), _DATE)
            info.create_system = 3  # Unix, also where this runs on another: the bytes are the same
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            with open(file, "rb") as source, packed.open(info, "w", force_zip64=True) as sink:
                shutil.copyfileobj(source, sink)
        print(f"packed {len(packed.filelist)} images of {path}; {skipped} other files were ignored", flush=True)
    require_all(classes or (), seen, path)


def _raise(error: OSError) -> None:
    raise error


def read_classes(path: Path) -> tuple[str, ...] | None:
    """The classes of a list, one a line; None where there is no such file. Raises: Problem when it is not one."""
    try:
        names = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"{path} cannot be read as a list of classes: {error}.") from None
    if not names:
        raise Problem(f"{path} is empty: a list of classes has the name of a folder in each line.")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise Problem(f"{path}: {twice} stands in the list of classes twice.")
    return tuple(names)


def _class_of(path: str, classes: Collection[str]) -> str | None:
    """The first folder of a path (with forward slashes) that is one of the classes; None: none is."""
    return next((part for part in PurePosixPath(path).parts[:-1] if part in classes), None)


def only(classes: Iterable[str]) -> Callable[[str], str | None]:
    """A function that keeps the paths of these classes and gives None for all others."""
    chosen = frozenset(classes)
    return lambda path: path if _class_of(path, chosen) else None


def require_all(classes: Iterable[str], present: Collection[str], where: object) -> None:
    """Raise a Problem that names the classes of which there is no image."""
    if missing := [name for name in classes if name not in present]:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise Problem(
            f"{where} has no images of {', '.join(missing[:5])}{more}, which download.classes asks for: "
            "correct the list, or the folder."
        )
