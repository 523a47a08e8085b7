"""Image files, folders and archives as one stream of pixels, however many there are."""

import os
import stat
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import files_below
from vi_simsiam.core.text import writable
from vi_simsiam.data.archives import Archive, Member, Unreadable, open_archive, suffix
from vi_simsiam.data.decode import FULL_DEPTH, decode
from vi_simsiam.data.names import HEAD, RAW, is_hidden, is_image, is_raw, kind_of
from vi_simsiam.data.remarks import listen, remarks

_MOST_BYTES = 1 << 30  # of one file, which is read into memory as a whole
_AHEAD = 8  # images decoded ahead of the one that is asked for, per thread


@dataclass(frozen=True)
class Picture:
    """One image: its path, and what `Stream.prepared` made of it, or why there is nothing.

    remarks: what the decoder warned of.
    """

    path: str
    pixels: Any
    problem: str | None = None
    remarks: tuple[str, ...] = ()


@dataclass
class Stream:
    """The images of files, folders (with all below them) and archives.

    What Pillow warns of is a Python warning with the path of the file.

    Iterating holds a few images per thread, and of an archive its list of names; never all images.

    Args:
        inputs: paths. A file is taken whatever its name says; in folders and archives, those that are images by their
            names or first bytes. A folder that links lead to as well is read once (see core.files.files_below).
        size, channels: of the images that are wanted. With 1 channel colours are converted to grey.
        depth: bits that grey images of 16 bits use.
        threads: that decode.

    Attributes:
        ignored: number of files met so far in folders and archives that are hidden or no images, and of links to
            folders that are read already.

    Raises: Problem for an input that does not exist; before anything is read.
    """

    inputs: Iterable[str | os.PathLike]
    size: int
    channels: int
    threads: int = 1
    depth: int = FULL_DEPTH
    ignored: Counter = field(default_factory=Counter)
    _listed: list[tuple[str, Callable[[], bytes]]] | None = field(default=None, init=False, repr=False)

    def __post_init__(self):
        if isinstance(self.inputs, (str, os.PathLike)):
            self.inputs = [self.inputs]
        self.inputs = list(self.inputs)
        if "" in self.inputs:
            raise Problem('an input has an empty name (""), perhaps of a variable that is not set: name images.')
        self.inputs = [Path(path) for path in self.inputs]
        for path in self.inputs:
            if not path.exists():
                raise Problem(f"{writable(path)}: there is no such file or folder.")

    def prepared(self, data: bytes) -> Any:
        """What is made of a file's contents: its pixels, uint8 (size, size, channels). Raises: Unreadable."""
        return decode(data, self.size, self.channels, self.depth)

    def count(self) -> int | None:
        """How many files will be read; None: that is not known. They are listed now, and not again when they are."""
        self._listed = list(self._files())
        return len(self._listed)

    def __iter__(self) -> Iterator[Picture]:
        """The pictures in the order of the inputs, within a folder or archive in the order of their names."""
        listen()
        with ThreadPoolExecutor(self.threads) as pool:
            waiting: deque = deque()
            try:
                for path, read in self._files() if self._listed is None else self._listed:
                    waiting.append(pool.submit(self._decode, path, read))
                    if len(waiting) > self.threads * _AHEAD:
                        yield _warned(waiting.popleft().result())
                while waiting:
                    yield _warned(waiting.popleft().result())
            finally:
                for work in waiting:
                    work.cancel()

    def _decode(self, path: str, read: Callable[[], bytes]) -> Picture:
        with remarks() as texts:
            try:
                return Picture(path, self.prepared(read()), remarks=tuple(texts))
            except Unreadable as error:
                return Picture(path, None, str(error))

    def _files(self) -> Iterator[tuple[str, Callable[[], bytes]]]:
        for path in self.inputs:
            if path.is_dir():
                yield from self._folder(path)
            elif suffix(path) is not None:
                yield from self._archive(path)
            else:
                yield writable(path), partial(_read, path)

    def _folder(self, top: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
        """Its images, and its folders that cannot be listed, which are a problem too."""
        errors: list[OSError] = []
        for name, path in chain(files_below(top, errors.append, is_hidden, self._repeated), [(None, top)]):
            while errors:
                error = errors.pop()
                if is_hidden(os.path.relpath(error.filename, top)) and error.filename != os.fspath(top):
                    self.ignored["hidden"] += 1
                else:
                    yield writable(error.filename), partial(fail, f"cannot be listed: {error.strerror}")
            if name is not None and self._wanted(name, lambda path=path: _head(path)):
                yield writable(path), partial(fail, RAW) if is_raw(name) else partial(_read, path)

    def _repeated(self, name: str, first: str) -> None:
        if not is_hidden(name):
            self.ignored["links to folders that are read already"] += 1

    def _archive(self, path: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
        try:
            archive = open_archive(path)
        except Problem as problem:
            yield writable(path), partial(fail, str(problem))
            return
        for member in archive.members:
            if self._wanted(member.name, lambda member=member: _read_member(archive, member, HEAD)):
                read = partial(fail, RAW) if is_raw(member.name) else partial(_read_member, archive, member)
                yield f"{writable(path)}/{member.name}", read

    def _wanted(self, name: str, head: Callable[[], bytes]) -> bool:
        if is_image(name):
            return True
        with suppress(Unreadable):
            if not is_hidden(name) and kind_of(head()) is not None:
                return True
        self.ignored["hidden" if is_hidden(name) else "no images"] += 1
        return False


def _warned(picture: Picture) -> Picture:
    for text in picture.remarks:
        warnings.warn(f"{picture.path}: {text}", stacklevel=3)
    return picture


def _read(path: Path) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable("no plain file")
        if status.st_size > _MOST_BYTES:
            raise Unreadable(f"{status.st_size} bytes, more than {_MOST_BYTES}")
        return path.read_bytes()
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror or error}") from None


def _head(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise Unreadable("no plain file")
        with open(path, "rb") as file:
            return file.read(HEAD)
    except OSError as error:
        raise Unreadable(str(error)) from None


def _read_member(archive: Archive, member: Member, count: int | None = None) -> bytes:
    if member.problem is not None:
        raise Unreadable(member.problem)
    return archive.read(member) if count is None else archive.head(member, count)


def fail(problem: str) -> bytes:
    """In the place of what reads a file that cannot be read."""
    raise Unreadable(problem)
