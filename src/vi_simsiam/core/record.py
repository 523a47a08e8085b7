"""`run.json`: what made a result, and what the result was. Written last, so that its presence means success.

Snakemake and DVC's stages ask it whether a result is current (`differs`), and nothing else.
"""

import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from vi_simsiam.core import git, job_code, processor
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import read_json, sha256, write_json

NAME = "run.json"
_HERE = Path(__file__).parent
IDENTITY = ("dataset", "method", "seed")
_PACKAGES = ("torch", "torchvision", "numpy", "scipy", "scikit-learn", "pandas", "matplotlib")


class RunRecord:
    """The record of a job; made when the job starts, written when all its files are there.

    Args:
        step: name of the pipeline step.
        params: the resolved parameters the job was given, exactly (the DVC stage compares them).
        made_from: folders of the earlier steps' results that the job reads. Of their records, and of those they were
            made from in turn, this record keeps step, parameters and what they were about: it is enough to make all of
            it again (`workflow/rerun.py`).
        code: digest of the job's code; None: of the step's script and what it imports.
        identity: what the job is about: dataset, method, seed.

    It also keeps a digest of the job's code, and the SHA-256 of every file in `made_from`.

    Raises: Problem when one of `made_from` has no readable record.
    """

    def __init__(
        self,
        step: str,
        params: dict[str, Any],
        made_from: Iterable[Path] = (),
        code: str | None = None,
        **identity: str | int,
    ):
        self.started = time.time()
        self.step, self.params, self.identity = step, params, identity
        self.code = code or job_code.digest(step, identity.get("method"))
        self.inputs: dict[str, str] = {}
        self.made_from: dict[str, Any] = {}
        for folder in made_from:
            record = read(folder)
            self.inputs |= {
                f"{Path(folder).as_posix()}/{name}": checksum for name, checksum in record["outputs"].items()
            }
            self.made_from |= record["made_from"]
            self.made_from[Path(folder).as_posix()] = {
                key: record[key] for key in ("step", *IDENTITY, "params") if key in record
            }

    def write(self, folder: Path, device: str = "cpu", checksums: Mapping[str, str] | None = None, **more: Any) -> None:
        """Write `folder`/run.json.

        Args:
            folder: the result's folder; every file in it, but for hidden ones, is one of the job's outputs.
            device: the torch device the job ran on.
            checksums: SHA-256 of outputs that have been computed already, by name.
            more: further entries.
        """
        checksums = checksums or {}
        outputs = {name: checksums.get(name) or sha256(folder / name) for name in _outputs(folder)}
        write_json(
            folder / NAME,
            {
                "step": self.step,
                **self.identity,
                **more,
                "params": self.params,
                "code": self.code,
                "git_commit": git.commit(_HERE, _HERE, _HERE.parent),  # null outside a checkout
                "command": sys.argv,
                "python": platform.python_version(),
                "platform": platform.platform(),
                "processor": processor.name(),
                "versions": versions(),
                "device": device,
                "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.started)),
                "seconds": round(time.time() - self.started, 2),
                # Of all the process and of those it started, its imports included.
                "cpu_seconds": round(sum(os.times()[:4]), 2),
                "outputs": outputs,
                "inputs": dict(sorted(self.inputs.items())),
                "made_from": dict(sorted(self.made_from.items())),
            },
        )


def read(folder: Path) -> dict[str, Any]:
    """The record in a result's folder. Raises: Problem when there is none, it is damaged, or of an older version."""
    path = Path(folder) / NAME
    record = read_json(path)
    parts = {"step": str, "params": dict, "code": str, "outputs": dict, "inputs": dict, "made_from": dict}
    if not isinstance(record, dict) or not all(isinstance(record.get(key), kind) for key, kind in parts.items()):
        raise Problem(f"{path} is damaged or of an older version. Delete it and run again (`snakemake --cores all`).")
    return record


def verify(folder: Path, *names: str) -> None:
    """Compare files of a result with the SHA-256 in its record.

    Args:
        folder: the result's, with its run.json.
        names: files in it, which the caller is about to read.

    Raises: Problem naming the first file that is missing or is not the one that the job wrote.
    """
    outputs = read(folder)["outputs"]
    for name in names:
        path = Path(folder) / name
        if trouble := _trouble(path, outputs.get(name)):
            again = "Run again" if not path.exists() else "Delete it and run again"
            raise Problem(f"{path} {trouble}. {again} (`snakemake --cores all`).")


def differs(folder: Path, inputs: Iterable[str], **wanted: Any) -> str | None:
    """Why a result is not what a job would make now; None when it is. Contents of files are not read again.

    Args:
        folder: the result's.
        inputs: files of other results that the job reads. They must be, by the records beside them, those it has read.
        wanted: entries that the record must have: `params`, `code`, and what else the job writes.
    """
    try:
        done = read(folder)
        outputs = {parent: read(parent)["outputs"] for parent in {Path(path).parent for path in inputs}}
    except Problem as problem:
        return str(problem)
    for name, value in wanted.items():
        if done.get(name) != value:
            return f"other {name}"
    for path in map(Path, inputs):
        if done["inputs"].get(path.as_posix()) != outputs[path.parent].get(path.name):
            return f"other contents of {path}"
    return None


def damaged(folder: Path) -> list[tuple[Path, str]]:
    """Files of a result that are not as its job wrote them, each with what is wrong. Raises: Problem as `read`."""
    outputs = read(folder)["outputs"]
    troubles = ((Path(folder) / name, _trouble(Path(folder) / name, checksum)) for name, checksum in outputs.items())
    return [(path, trouble) for path, trouble in troubles if trouble]


def remove_damaged(folder: Path, wanted: Callable[[dict[str, Any]], bool]) -> Iterator[str]:
    """Remove from a result the files that are not as its job wrote them, and the record, so that the job runs again.

    Args:
        folder: the result's.
        wanted: whether the result of a record is wanted; others stay as they are.

    Yields: what is wrong, a sentence for each file.
    """
    try:
        if not wanted(read(folder)):
            return
        troubles = damaged(folder)
    except Problem as problem:
        yield str(problem)
        (folder / NAME).unlink()
        return
    for file, trouble in troubles:
        yield f"{file} {trouble}"
        file.unlink(missing_ok=True)
        (folder / NAME).unlink(missing_ok=True)


def versions() -> dict[str, str | None]:
    """Versions of the packages that numbers depend on; None for one that is not installed."""
    return {name: _version(name) for name in _PACKAGES}


def _outputs(folder: Path) -> list[str]:
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return [name for name in names if name != NAME and not any(part.startswith(".") for part in name.split("/"))]


def _trouble(path: Path, checksum: str | None) -> str | None:
    if not path.is_file():
        return "is missing"
    if checksum is None:
        return f"is not among the files that {NAME} beside it lists"
    return None if sha256(path) == checksum else f"is damaged: its SHA-256 is not the one in {NAME} beside it"


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
