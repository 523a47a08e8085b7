"""`run.json`: code, parameters, inputs and outputs of a result. Written last, so that its presence means success.

Snakemake and DVC's stages decide from it alone whether a result is current (`why_stale`).
"""

import functools
import hashlib
import os
import platform
import resource
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from vi_simsiam.core import environment, git, processor
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import check_writable, move, read_json, sha256, write_json
from vi_simsiam.core.text import several, shorten

NAME = "run.json"
UNFINISHED = ".unfinished"  # in a result's folder: the next result, until it is complete
IDENTITY = ("dataset", "method", "seed")
_HERE = Path(__file__).parent
_PACKAGE = Path(__file__).resolve().parents[1]
_SRC = _PACKAGE.parent
_OWN = (_PACKAGE.name, "__main__")  # where names of the project's modules begin
_DATA = {".html", ".css", ".js"}  # files beside a module that it reads: templates
# Modules that check parameters. They are left out of a job's code, because its parameters are compared themselves.
_CHECKS = {f"vi_simsiam/config/{name}.py" for name in ("schema", "encoders")}
# Parameters of how files are fetched. The checksums are known, so the files are the same.
_WAYS = {"download": ("mirrors", "retries")}
DECODERS = ("pillow", "pillow-heif")  # packages whose versions decide the pixels of an image
_PACKAGES = ("torch", "torchvision", "numpy", "scipy", "scikit-learn", "pandas", "matplotlib", *DECODERS)
_WORDS = {"images_state": "images", "soft_labels": "soft labels", "runs": "data sets, methods or seeds"}


class RunRecord:
    """The record of a job; made when the job starts, written after all its files.

    It also holds digests of the job's source files, and the SHA-256 of every file in `folders`.

    Args:
        step: name of the pipeline step.
        params: the job's resolved parameters, as they were passed to it.
        folders: folders of the earlier steps' results that the job reads.
        identity: what the job is about: dataset, method, seed.

    Raises: Problem when one of `folders` has no readable record.
    """

    def __init__(self, step: str, params: dict[str, Any], folders: Iterable[Path] = (), **identity: str | int):
        self.started = time.time()
        self.step, self.params, self.identity = step, params, identity
        # At the start: a source file that is edited during a long job was imported as it was before.
        self._sources = {name: _digest(name) for name in _source_files()}
        self.inputs: dict[str, str] = {}
        for folder in folders:
            outputs = read(folder)["outputs"]
            self.inputs |= {f"{Path(folder).as_posix()}/{name}": checksum for name, checksum in outputs.items()}

    def write(self, folder: Path, device: str = "cpu", checksums: Mapping[str, str] | None = None, **more: Any) -> None:
        """Write `folder`/run.json.

        Args:
            folder: the result's folder; every file in it, but for hidden ones, is one of the job's outputs.
            device: the torch device the job ran on.
            checksums: SHA-256 of outputs whose checksums are known, by name.
            more: further entries.
        """
        checksums = checksums or {}
        used = _used_files()
        outputs = {name: checksums.get(name) or sha256(folder / name) for name in _outputs(folder)}
        write_json(
            folder / NAME,
            {
                "step": self.step,
                **self.identity,
                **more,
                "params": self.params,
                "code": {name: digest for name, digest in self._sources.items() if name in used},
                "git_commit": git.commit(_HERE, _HERE, _HERE.parent),  # null outside a checkout
                "command": sys.argv,
                "python": platform.python_version(),
                "platform": platform.platform(),
                "processor": processor.name(),
                "versions": versions(),
                "environment": environment.recorded(),
                "device": device,
                "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.started)),
                "seconds": round(time.time() - self.started, 2),
                # Of this process, with its imports, and of the processes that it started.
                "cpu_seconds": round(sum(os.times()[:4]), 2),
                "peak_memory_mb": _peak_memory(),
                "outputs": outputs,
                "inputs": dict(sorted(self.inputs.items())),
            },
        )


@contextmanager
def new_result(folder: Path) -> Iterator[Path]:
    """Yield an empty folder for a job's files and its record, which then replace the result in `folder`.

    So the earlier result stays until the new one is complete, also after kill -9. Files are renamed within a few
    milliseconds. Meanwhile `folder` has no record, so that a half-replaced result is not taken for a result. After an
    error the unfinished files stay until the next attempt.
    """
    unfinished = folder / UNFINISHED
    shutil.rmtree(unfinished, ignore_errors=True)
    check_writable(unfinished / NAME)
    yield unfinished
    earlier: Iterable[str] = ()
    with suppress(Problem):
        earlier = read(folder)["outputs"]
    names = read(unfinished)["outputs"]
    (folder / NAME).unlink(missing_ok=True)
    for name in set(_outputs(folder)).intersection(earlier) - set(names):
        (folder / name).unlink(missing_ok=True)
    for name in [*names, NAME]:
        move(unfinished / name, folder / name)
    shutil.rmtree(unfinished)


