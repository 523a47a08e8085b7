"""Faults done to the tiny run, counted: `python tests/fault_matrix.py --kills 50 --corruptions 50`.

Kills: kill -9 at random moments, then the same command again. Every finished run must have the files of an undisturbed
one, byte for byte, but for `run.json`, which holds times.

Corruptions: a flipped bit, a cut or an emptied file among downloads, stores, models, and results. `make verify` must
name it, the step that reads the file must refuse it with its name, and `dvc repro` must bring back the same bytes.
docs/reliability.md has the counts.
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
from collections import Counter
from collections.abc import Callable
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


def kill_matrix(folder: Path, kills: int, seed: int = 0) -> dict[str, int]:
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


def flipped(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(1, len(data))]


def emptied(data: bytes, rng: random.Random) -> bytes:
    return b""


DAMAGES = (flipped, cut, emptied)
# The step that reads a step's files next, and those that none reads.
READER = {
    "download": "cache_views",
    "cache_views": "pretrain",
    "pretrain": "probe",
    "probe": "uncertainty",
    "uncertainty": "plot",
    "plot": None,
}
READ_BY_NONE = {"report.csv", "scoring.json", "predictions.parquet", "views.parquet", "ood.parquet"}


def reader(file: Path) -> str | None:
    """Step of the workflow that reads a file of data/ or results/ (relative to the project)."""
    step = file.parts[1]
    if file.name == "history.csv":
        return "plot"
    return None if file.name in READ_BY_NONE else READER[step]


def targets(repo: Repo) -> list[tuple[Path, Callable]]:
    """Every file of data/ and results/ with each kind of damage, but for the bits of what holds times."""
    files = sorted(
        path.relative_to(repo.path)
        for top in ("data", "results")
        for path in (repo.path / top).rglob("*")
        if path.is_file() and path.name != ".gitignore" and path.stat().st_size > 1
    )
    return [(file, damage) for file in files for damage in DAMAGES if damage is not flipped or file.name not in TIMED]


def corrupt(repo: Repo, file: Path, damage: Callable, rng: random.Random, expected: dict[str, str]) -> bool:
    """Damage one file of a finished run; whether a step refused it (some files are read by none).

    Raises: AssertionError when the damage is not named, is used, or is not repaired by `dvc repro`.
    """
    path = repo.path / file
    path.write_bytes(damage(path.read_bytes(), rng))
    named = repo("python3", "workflow/verify.py", ok=False)
    assert str(file) in named, f"{damage.__name__} {file} is not named:\n{named}"
    if step := reader(file):
        rule = ["--forcerun", step, "--", f"step_{step}"]
        said = repo.snakemake("--keep-going", *rule, ok=False)
        assert f"error: {file}" in said, f"{damage.__name__} {file} is not refused by {step}:\n{said}"
    repo.repro()
    found = contents(repo)
    different = {name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)}
    assert not different, f"{damage.__name__} {file}: {sorted(different)} differ after dvc repro"
    repo("python3", "workflow/verify.py")
    return step is not None


def corruption_matrix(repo: Repo, corruptions: int, seed: int = 0) -> dict[str, int]:
    """So many corruptions of a finished run, every file before any twice; returns what happened, counted."""
    rng = random.Random(seed)
    expected = contents(repo)
    chosen = targets(repo)
    rng.shuffle(chosen)
    # Every file once before any of them a second time.
    rank: Counter[Path] = Counter()
    order = []
    for file, damage in chosen:
        order.append((rank[file], len(order), file, damage))
        rank[file] += 1
    counts: Counter[str] = Counter()
    for _, _, file, damage in sorted(order)[:corruptions]:
        refused = corrupt(repo, file, damage, rng, expected)
        counts.update(["corruptions", file.parts[1], damage.__name__, "refused" if refused else "read by no step"])
        print(f"{damage.__name__:8} {file}", flush=True)
    return dict(counts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--corruptions", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.kills:
            print(kill_matrix(Path(folder), args.kills, args.seed))
        if args.corruptions:
            repo = copy_project(Path(folder) / "finished")
            repo.repro()
            print(corruption_matrix(repo, args.corruptions, args.seed))


if __name__ == "__main__":
    sys.exit(main())
