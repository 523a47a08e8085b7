"""`run.json`: what made a result. Written beside every result, last, so that its presence means success."""

import platform
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from vi_simsiam.files import write_json

_PACKAGES = ("torch", "torchvision", "numpy", "scipy", "scikit-learn", "pandas", "matplotlib")


def write_run_record(
    folder: Path, step: str, params: dict[str, Any], started: float, device: str = "cpu", **identity: str | int
) -> None:
    """Write `folder`/run.json.

    Args:
        folder: the result's folder.
        step: name of the pipeline step.
        params: the resolved parameters the job was given, exactly (the DVC stage compares them).
        started: `time.time()` at the start of the job, seconds.
        device: the torch device the job ran on.
        identity: what the job was about: dataset, method, seed.
    """
    write_json(
        folder / "run.json",
        {
            "step": step,
            **identity,
            "params": params,
            "git_commit": _git_commit(),
            "command": sys.argv,
            "python": platform.python_version(),
            "platform": platform.platform(),
            "versions": versions(),
            "device": device,
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
            "seconds": round(time.time() - started, 2),
        },
    )


def versions() -> dict[str, str | None]:
    """Versions of the packages that numbers depend on; None for one that is not installed."""
    return {name: _version(name) for name in _PACKAGES}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git_commit() -> str | None:
    """Commit of the code that ran, with `-dirty` when the tree differs from it; None outside a checkout."""
    here = Path(__file__).parent
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=True)
        changes = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no", "--", str(here), str(here.parent)],
            cwd=here, capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + ("-dirty" if changes.stdout.strip() else "")
