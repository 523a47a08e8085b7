"""Bringing one's own images into the download folder: an archive is copied, a folder packed into one."""

import hashlib
import os
import shutil
import stat
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import replacing
from vi_simsiam.data.archives import SUFFIXES, suffix
from vi_simsiam.data.names import ARCHIVE, is_image
from vi_simsiam.data.sources import class_list

_DATE = (1980, 1, 1, 0, 0, 0)  # of every file packed, so that the same images give the same bytes


def require(path: str) -> Path:
    """The folder or archive `path`, relative to the project. Raises: Problem when it is missing or of another kind."""
    found = Path(path).expanduser()
    if not found.exists():
        raise Problem(f"download.path = {path}: there is no such file or folder. Relative paths begin at the project.")
    if not found.is_dir() and suffix(found) is None:
        raise Problem(f"download.path = {path}: neither a folder nor an archive ({', '.join(SUFFIXES)}).")
    return found


def state(path: Path, classes: Sequence[str] | None = None) -> str:
    """A digest of the names, sizes and dates of what is at `path`: it changes when an image is changed or added.

    Contents are not read: a million files take seconds. `classes`: a part of the digest where some are chosen.
    """
    digest = hashlib.sha256("".join(f"{name}\n" for name in classes or ()).encode())
    for name, file in sorted(_files(path)) if path.is_dir() else [("", path)]:
        about = file.stat()
        digest.update(os.fsencode(f"{name}\0{about.st_size}\0{about.st_mtime_ns}\n"))
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
        (folder / class_list.NAME).unlink(missing_ok=True)
        if classes is not None:
            with replacing(folder / class_list.NAME) as temporary:
                temporary.write_text("".join(f"{name}\n" for name in classes), encoding="utf-8")
    except OSError as error:
        raise Problem(f"{error.filename or path}: {error.strerror or error}. Make it readable and run again.") from None
    return [f"{ARCHIVE}{kind}"] + [class_list.NAME] * (classes is not None)


def _pack(path: Path, archive: Path, classes: Sequence[str] | None) -> None:
    skipped = 0
    chosen, seen = frozenset(classes or ()), set()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:  # images are compressed already
        for name, file in sorted(_files(path)):
            of = class_list.folder_of(name, chosen)
            if not is_image(name) or (classes is not None and of is None):
                skipped += 1
                continue
            seen.add(of)
            name = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            info = zipfile.ZipInfo(name, _DATE)
            info.create_system = 3  # Unix, also where this runs on another: the bytes are the same
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            with open(file, "rb") as source, packed.open(info, "w", force_zip64=True) as sink:
                shutil.copyfileobj(source, sink)
        print(f"packed {len(packed.filelist)} images of {path}; {skipped} other files were ignored", flush=True)
    class_list.require_all(classes or (), seen, path)


def _files(top: Path) -> Iterator[tuple[str, Path]]:
    """Every file below `top` by its path from there, links followed, but no folder twice."""
    seen = set()
    for folder, inside, files in os.walk(top, followlinks=True, onerror=_raise):
        about = os.stat(folder)
        if (about.st_dev, about.st_ino) in seen:
            inside.clear()
            continue
        seen.add((about.st_dev, about.st_ino))
        below = os.path.relpath(folder, top)
        for name in files:
            yield (name if below == "." else f"{below}/{name}"), Path(folder, name)


def _raise(error: OSError) -> None:
    raise error
