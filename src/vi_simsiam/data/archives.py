"""Read archives that need not be trusted: member by member, never unpacked under their names.

A member's name is only text, so a name that leads out of the archive can do no harm. But the archive was then made by
mistake or in bad faith, so the member is refused with its reason. Also refused are links, encrypted members, a second
member of the same name, and members that unpack to hundreds of times their size.
"""

import bz2
import errno
import gzip
import lzma
import os
import re
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import writing
from vi_simsiam.core.text import writable

_COMPRESSED: dict[str, Callable[..., Any]] = {
    ".tar.gz": gzip.open,
    ".tgz": gzip.open,
    ".tar.bz2": bz2.open,
    ".tar.xz": lzma.open,
}
SUFFIXES = (".zip", ".tar", *_COMPRESSED)

MOST_BYTES = 1 << 30  # of one file, which is read into memory as a whole
# Images are compressed already; uncompressed photographs shrink by less than 10, drawings by less than 100.
_MOST_RATIO = 200
_HARMLESS = 1 << 24  # bytes up to which any ratio is allowed, for drawings of one colour
_BLOCK = 1 << 20
_LONGEST_END = 22 + (1 << 16)  # bytes of the record that ends a zip
_UTF8 = 0x800  # flag of a name in UTF-8
_UNICODE_NAME = 0x7075  # extra field with the name in Unicode
_DOS = 0  # number of the system whose zips may have \ between folders


# Errors of the readers of archives if one is damaged.
_DAMAGE = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, ValueError,
    RuntimeError,
)  # fmt: skip
# Errors of the system that concern one file, which is then left out. All others (a disk that fails, no memory, too many
# open files) concern the machine and stop the work.
_OF_A_FILE = (
    errno.ENOENT, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENXIO, errno.ENAMETOOLONG,
    errno.EINVAL, errno.EOVERFLOW,
)  # fmt: skip


class Unreadable(Exception):
    """The reason why one file cannot be used; the others can."""


class DamagedArchive(Problem):
    """A whole archive cannot be used; other files can."""


def is_of_the_machine(error: BaseException) -> bool:
    """True for an error of the machine (no memory, a disk that fails), False for one that a file's contents cause."""
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno not in _OF_A_FILE
    # Decoders have other messages: Pillow "out of memory error", libavif "Out of memory", libtiff a number.
    return bool(re.search(r"out of memory|decoder error -9\b|can't start new thread", str(error), re.IGNORECASE))


def machine_problem(name: object, error: BaseException) -> Problem:
    """The error that stops the work if the machine failed while a file was read."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    memory = isinstance(error, MemoryError) or "memory" in reason.lower()
    way_out = "Give it fewer threads or more memory" if memory else "Repair the disk or the connection to it"
    return Problem(f"{name} cannot be read: {'not enough memory' if memory else reason}. {way_out}, then run again.")


@dataclass(frozen=True, slots=True)
class Member:
    """A plain file in an archive.

    where: zipfile's entry, or the offset in a tar. problem: why it is refused; None: it may be read.
    """

    name: str
    bytes: int
    where: Any
    problem: str | None


class Archive:
    """An opened archive that several threads can read. members: all but folders, sorted by name."""

    members: list[Member]

    def read(self, member: Member) -> bytes:
        """Contents of one member, never more than its listed size. Raises: Unreadable with the reason."""
        return self.head(member, member.bytes)

    def head(self, member: Member, count: int) -> bytes:
        """The first `count` bytes of one member. Raises: Unreadable with the reason."""
        raise NotImplementedError


def suffix(path: Path) -> str | None:
    """The suffix of an archive's name, one of SUFFIXES; None: it is not an archive."""
    name = path.name.lower()
    return next((ending for ending in SUFFIXES if name.endswith(ending) and name != ending), None)


def open_archive(path: Path) -> Archive:
    """Open an archive of the kind that its name states, and list it.

    Raises: DamagedArchive if it is damaged as a whole; Problem if the machine cannot read it.
    """
    try:
        return _Zip(path) if suffix(path) == ".zip" else _Tar(path)
    except _DAMAGE as error:
        if is_of_the_machine(error):
            raise machine_problem(path, error) from None
        raise DamagedArchive(f"{path} cannot be read as an archive: {error}. Replace it, then run again.") from None


class _Zip(Archive):
    def __init__(self, path: Path):
        self._file = zipfile.ZipFile(path)  # closed with this object
        self._refuse_joined(path)
        self.members = _listed(self._entries())

    def _refuse_joined(self, path: Path) -> None:
        """Raise BadZipFile if another zip ends where the first member begins: only the last zip would be read."""
        first = min((info.header_offset for info in self._file.infolist()), default=0)
        with open(path, "rb") as file:
            file.seek(max(0, first - _LONGEST_END))
            before = file.read(first - file.tell())
        at = before.rfind(b"PK\5\6")
        if (
            at >= 0
            and len(before) - at >= 22
            and at + 22 + int.from_bytes(before[at + 20 : at + 22], "little") == len(before)
        ):
            raise zipfile.BadZipFile("zip files joined end to end (only the last would be read)")

    def _entries(self) -> Iterator[Member]:
        for info in self._file.infolist():
            name = _zip_name(info)
            name = name.replace("\\", "/") if info.create_system == _DOS else name
            if not name.endswith("/"):
                yield Member(writable(name).removeprefix("./"), info.file_size, info, self._problem(info))

    @staticmethod
    def _problem(info: zipfile.ZipInfo) -> str | None:
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            return "a link or special file, not a plain one"
        if info.flag_bits & 0x1:
            return "encrypted"
        if _is_bomb(info.compress_size, info.file_size):
            return f"would unpack from {info.compress_size} to {info.file_size} bytes"
        return None

    def head(self, member: Member, count: int) -> bytes:
        try:
            with self._file.open(member.where) as file:
                return file.read(count)  # of the whole member the checksum is compared
        except _DAMAGE as error:
            if is_of_the_machine(error):
                raise machine_problem(f"{self._file.filename}: {member.name}", error) from None
            raise Unreadable(f"damaged in the archive: {error}") from None


