"""Bringing one's own images into the download folder: an archive is copied, a folder packed into one."""

import hashlib
import os
import shutil
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

from vi_simsiam.archives import SUFFIXES, suffix
from vi_simsiam.errors import Problem
from vi_simsiam.files import replacing
from vi_simsiam.image_names import ARCHIVE, is_image

_DATE = (1980, 1, 1, 0, 0, 0)  # of every file packed, so that the same images give the same bytes


def require(path: str) -> Path:
    """The folder or archive `path`, relative to the project. Raises: Problem when it is missing or of another kind."""
    found = Path(path).expanduser()
    if not found.exists():
        raise Problem(f"download.path = {path}: there is no such file or folder. Relative paths begin at the project.")
    if not found.is_dir() and suffix(found) is None:
        raise Problem(f"download.path = {path}: neither a folder nor an archive ({', '.join(SUFFIXES)}).")
    return found


def state(path: Path) -> str:
    """A digest of the names, sizes and dates of what is at `path`: it changes when an image is changed or added.

    Contents are not read: a million files take seconds.
    """
    digest = hashlib.sha256()
    for name, file in sorted(_files(path)) if path.is_dir() else [("", path)]:
        about = file.stat()
        digest.update(os.fsencode(f"{name}\0{about.st_size}\0{about.st_mtime_ns}\n"))
    return digest.hexdigest()[:16]


def bring(path: Path, folder: Path) -> list[str]:
    """Copy an archive, or pack a folder's images, into `folder`.

    Returns: the name it has there. Raises: Problem when it cannot be read.
    """
    kind = ".zip" if path.is_dir() else suffix(path)
    try:
        for other in SUFFIXES:  # of another run with another path
            if other != kind:
                (folder / f"{ARCHIVE}{other}").unlink(missing_ok=True)
        with replacing(folder / f"{ARCHIVE}{kind}") as temporary:
            if path.is_dir():
                _pack(path, temporary)
            else:
                shutil.copyfile(path, temporary)
    except OSError as error:
        raise Problem(f"{error.filename or path}: {error.strerror or error}. Make it readable and run again.") from None
    return [f"{ARCHIVE}{kind}"]


def _pack(path: Path, archive: Path) -> None:
    skipped = 0
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:  # images are compressed already
        for name, file in sorted(_files(path)):
            if not is_image(name):
                skipped += 1
                continue
            name = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            info = zipfile.ZipInfo(name, _DATE)
            info.create_system = 3  # Unix, also where this runs on another: the bytes are the same
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            with open(file, "rb") as source, packed.open(info, "w", force_zip64=True) as sink:
                shutil.copyfileobj(source, sink)
        print(f"packed {len(packed.filelist)} images of {path}; {skipped} other files were ignored", flush=True)


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
