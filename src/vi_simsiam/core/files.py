"""Files that are complete or absent: written under a temporary name, then renamed. Checksums, JSON."""

import errno
import fcntl
import functools
import glob
import hashlib
import json
import os
import platform
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

from vi_simsiam.core.errors import Problem
from vi_simsiam.core.processes import lives
from vi_simsiam.core.text import no_formula

_DAY = 86_400  # s
_WITHOUT_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it takes the name `path`, on an error it is removed.

    The parent folder is made. The temporary name has the suffix of `path`, by which numpy and matplotlib choose the
    format. Temporary files of killed processes are removed. The permissions are those of any new file in the folder
    (0666 less the umask), although safetensors lets only the owner read its files.

    Raises: Problem naming `path` when it cannot be written, or the disk is full.
    """
    path = Path(path)
    temporary, mode = _tried(path)
    try:
        yield temporary
        if stat.S_IMODE(temporary.stat().st_mode) != mode:
            temporary.chmod(mode)
        with open(temporary, "rb") as file:  # the data must reach the disk before the name does
            os.fsync(file.fileno())
        with writing(path):
            os.replace(temporary, path)
    except Exception as error:
        if (number := _error_number(error)) in _FULL:
            raise _unwritable(path, number) from None
        raise
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(path: str | os.PathLike) -> None:
    """Raise Problem where `replacing(path)` would; to be called before long work. The parent folder is made."""
    _tried(Path(path))


def _tried(path: Path) -> tuple[Path, int]:
    """Make a file beside `path` and remove it. Returns: its path, and the permissions that it had."""
    with writing(path):
        with suppress(FileNotFoundError):
            if stat.S_ISDIR(os.stat(path).st_mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_unfinished(path)
        temporary = path.with_name(f".{_stem(path)}.{os.getpid()}-{_place()}.tmp{path.suffix}")
        temporary.touch()
        mode = stat.S_IMODE(temporary.stat().st_mode)
        temporary.unlink()
    return temporary, mode


def move(source: Path, target: Path) -> None:
    """Rename a file on the same disk. The parent folder is made. Raises: Problem as `replacing`."""
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(source, target)


@contextmanager
def writing(what: object) -> Iterator[None]:
    """Turn an OSError while `what` is written into a Problem that names it."""
    try:
        yield
    except OSError as error:
        raise _unwritable(what, error.errno) from None


def _unwritable(what: object, number: int | None) -> Problem:
    room = " Make room and run again." * (number in _FULL)
    return Problem(f"{what} cannot be written: {os.strerror(number or 0)}.{room}")


def _stem(path: Path) -> str:
    """Beginning of the names of temporary files: short enough to leave room for the rest of the name."""
    return path.stem if len(os.fsencode(path.name)) < 200 else hashlib.sha256(os.fsencode(path.stem)).hexdigest()


def remove_unfinished(path: Path) -> None:
    """Remove temporary files of `replacing(path)` whose processes have ended.

    Processes of another machine or container cannot be seen: their files are removed after a day.
    """
    for temporary in path.parent.glob(f".{glob.escape(_stem(path))}.*.tmp{glob.escape(path.suffix)}"):
        name = temporary.name.removesuffix(f".tmp{path.suffix}").rsplit(".", 1)[-1]
        process, _, place = name.partition("-")
        with suppress(FileNotFoundError):  # its process has just finished
            if process.isdecimal() and place == _place():
                left = not lives(int(process))
            else:
                left = time.time() - temporary.stat().st_mtime > _DAY
            if left:
                temporary.unlink()


@functools.cache
def _place() -> str:
    """Eight hexadecimal digits for the machine and, on Linux, the container that process numbers belong to."""
    try:
        container = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        container = 0
    return hashlib.sha256(f"{platform.node()} {container}".encode()).hexdigest()[:8]


def lock(file: int | IO, kind: int) -> bool:
    """Take a lock of the kernel on an open file; `kind` as for `fcntl.flock`.

    Returns: False on a disk that has no locks of files.
    Raises: BlockingIOError when another process has the lock and `kind` has LOCK_NB; without it the call waits.
    """
    try:
        fcntl.flock(file, kind)
    except OSError as error:
        if error.errno not in _WITHOUT_LOCKS:
            raise
        return False
    return True


def _error_number(error: Exception) -> int | None:
    """Error number of the system. Errors of safetensors have it in their text; numpy's mean a full disk."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    if re.search(r"\d+ requested and \d+ written", str(error)):  # numpy does not say why
        return errno.ENOSPC
    match = re.search(r"\(os error (\d+)\)", str(error))
    return int(match[1]) if match else None


def write_csv(path: str | os.PathLike, table: Any, digits: int) -> None:
    """Write a pandas table, with paths (columns `path` and `copy_of`) that a spreadsheet takes for no formula.

    digits: significant digits of floating-point numbers.
    """
    paths = {
        name: [no_formula(value) if isinstance(value, str) else value for value in table[name]]
        for name in ("path", "copy_of")
        if name in table
    }
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        # The module csv puts names with a carriage return in quotes only where it also ends the rows (Python < 3.13).
        rows = SimpleNamespace(write=lambda row: file.write(row.removesuffix("\r\n") + "\n"))
        table.assign(**paths).to_csv(rows, index=False, float_format=f"%.{digits}g", lineterminator="\r\n")


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Write `value` as indented JSON. NaN and infinity are refused (ValueError): they are not JSON."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: str | os.PathLike) -> Any:
    """Read a JSON file; a `Problem` names the file when it is missing or damaged."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise Problem(f"{path} does not exist. Run the step that makes it (`snakemake --cores all`).") from None
    except (ValueError, RecursionError) as error:
        raise Problem(f"{path} is not readable as JSON ({error}). Delete it and run the step again.") from None


def sha256(path: str | os.PathLike) -> str:
    """Hexadecimal SHA-256 of a file's contents."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, hashlib.sha256).hexdigest()
