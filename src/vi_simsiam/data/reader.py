"""Read image files, folders and archives as one stream of decoded images, for training, `score` and `rank`.

Each file is listed once, by the rules of `data.names`, and decoded once; only 16-bit images whose depth is found from
all of them are decoded again (`image_files`). A file that cannot be used comes with its reason.
"""

import hashlib
import heapq
import os
import re
import stat
import warnings
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from vi_simsiam.core.errors import Problem
from vi_simsiam.core.text import writable
from vi_simsiam.data.archives import (
    MOST_BYTES,
    Archive,
    DamagedArchive,
    Member,
    Unreadable,
    is_of_the_machine,
    machine_problem,
    open_archive,
    suffix,
)
from vi_simsiam.data.decode import FULL_DEPTH, MOST_PIXELS, Book, Decoded, few_bits, room, square
from vi_simsiam.data.layout import mask_folders
from vi_simsiam.data.left_out import Ignored, count
from vi_simsiam.data.names import (
    HEAD,
    HIDDEN,
    MASKS,
    PAGED,
    REPEATED_FOLDERS,
    ignored_kind,
    is_hidden,
    is_image,
    kind_of,
    refusal,
)
from vi_simsiam.data.remarks import listen, remarks

REPEATED_FILES = "links to files, and inputs, that are used already"
_CHUNK = 4  # images that a thread takes at once
_AHEAD = 3  # chunks per thread that are decoded before the consumer wants them


