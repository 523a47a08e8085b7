"""Fetch files from the first address that gives the right bytes: mirrors, retries, resuming, checksums.

The checksum identifies a file, so any address may give it. If an address is out of reach or gives other bytes, the next
one is tried. A file gets its name only when its checksum is right. An interrupted transfer leaves its bytes beside the
file, and the next attempt resumes after them.
"""

import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tqdm import tqdm

from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import move, writing

_BLOCK = 1 << 18
_TIMEOUT = 30.0  # seconds without a single byte, after which a connection counts as broken
_PAUSE = 1.0  # seconds before the first further attempt, doubled before each next one
_LONGEST_PAUSE = 30.0
# Statuses that may be different a moment later; any other 4xx says that the address does not have the file.
_PASSING = {408, 425, 429}


@dataclass(frozen=True)
class RemoteFile:
    """A file to fetch.

    name: its name, at the addresses and on this disk, without folders.
    checksums: SHA-256, or MD5 (which detects damage, not forgery) if nothing better is published; several if the same
        content is offered in several compressions.
    """

    name: str
    checksums: tuple[str, ...]

    def fault(self, path: Path) -> str | None:
        """The fault of the file at `path`, as a part of a sentence; None: it has one of the checksums."""
        kind, name = ("MD5", "md5") if len(self.checksums[0]) == 32 else ("SHA-256", "sha256")
        with open(path, "rb") as file:
            checksum = hashlib.file_digest(file, partial(hashlib.new, name, usedforsecurity=False)).hexdigest()
        if checksum in self.checksums:
            return None
        return f"wrong checksum ({kind} is {checksum}, should be {' or '.join(self.checksums)})"


class _Failed(Exception):
    """A failed attempt. passing: whether another attempt at the same address may succeed."""

    def __init__(self, reason: str, passing: bool):
        super().__init__(reason)
        self.passing = passing


def fetch(file: RemoteFile, folder: Path, bases: Iterable[str], retries: int = 3) -> Path:
    """Fetch a file into `folder`, unless it has the file with the right checksum. Prints a line for each attempt.

    Args:
        folder: made if it is missing.
        bases: addresses of folders that may have it, tried in this order: https://..., http://... or file:///...
        retries: further attempts at an address after a broken connection, a time-out or a server's failure.

    Returns: path of the file.
    Raises: Problem that lists every address and its fault; also if the disk cannot be written.
    """
    path, part = folder / file.name, folder / f".{file.name}.part"
    if path.exists() and file.fault(path) is None:
        print(f"{path}: already there", flush=True)
        return path
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    reasons = []
    for base in bases:
        address = f"{base.rstrip('/')}/{file.name}"
        try:
            _from_address(address, file, part, retries)
        except _Failed as failure:
            reasons.append(f"{address}: {failure}")
            print(reasons[-1], flush=True)
            continue
        move(part, path)
        print(f"{address}: {path.stat().st_size} bytes, checksum right", flush=True)
        return path
    tried = "\n  - ".join(reasons) or "no address is known"
    raise Problem(
        f"{file.name} could not be fetched from any address:\n  - {tried}\n"
        "Check the network, or put the file into a folder and name that folder in params.yaml, e.g. "
        "download.mirrors: [file:///path/to/folder]."
    )


def _from_address(address: str, file: RemoteFile, part: Path, retries: int) -> None:
    """Bring the right bytes into `part`, or raise _Failed."""
    attempts, pause = retries + 1, _PAUSE
    while True:
        attempts -= 1
        try:
            resumed = _transfer(address, part)
            fault = file.fault(part)
            if fault is None:
                return
            part.unlink()
            if not resumed:
                raise _Failed(fault, False)
            # The beginning may come from another address or version, so this was no attempt at the whole file.
            print(f"{address}: the resumed file has a wrong checksum, starting again", flush=True)
            attempts = max(attempts, 1)
        except _Failed as failure:
            if not failure.passing or attempts == 0:
                raise
            print(f"{address}: {failure}; trying again in {pause:g} s", flush=True)
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)


def _transfer(address: str, part: Path) -> bool:
    """Append the missing bytes to `part`, or write it from its beginning. Returns: whether it was resumed."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "vi-simsiam", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=_TIMEOUT) as source:
            start = have if source.status == 206 else 0
            length = source.headers.get("Content-Length", "")
            total = start + int(length) if length.isdecimal() else None
            with writing(part):
                sink = open(part, "ab" if start else "wb")  # noqa: SIM115 - closed below; errors of opening have another message
            with sink, tqdm(total=total, initial=start, unit="B", unit_scale=True, disable=None) as bar:
                while block := source.read(_BLOCK):
                    with writing(part):
                        sink.write(block)
                    bar.update(len(block))
                with writing(part):
                    sink.flush()
                    os.fsync(sink.fileno())
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # no bytes after `have`: `part` is the whole file, or another one
            part.unlink()
            return _transfer(address, part)
        raise _Failed(f"HTTP {error.code} {error.reason}", error.code >= 500 or error.code in _PASSING) from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        said = f"{type(reason).__name__}: {reason}" if isinstance(reason, Exception) else str(reason)
        raise _Failed(said, passing=not address.startswith("file:")) from None
    if total is not None and (done := part.stat().st_size) < total:
        raise _Failed(f"connection closed after {done} of {total} bytes", passing=True)
    return start > 0
