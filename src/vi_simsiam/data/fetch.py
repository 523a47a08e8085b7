"""Fetch files from the first address that gives the right bytes: mirrors, retries, resuming, checksums.

A file is known by its SHA-256 (by its MD5 where nothing better is published), so it does not matter which address it
comes from: one that is out of reach or has something else is left for the next. A file appears under its name only when
its checksum is right. What an interrupted transfer has left is kept beside it, and the next attempt goes on from there.
"""

import http.client
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tqdm import tqdm

from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import md5, sha256

_BLOCK = 1 << 18
_TIMEOUT = 30.0  # seconds without a single byte
_LONGEST_PAUSE = 30.0
# Answers that may be different a moment later; any other 4xx says that the address does not have the file.
_PASSING = {408, 425, 429}


@dataclass(frozen=True)
class RemoteFile:
    """A file to fetch.

    name: its name, at the addresses and here; no folders.
    sha256: the checksums that are accepted, several where the same content is offered in several compressions.
    md5: the same, of files for which no SHA-256 is published. It tells damage, not forgery.
    """

    name: str
    sha256: tuple[str, ...] = ()
    md5: tuple[str, ...] = ()

    def __post_init__(self):
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*", self.name):
            raise ValueError(f"{self.name!r} is not the name of a file without folders")
        if not self.sha256 + self.md5:
            raise ValueError(f"no checksum of {self.name} is given: nothing would tell what is fetched")

    def fault(self, path: Path) -> str | None:
        """What is wrong with the file at `path`, as a part of a sentence; None: it has one of the checksums."""
        if self.sha256:
            kind, checksum, accepted = "SHA-256", sha256(path), self.sha256
        else:
            kind, checksum, accepted = "MD5", md5(path), self.md5
        if checksum in accepted:
            return None
        return f"wrong checksum ({kind} is {checksum}, should be {' or '.join(accepted)})"


class _Failed(Exception):
    """An attempt failed. `passing`: another one at the same address may do better."""

    def __init__(self, reason: str, passing: bool):
        super().__init__(reason)
        self.passing = passing


def fetch(
    file: RemoteFile,
    folder: Path,
    bases: Iterable[str],
    retries: int = 3,
    pause: float = 1.0,
    timeout: float = _TIMEOUT,
    report: Callable[[str], None] = print,
) -> Path:
    """Bring a file into `folder`, unless it is already there with the right checksum.

    Args:
        file: what to fetch.
        folder: where to put it; made if need be.
        bases: addresses of folders that may have it, tried in this order: https://..., http://... or file:///...
        retries: further attempts at an address after a broken connection, a time-out or a server's failure.
        pause: seconds before the first further attempt, doubled before each next one.
        timeout: seconds without data after which a connection counts as broken.
        report: is told, a line at a time, what happens.

    Returns: path of the file.
    Raises: Problem, listing every address and what was wrong there; also when the disk cannot be written.
    """
    path, part = folder / file.name, folder / f".{file.name}.part"
    bases = [_checked(base) for base in bases]
    if path.exists() and file.fault(path) is None:
        report(f"{path}: already there")
        return path
    folder.mkdir(parents=True, exist_ok=True)
    reasons = []
    for base in bases:
        address = f"{base.rstrip('/')}/{file.name}"
        try:
            _from_address(address, file, part, retries, pause, timeout, report)
        except _Failed as failure:
            reasons.append(f"{address}: {failure}")
            report(f"{address}: {failure}")
            continue
        os.replace(part, path)
        report(f"{address}: {path.stat().st_size} bytes, checksum right")
        return path
    tried = "\n  - ".join(reasons) or "no address is known"
    raise Problem(
        f"{file.name} could not be fetched from any address:\n  - {tried}\n"
        "Check the network, or put the file into a folder and name that folder in params.yaml, e.g. "
        "download.mirrors: [file:///path/to/folder]."
    )


def _from_address(address, file, part, retries, pause, timeout, report) -> None:
    """Leave the right bytes in `part` or raise _Failed."""
    attempts = retries + 1
    while True:
        attempts -= 1
        try:
            resumed = _transfer(address, part, timeout)
            fault = file.fault(part)
            if fault is None:
                return
            part.unlink()
            if not resumed:
                raise _Failed(fault, False)
            # The beginning may come from another address or another day: that was no attempt at the whole file.
            report(f"{address}: the resumed file has a wrong checksum, starting again")
            attempts = max(attempts, 1)
        except _Failed as failure:
            if not failure.passing or attempts == 0:
                raise
            report(f"{address}: {failure}; trying again in {pause:g} s")
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)


def _transfer(address: str, part: Path, timeout: float) -> bool:
    """Append to `part` what it lacks, or write it anew. Returns whether something was appended to."""
    have = part.stat().st_size if part.exists() else 0
    with _opened(address, have, timeout) as (source, start, total):
        try:
            sink = open(part, "ab" if start else "wb")  # noqa: SIM115 - closed below; opening has its own message
        except OSError as error:
            raise Problem(f"{part} cannot be written: {error.strerror}.") from None
        with sink, tqdm(total=total, initial=start, unit="B", unit_scale=True, disable=None) as bar:
            done = start
            while block := _read(source):
                _write(sink, block)
                done += len(block)
                bar.update(len(block))
            _write(sink, b"")
    if total is not None and done < total:
        raise _Failed(f"connection closed after {done} of {total} bytes", passing=True)
    return start > 0


@contextmanager
def _opened(address: str, have: int, timeout: float) -> Iterator[tuple[BinaryIO, int, int | None]]:
    """(stream, the byte it starts at, total bytes if known) of an address, from byte `have` on if it can do that."""
    if address.startswith("file://"):
        path = urllib.request.url2pathname(address.removeprefix("file://").removeprefix("localhost"))
        try:
            stream = open(path, "rb")  # noqa: SIM115 - closed below; opening has its own message
        except OSError as error:
            raise _Failed(error.strerror or str(error), passing=False) from None
        with stream:
            yield stream, 0, None
        return
    headers = {"User-Agent": "vi-simsiam", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        response = urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # nothing after byte `have`: what is there is not this file's beginning, or all of it
            with _opened(address, 0, timeout) as opened:
                yield opened
            return
        raise _Failed(f"HTTP {error.code} {error.reason}", error.code >= 500 or error.code in _PASSING) from None
    except (OSError, http.client.HTTPException) as error:
        raise _Failed(_said(error), passing=True) from None
    with response:
        start = have if response.status == 206 else 0
        length = response.headers.get("Content-Length", "")
        yield response, start, start + int(length) if length.isdecimal() else None


def _read(source: BinaryIO) -> bytes:
    try:
        return source.read(_BLOCK)
    except (OSError, http.client.HTTPException) as error:
        raise _Failed(_said(error), passing=True) from None


def _write(sink: BinaryIO, block: bytes) -> None:
    """Write a block; an empty one: everything must be on the disk now."""
    try:
        if block:
            sink.write(block)
        else:
            sink.flush()
            os.fsync(sink.fileno())
    except OSError as error:
        raise Problem(f"{sink.name} cannot be written: {error.strerror}. Make room and run again.") from None


def _said(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return f"{type(reason).__name__}: {reason}" if isinstance(reason, Exception) else str(reason)


def _checked(base: str) -> str:
    if re.match(r"https?://[^/]", base) or re.match(r"file://(localhost)?/", base):
        return base
    raise Problem(
        f"download.mirrors: {base!r} is not an address of a folder. It must begin with https://, http:// or, for a "
        "folder of this machine, file:/// and the folder's full path."
    )