class Work(NamedTuple):
    """A task for a thread: the path of a file, and a function that reads and decodes it.

    continues: whether it decodes a further page of the file that the work before it decodes.
    """

    path: str
    load: Callable[[], Any]
    continues: bool = False


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A file that is an image by its name or first bytes.

    Attributes:
        name: path in its folder or archive.
        path: the whole path, for tables.
        size: bytes.
        problem: why it cannot be used, known before it is read.
        contents: reads it.
        source: the file on a disk; None in an archive.
        identity: its device and inode.
        linked: whether it is a link.
        mask: whether it is in a folder of masks beside their images.
        page: number of the page that is meant, which is then part of the path; None: the first, or only one.
    """

    name: str
    path: str
    size: int
    problem: str | None
    contents: Callable[[], bytes]
    source: Path | None = None
    identity: tuple[int, int] | None = None
    linked: bool = False
    mask: bool = False
    page: int | None = None

    def read(self) -> bytes:
        """Contents of the file. Raises: Unreadable with the reason; Problem if the machine fails."""
        if self.problem is not None:
            raise Unreadable(self.problem)
        return self.contents()


def path_of_page(path: str, page: int) -> str:
    """The path of a page of a file, for tables."""
    return f"{path} [page {page}]"


def without_page(path: str) -> str:
    """The path of a file, from its path or the path of one of its pages."""
    return re.sub(r" \[page \d+\]$", "", path)


class Contents:
    """The contents of a file, with one page or several: read, hashed and opened once, at the first access.

    Args:
        most: as for `decode.Book`.

    Raises, on access: as `ImageFile.read` and, for `book`, as `Book`.
    """

    def __init__(self, file: ImageFile, most: int = MOST_PIXELS):
        self.file, self._most = file, most

    @cached_property
    def data(self) -> bytes:
        return self.file.read()

    @cached_property
    def sha256(self) -> bytes:
        return hashlib.sha256(self.data).digest()

    @cached_property
    def book(self) -> Book:
        return Book(self.data, self._most)


@dataclass(frozen=True, slots=True)
class LoadedImage:
    """One image: its path, and `content`, the result of its `Work`, or `problem`, the reason why it has none.

    remarks: warnings of the decoder.
    """

    path: str
    content: Any
    problem: str | None = None
    remarks: tuple[str, ...] = ()


def list_archive(archive: Archive, ignored: Ignored, path: str = "") -> Iterator[ImageFile]:
    """The images of an archive, sorted by name.

    Args:
        ignored: counts all other files.
        path: of the archive, put before the names in `ImageFile.path`.
    """
    beside = {member.name.lower() for member in archive.members}
    masks = _folders_of_masks(member.name for member in archive.members)
    for member in archive.members:
        kind = ignored_kind(member.name, beside, partial(_member_head, archive, member))
        if kind is not None:
            count(ignored, kind, member.name)
            continue
        problem = member.problem or refusal(member.name)
        whole = f"{path}/{member.name}" if path else member.name
        mask = _folder(member.name) in masks
        yield ImageFile(member.name, whole, member.bytes, problem, partial(archive.read, member), mask=mask)


def list_folder(top: Path, ignored: Ignored, written: Collection[Path] = ()) -> Iterator[ImageFile]:
    """The images of a folder and all folders below it, in the order of `files_below`.

    Folders that cannot be listed come first, each with its problem.

    Args:
        ignored: counts all other files.
        written: files and folders that the command writes. Below `top` they are neither listed nor counted.
    """
    found = files_below(top)
    for name, first in found.repeated:
        if not is_hidden(name):
            count(ignored, REPEATED_FOLDERS, f"{writable(name)} -> {writable(first) or '.'}")
    for error in found.errors:
        if is_of_the_machine(error):
            raise machine_problem(writable(error.filename), error)
        name = os.path.relpath(error.filename, top)
        if name != "." and is_hidden(name):
            count(ignored, HIDDEN, writable(name))
        else:
            problem = f"a folder that cannot be listed: {error.strerror}"
            path = Path(error.filename)
            yield ImageFile(writable(name), writable(path), 0, problem, bytes, path)
    outputs = tuple(f"{os.path.relpath(path, top)}/" for path in written)
    names = [name for name in found.names if not f"{name}/".startswith(outputs)]
    beside = {name.lower() for name in names}
    masks = _folders_of_masks(names)
    library = os.path.basename(os.path.abspath(top))
    for name in names:
        path = Path(top, name)
        file = list_file(path, name)
        head = partial(_head, path) if file.problem is None else bytes
        kind = ignored_kind(name, beside, head, library)
        if kind is None:
            yield replace(file, mask=True) if _folder(name) in masks else file
        else:
            count(ignored, kind, file.name)


def _folders_of_masks(names: Iterable[str]) -> frozenset[str]:
    """The folders of masks beside their images. names: paths of all files of a folder or archive."""
    folders: set[str] = set()
    for name in names:
        folder = _folder(name)
        if folder not in folders and is_image(name):
            folders.add(folder)
    return mask_folders(folders)


def _folder(name: str) -> str:
    return name.rpartition("/")[0]


class Walk(NamedTuple):
    """The files below a folder.

    names: their paths from the folder. errors: of folders that cannot be listed, which are left out. repeated: paths of
    folders that were entered already, each with the path under which it was.
    """

    names: list[str]
    errors: list[OSError]
    repeated: list[tuple[str, str]]


def files_below(top: Path) -> Walk:
    """List every file below a folder; links are followed, but no folder is entered twice.

    Files are sorted by name in each folder, before the folders in it; then come folders that only links lead to. So a
    folder that is reached twice has its real path if it is below `top`, else the first path with the fewest links.

    Hidden folders come after all others, so that an image has a hidden path only if it has no other.
    """
    found = Walk([], [], [])
    seen: dict[tuple[int, int], str] = {}
    waiting: list[tuple[bool, int, tuple[str, ...]]] = [(False, 0, ())]  # hidden, number of links, parts of the path
    while waiting:
        _, links, parts = heapq.heappop(waiting)
        name = "/".join(parts)
        folder = Path(top, name)
        try:
            status = os.stat(folder)
            state = status.st_dev, status.st_ino
            if state in seen:
                found.repeated.append((name, seen[state]))
                continue
            seen[state] = name
            with os.scandir(folder) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError as error:
            found.errors.append(error)
            continue
        for entry in entries:
            path = "/".join((*parts, entry.name))
            if _is_folder(entry):
                heapq.heappush(waiting, (is_hidden(path), links + entry.is_symlink(), (*parts, entry.name)))
            else:
                found.names.append(path)
    return found


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a circle of links, or no permission: opening the file reports it
        return False


def list_file(path: Path, name: str = "") -> ImageFile:
    """A file on a disk, of any name. Raises: Problem if the disk fails."""
    size, identity, linked, problem = 0, None, False, None
    try:
        status = os.lstat(path)
        linked = stat.S_ISLNK(status.st_mode)
        status = os.stat(path) if linked else status
        size, identity = status.st_size, (status.st_dev, status.st_ino)
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            problem = "no plain file"
        elif size > MOST_BYTES:
            problem = f"{size} bytes, more than {MOST_BYTES}"
    except OSError as error:
        problem = _cannot_be_read(path, error)
    problem = refusal(name or path.name) or problem
    return ImageFile(writable(name), writable(path), size, problem, partial(_read, path), path, identity, linked)


def load_images(works: Iterable[Work], threads: int) -> Iterator[LoadedImage]:
    """Read and decode files in their order, a few per thread ahead of the consumer.

    Args:
        threads: number of threads that decode; 0: the caller's thread decodes, which is faster for small files.

    Raises: Problem where the machine fails (no memory, a broken disk): that says nothing about an image.
    """
    listen()
    if threads == 0:
        yield from map(_load, works)
        return
    todo = iter(works)
    import torch  # slow, and not every importer of this module reads images

    torch_threads = torch.get_num_threads()
    # Each thread resizes with torch, which would start further threads.
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        waiting: deque = deque()
        try:
            while chunk := list(islice(todo, _CHUNK)):
                before = [waiting[-1]] if waiting and chunk[0].continues else []
                waiting.append(pool.submit(_load_all, chunk, before))
                if len(waiting) > threads * _AHEAD:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for work in waiting:
                work.cancel()
            torch.set_num_threads(torch_threads)  # new threads inherit the last setting


@dataclass
class ImageReader:
    """The images of files, folders (with all below them) and archives, each file once.

    Iterating gives a `LoadedImage` for each, in the order of the inputs, within a folder in that of `files_below`,
    within an archive in that of the names; links to files follow the other files of their input. It holds a few images
    per thread, and the names in one folder or archive; never all images. Warnings of the decoder are Python warnings
    with the path of the file.

    Args:
        inputs: paths. A file is read under any name; in folders and archives, files are read that are images by their
            names or first bytes, without masks beside their images. A file that is reached twice (by a link, or by
            inputs that overlap) is read once.
        size, channels: of the images to return. With 1 channel colours are converted to grey.
        depth: bits that 16-bit grey images use.
        threads: number of threads that decode.
        every_page: whether each page of a file is an image, rather than the first alone.
        written: files and folders that the command writes; they are not read.

    Attributes:
        skipped: number of images that iterating leaves out at the beginning.
        several_pages: for each file decoded so far with several pages, its path and number of pages; empty with
            `every_page`.
        few_bits: bits that the 16-bit images decoded so far use, if they are almost black with `depth`; else None.
        ignored: for each kind of ignored file in folders and archives, the number found so far and the first paths.

    Raises: Problem for an input that does not exist or has an empty name, before anything is read; while iterating, for
        a folder of `inputs` that was removed.
    """

    inputs: Iterable[str | os.PathLike]
    size: int
    channels: int
    threads: int = 1
    depth: int = FULL_DEPTH
    ignored: Ignored = field(default_factory=dict)
    every_page: bool = False
    written: Collection[Path] = ()
    skipped: int = field(default=0, init=False)
    several_pages: dict[str, int] = field(default_factory=dict, init=False)
    most: ClassVar[int] = MOST_PIXELS  # pixels above which an image is refused
    _brightest: list[int] = field(default_factory=list, init=False, repr=False)
    _listed: list[ImageFile] | None = field(default=None, init=False, repr=False)

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

    def prepared(self, contents: Contents, page: int | None) -> Any:
        """Pixels of a page of a file: uint8 (size, size, channels). Raises: Unreadable.

        Args:
            page: of `ImageFile`.
        """
        return square(self.loaded(contents, page, 2 * self.size).upright(self.channels, self.depth), self.size)

    def loaded(self, contents: Contents, page: int | None, side: int | None) -> Decoded:
        """A decoded page of a file. Arguments and errors as of `prepared` and `Book.load`."""
        image = contents.book.load(page or 1, side)
        if (brightest := image.brightest) is not None:
            self._brightest.append(brightest)
        if page is None and image.pages > 1:
            self.several_pages[contents.file.path] = image.pages
        return image

    @property
    def few_bits(self) -> int | None:
        return few_bits(max(self._brightest, default=None), self.depth)

    def count(self) -> int | None:
        """The number of images, which are listed only once; None if a subclass cannot know it."""
        self._listed = list(self.files())
        return len(self._listed)

    def __iter__(self) -> Iterator[LoadedImage]:
        folders = [path for path in map(Path, self.inputs) if path.is_dir()]
        for image in load_images(self._works(), self.threads):
            if image.problem and (gone := next((path for path in folders if not path.exists()), None)):
                raise Problem(f"{writable(gone)} was moved or removed while it was read. Run again when it is back.")
            for text in image.remarks:
                warnings.warn(f"{image.path}: {text}", stacklevel=2)
            yield image

    def files(self) -> Iterator[ImageFile]:
        """The files that are images, each once; with `every_page` each of their pages."""
        return self._files() if self._listed is None else iter(self._listed)

    def _works(self) -> Iterator[Work]:
        for file, contents in self._contents():
            # A thread reads the contents of a file without pages, and does not hold them for its whole chunk.
            shared = None if file.page is None else contents
            yield Work(file.path, partial(self._prepare, file, shared), shared is not None and file.page != 1)

    def _contents(self) -> Iterator[tuple[ImageFile, Contents]]:
        """The images that are not skipped. Pages that follow each other share the contents of their file."""
        contents = None
        for file in islice(self.files(), self.skipped, None):
            if contents is None or contents.file.contents is not file.contents:
                contents = Contents(file, self.most)
            yield file, contents

    def _prepare(self, file: ImageFile, shared: Contents | None) -> Any:
        return self.prepared(shared or Contents(file, self.most), file.page)

    def _files(self) -> Iterator[ImageFile]:
        for file in self._distinct():
            yield from self._pages(file) if self.every_page and file.problem is None else [file]

    def _pages(self, file: ImageFile) -> Iterator[ImageFile]:
        pages = 1
        if file.source is None or kind_of(_head(file.source)) in PAGED:
            listen()
            with remarks(), suppress(Unreadable):  # decoding will report it
                pages = Contents(file, self.most).book.pages
        if pages == 1:
            yield file
            return
        for page in range(1, pages + 1):
            yield replace(file, path=path_of_page(file.path, page), page=page)

    def _distinct(self) -> Iterator[ImageFile]:
        seen: set[tuple[int, int]] = set()
        masks: list[ImageFile] = []
        for path in map(Path, self.inputs):
            links = []
            for file in self._of_input(path, seen):
                if file.mask:
                    masks.append(file)
                elif file.linked:
                    links.append(file)
                elif self._is_new(file, seen):
                    yield file
            yield from (link for link in links if self._is_new(link, seen))
        for mask in masks:
            if mask.identity not in seen:  # else its folder is an input too
                count(self.ignored, MASKS, mask.path)

    def _of_input(self, path: Path, seen: set[tuple[int, int]]) -> Iterator[ImageFile]:
        file = list_file(path)
        if path.is_dir():
            yield from list_folder(path, self.ignored, self.written)
        elif suffix(path) is None:
            yield file
        elif self._is_new(file, seen):
            try:
                archive = open_archive(path)
            except DamagedArchive as problem:
                yield ImageFile(file.name, file.path, file.size, str(problem), file.contents)
            else:
                yield from list_archive(archive, self.ignored, file.path)

    def _is_new(self, file: ImageFile, seen: set[tuple[int, int]]) -> bool:
        if file.identity is None or file.identity[1] == 0:  # some network disks have no inodes
            return True
        if file.identity in seen:
            count(self.ignored, REPEATED_FILES, file.path)
            return False
        seen.add(file.identity)
        return True


def _load_all(works: list[Work], before: list[Future]) -> list[LoadedImage]:
    """Load some images, after `before` is done: the pages of a file are decoded in their order."""
    wait(before)
    return [_load(work) for work in works]


def _load(work: Work) -> LoadedImage:
    with remarks() as texts, room.used():
        try:
            return LoadedImage(work.path, work.load(), remarks=tuple(texts))
        except Unreadable as error:
            return LoadedImage(work.path, None, str(error))
        except Exception as error:
            if is_of_the_machine(error):
                raise machine_problem(work.path, error) from None
            raise


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Unreadable(_cannot_be_read(path, error)) from None


def _head(path: Path) -> bytes:
    """The first bytes of a file; empty if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(HEAD)
    except OSError as error:
        _cannot_be_read(path, error)
        return b""


def _member_head(archive: Archive, member: Member) -> bytes:
    try:
        return archive.head(member, HEAD) if member.problem is None else b""
    except Unreadable:
        return b""


def _cannot_be_read(path: Path, error: OSError) -> str:
    """The reason why a file cannot be read. Raises: Problem if the machine fails."""
    if is_of_the_machine(error):
        raise machine_problem(writable(path), error) from None
    reason = error.strerror or str(error)
    if isinstance(error, FileNotFoundError) and os.path.islink(path):
        reason = "a link that leads nowhere"
        if ".git/annex/" in os.readlink(path):
            reason += ", to contents that git-annex does not have here: run `git annex get`"
    return f"cannot be read: {reason}"
