"""kill -9 at random moments of the tiny run, then the same command again: `python tests/fault_matrix.py --kills 50`.

Every finished run must have the files of an undisturbed one, byte for byte, but for `run.json`, which holds times.
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from conftest import Repo, copy_project

COMMANDS = (["snakemake", "--cores", "2"], ["dvc", "repro"])
TIMED = {"run.json"}  # hold the time, the duration and the command
LONGEST = 60.0  # s from start to kill, at most


def contents(repo: Repo) -> dict[str, str]:
    """SHA-256 of every result."""
    files = [path for top in ("data", "results") for path in (repo.path / top).rglob("*") if path.is_file()]
    kept = [path for path in files if path.name not in TIMED and path.name != ".gitignore"]
    return {str(path.relative_to(repo.path)): hashlib.sha256(path.read_bytes()).hexdigest() for path in kept}


def killed(repo: Repo, command: list[str], after: float) -> tuple[bool, str]:
    """Start a command and kill all its processes `after` so many seconds; whether it came to that, and what it said."""
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            command, cwd=repo.path, env=repo.env, start_new_session=True, stdout=said, stderr=subprocess.STDOUT
        )
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True, ""
        said.seek(0)
        text = said.read()
    assert process.returncode == 0, f"{command} returned {process.returncode}\n{text}"
    return False, text


def matrix(folder: Path, kills: int, seed: int = 0) -> dict[str, int]:
    """Kill runs until there have been so many kills, finishing every run; returns what happened, counted.

    Raises: AssertionError when a finished run differs from an undisturbed one, or a command after a kill fails.
    """
    rng = random.Random(seed)
    undisturbed = copy_project(folder / "undisturbed")
    start = time.monotonic()
    undisturbed.snakemake()
    usual = time.monotonic() - start
    expected = contents(undisturbed)
    counts = {"kills": 0, "runs finished": 0, "files compared": 0}
    while counts["kills"] < kills:
        repo = copy_project(folder / f"run{counts['runs finished']}")
        command = COMMANDS[counts["runs finished"] % len(COMMANDS)]
        finished = False
        while not finished:
            after = rng.uniform(0, min(LONGEST, usual)) if counts["kills"] < kills else 3600
            was_killed, _ = killed(repo, command, after)
            counts["kills"] += was_killed
            finished = not was_killed
        found = contents(repo)
        different = {name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)}
        assert not different, f"after kills: {sorted(different)}"
        repo.snakemake("-n")
        counts["runs finished"] += 1
        counts["files compared"] += len(found)
        print(counts, flush=True)
        shutil.rmtree(repo.path)
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(matrix(Path(folder), args.kills, args.seed))


if __name__ == "__main__":
    sys.exit(main())
