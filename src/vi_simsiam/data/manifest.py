"""`manifest.json`: which raw files a data set was downloaded as, and their checksums."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import read_json, sha256, write_json

FILE = "manifest.json"


@dataclass(frozen=True)
class Manifest:
    """What a download folder holds. `paths` are relative to the folder, with forward slashes."""

    dataset: str
    source: str
    paths: tuple[str, ...]


def write_manifest(folder: Path, dataset: str, source: str, paths: list[str]) -> dict[str, str]:
    """Write manifest.json for raw files of `folder` (paths relative to it), which are whole; returns their SHA-256."""
    files = [{"path": path, "bytes": (folder / path).stat().st_size, "sha256": sha256(folder / path)} for path in paths]
    write_json(folder / FILE, {"dataset": dataset, "source": source, "files": files})
    return {path: str(file["sha256"]) for path, file in zip(paths, files, strict=True)}


def verified_manifest(folder: Path) -> Manifest:
    """Read manifest.json and compare every file with its size and checksum.

    Raises: Problem naming the manifest or the file that is missing, damaged, or not inside the folder.
    """
    written = read_json(folder / FILE)
    again = f"Delete the folder {folder} and run again (`snakemake --cores all`)."
    try:
        entries = [(file["path"], file["bytes"], file["sha256"]) for file in written["files"]]
        manifest = Manifest(written["dataset"], written["source"], tuple(path for path, _, _ in entries))
    except (KeyError, TypeError) as error:
        raise Problem(f"{folder / FILE} is not a manifest of a download ({error!r}). {again}") from None
    for path, size, checksum in entries:
        parts = PurePosixPath(path)
        if parts.is_absolute() or ".." in parts.parts or not (folder / path).resolve().is_relative_to(folder.resolve()):
            raise Problem(f"{folder / FILE}: {path} is not inside the folder. {again}")
        if not (folder / path).is_file():
            raise Problem(f"{folder / path} is missing. {again}")
        if (actual := (folder / path).stat().st_size) != size:
            raise Problem(f"{folder / path} is damaged: it has {actual} bytes, not {size}. {again}")
        if sha256(folder / path) != checksum:
            raise Problem(f"{folder / path} is damaged: its SHA-256 is not the one it was downloaded with. {again}")
    return manifest