def _zip_name(info: zipfile.ZipInfo) -> str:
    """A member's name. zipfile decodes names without the UTF-8 flag by code page 437, and cuts them at a zero byte.

    Packers that write another code page add the name in Unicode (field 0x7075, with the checksum of the bytes that it
    replaces); packers on Unix and macOS often write UTF-8 without the flag.
    """
    name = info.orig_filename
    if info.flag_bits & _UTF8 or name.isascii():
        return name
    written = name.encode("cp437")
    extra = info.extra
    while len(extra) >= 4:
        kind, length = struct.unpack("<HH", extra[:4])
        field, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind == _UNICODE_NAME and field[1:5] == struct.pack("<L", zlib.crc32(written)):
            return field[5:].decode("utf-8", "replace")
    try:
        return written.decode("utf-8")
    except UnicodeDecodeError:
        return name


class _Tar(Archive):
    def __init__(self, path: Path):
        self._path, self._file = path, _plain_tar(path)
        self.members = _listed(self._entries())

    def _entries(self) -> Iterator[Member]:
        start: int | None = 0
        while start is not None:
            self._file.seek(start)
            with tarfile.open(fileobj=self._file, mode="r:", encoding="utf-8", errors="surrogateescape") as tar:
                while (info := tar.next()) is not None:
                    tar.members.clear()  # type: ignore[attr-defined]  # else it would hold them all
                    if not info.isdir():
                        special = not info.isreg() or info.issparse()
                        problem = "a link or special file, not a plain one" if special else None
                        yield Member(writable(info.name).removeprefix("./"), info.size, info.offset_data, problem)
                # tarfile takes anything but a header for the end. A true end is zeros, or the end of the file.
                if any(os.pread(self._file.fileno(), tarfile.BLOCKSIZE, tar.offset)):
                    raise tarfile.ReadError(f"damaged at byte {tar.offset}")
                start = self._next_tar(tar.offset)

    def _next_tar(self, end: int) -> int | None:
        """Offset of another tar after the zeros at `end`, as `cat a.tar b.tar` joins them, or None."""
        while block := os.pread(self._file.fileno(), _BLOCK, end):
            if rest := block.lstrip(b"\0"):
                start = end + (len(block) - len(rest)) // tarfile.BLOCKSIZE * tarfile.BLOCKSIZE
                try:
                    tarfile.TarInfo.frombuf(os.pread(self._file.fileno(), tarfile.BLOCKSIZE, start), "utf-8", "replace")
                except tarfile.HeaderError:
                    return None  # bytes that some programs write after the end
                return start
            end += len(block)
        return None

    def head(self, member: Member, count: int) -> bytes:
        try:
            return os.pread(self._file.fileno(), min(count, member.bytes), member.where)
        except OSError as error:
            raise machine_problem(f"{self._path}: {member.name}", error) from None


def _plain_tar(path: Path) -> BinaryIO:
    """The tar file; a compressed one is unpacked into a temporary file, because it is read in any order."""
    ending = suffix(path)
    if ending not in _COMPRESSED:
        return open(path, "rb")
    packed = path.stat().st_size
    plain, folder = _nameless_file(path.parent)
    with _COMPRESSED[ending](path) as file:
        while block := file.read(_BLOCK):
            write_all(plain, block, f"{path}, unpacked in {folder},")
            if _is_bomb(packed, plain.tell()):
                raise DamagedArchive(f"{path} unpacks to more than {_MOST_RATIO} times its size: refused.")
    plain.seek(0)
    return plain


def _nameless_file(folder: Path) -> tuple[BinaryIO, Path]:
    """A temporary file without a name, and its folder: `folder`, or the system's if that is read-only."""
    try:
        return tempfile.TemporaryFile(dir=folder, buffering=0), folder  # stays open as long as the archive
    except OSError as error:
        reason = error.strerror
    try:
        return tempfile.TemporaryFile(buffering=0), Path(tempfile.gettempdir())
    except OSError as error:
        raise Problem(
            f"{folder} cannot be written ({reason}), and no other folder for temporary files ({error.strerror}). Name "
            "one with the environment variable TMPDIR."
        ) from None


def write_all(file: BinaryIO, block: bytes, what: str) -> None:
    """Write to a file without a buffer. what: names the file in the Problem if the disk is full."""
    left = memoryview(block)
    with writing(what):
        while left:
            left = left[file.write(left) :]


def _is_bomb(packed: int, unpacked: int) -> bool:
    return unpacked > max(_HARMLESS, _MOST_RATIO * packed)


def _listed(entries: Iterator[Member]) -> list[Member]:
    """Sort members by name, and refuse those with a bad name or size. Of two with one name the first is used."""
    members, seen = [], set()
    for member in entries:
        problem = member.problem or _name_problem(member.name)
        if problem is None and member.bytes > MOST_BYTES:
            problem = f"{member.bytes} bytes, more than {MOST_BYTES}"
        if problem is None and member.name in seen:
            problem = "a second file of this name"
        seen.add(member.name)
        members.append(Member(member.name, member.bytes, member.where, problem))
    return sorted(members, key=lambda member: member.name)


def _name_problem(name: str) -> str | None:
    if name.startswith("/") or re.match(r"[A-Za-z]:[/\\]", name) or ".." in PurePosixPath(name).parts:
        return "its name leads out of the archive"
    return None