def read(folder: Path) -> dict[str, Any]:
    """The record in a result's folder. Raises: Problem when it is missing, damaged, or of an older version."""
    path = Path(folder) / NAME
    record = read_json(path)
    parts = {"step": str, "params": dict, "outputs": dict, "inputs": dict}
    if not isinstance(record, dict) or not all(isinstance(record.get(key), kind) for key, kind in parts.items()):
        raise Problem(f"{path} is damaged or of an older version. Delete it and run again (`snakemake --cores all`).")
    return record


def verify(folder: Path, *names: str) -> None:
    """Compare files of a result, before they are read, with the SHA-256 in its record.

    Raises: Problem naming the first file that is missing or differs from what the job wrote.
    """
    outputs = read(folder)["outputs"]
    for name in names:
        path = Path(folder) / name
        if not path.is_file():
            fault = "is missing"
        elif sha256(path) != outputs.get(name):
            fault = f"is damaged: its SHA-256 is not the one in {NAME} beside it"
        else:
            continue
        raise Problem(f"{path} {fault}. Delete the folder {folder} and run again (`snakemake --cores all`).")


def why_stale(folder: Path, inputs: Iterable[str], **wanted: Any) -> str | None:
    """The reason why a result is not the one that a job would make now; None when it is. No result is read again.

    Args:
        inputs: files of other results that the job reads. Their records must have the checksums that it has read.
        wanted: entries that the record must have: `step`, `params`, those of `IDENTITY`, and further ones of the job.
    """
    try:
        done = read(folder)
        outputs = {parent: read(parent)["outputs"] for parent in {Path(path).parent for path in inputs}}
    except Problem as problem:
        return str(problem)
    for name in ("step", *IDENTITY):
        if name in wanted and done.get(name) != wanted[name]:
            return f"{Path(folder) / NAME} is of {name} {done.get(name)}, not {wanted[name]}"
    if not isinstance(code := done.get("code"), dict):
        return f"{Path(folder) / NAME} is of an older version"
    if changed := [name for name, digest in code.items() if _digest(name) != digest]:
        return f"code of step {done['step']} changed: {several([f'{_SRC.name}/{name}' for name in changed])}"
    for name, value in wanted.items():
        before = done.get(name)
        if name == "params":
            before, value = (_deciding(done["step"], params) for params in (done[name], value))
            if changes := list(_changes(before, value, done["step"])):
                return f"other {'parameter' if len(changes) == 1 else 'parameters'} {several(changes)}"
        if before != value:
            return f"other {_WORDS.get(name, name)}"
    if done["step"] == "cache_views":
        for name, version in versions(*DECODERS).items():
            if (before := done.get("versions", {}).get(name)) != version:
                return f"other version of {name}: {before} -> {version}"
    for path in map(Path, inputs):
        if done["inputs"].get(path.as_posix()) != outputs[path.parent].get(path.name):
            return f"other contents of {path}"
    return None


def versions(*names: str) -> dict[str, str | None]:
    """Versions of packages, by default those that numbers depend on; None for one that is not installed."""
    return {name: _version(name) for name in names or _PACKAGES}


def _source_files() -> Iterator[str]:
    """Files of the package and the script that runs, by their paths from the folder that holds the package."""
    script = getattr(sys.modules["__main__"], "__file__", None)
    if script and Path(script).resolve().parent == _SRC:
        yield Path(script).name
    for path in sorted(_PACKAGE.rglob("*")):
        name = path.relative_to(_SRC).as_posix()
        if path.suffix in {".py", *_DATA} and name not in _CHECKS:
            yield name


def _used_files() -> set[str]:
    """Source files that this process has imported, and the data files beside them, as `_source_files` names them."""
    modules = [module for name, module in list(sys.modules.items()) if name.partition(".")[0] in _OWN]
    paths = {Path(file).resolve() for module in modules if (file := getattr(module, "__file__", None))}
    used = {path.relative_to(_SRC) for path in paths if path.parent == _SRC or path.is_relative_to(_PACKAGE)}
    folders = {path.parent for path in used} - {Path()}
    return {name.as_posix() for name in used} | {
        (folder / path.name).as_posix()
        for folder in folders
        for path in (_SRC / folder).iterdir()
        if path.suffix in _DATA
    }


@functools.cache
def _digest(name: str) -> str | None:
    """16 hexadecimal digits of a source file's SHA-256; None where it does not exist."""
    try:
        return hashlib.sha256((_SRC / name).read_bytes()).hexdigest()[:16]
    except FileNotFoundError:
        return None


def _deciding(step: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters on which the contents of a job's result depend."""
    return {name: value for name, value in params.items() if name not in _WAYS.get(step, ())}


def _changes(old: Any, new: Any, key: str) -> Iterator[str]:
    """Each value that differs, as `KEY: old -> new`."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys([*old, *new]):
            yield from _changes(old.get(name), new.get(name), f"{key}.{name}")
    elif old != new:
        yield f"{key}: {shorten(old)} -> {shorten(new)}"


def _peak_memory() -> int:
    """The most memory that this process has held, in MiB."""
    unit = 1 if sys.platform == "darwin" else 1024  # bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit >> 20


def _outputs(folder: Path) -> list[str]:
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return [name for name in names if name != NAME and not any(part.startswith(".") for part in name.split("/"))]


@functools.cache
def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
