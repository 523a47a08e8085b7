"""Faults done to the tiny run, counted: `python tests/helpers/fault_matrix.py --kills 50 --corruptions 50`.

Kills: kill -9 at random moments, then the same command again. Every finished run must have the files of an undisturbed
one, byte for byte, but for `run.json`, which holds times.

Signals: SIGINT to all processes (Ctrl-C) or SIGTERM to the first alone, at random moments; all must be gone within
seconds, and the same command must finish as above.

Pairs: two runs started at once in one folder, of either engine. One at least must finish, the other too or say that the
folder is taken, and the results must be those of one run.

Corruptions: a flipped bit, a cut or an emptied file among downloads, stores, models, and results. The step that reads
the file and `dvc repro` must refuse it with its name; once it is deleted, `dvc repro` must bring back the same bytes.

CONTRIBUTING.md has the counts.
"""

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from helpers.project import ROOT, Repo, copy_project

sys.path.insert(0, str(ROOT / "src"))

COMMANDS = (["snakemake", "--cores", "2"], ["dvc", "repro"])
TIMED = {"run.json"}  # hold the time, the duration and the command
SECONDS = 15  # from a signal to the end of the last process: on a busy machine; an idle one needs one or two


def contents(repo: Repo) -> dict[str, str]:
    """SHA-256 of every result."""
    files = [path for top in ("data", "results") for path in (repo.path / top).rglob("*") if path.is_file()]
    kept = [path for path in files if path.name not in TIMED and path.name != ".gitignore"]
    return {str(path.relative_to(repo.path)): hashlib.sha256(path.read_bytes()).hexdigest() for path in kept}


def assert_same(found: dict[str, str], expected: dict[str, str], after: str) -> None:
    different = {name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)}
    assert not different, f"after {after}: {sorted(different)} differ"


class Started:
    """A command in a session of its own."""

    def __init__(self, repo: Repo, command: list[str]):
        self.said = tempfile.TemporaryFile("w+")  # noqa: SIM115 (read at the end)
        self.command = command
        # A shell in the background ignores SIGINT, and what it starts inherits that.
        self.process = subprocess.Popen(
            command, cwd=repo.path, env=repo.env, start_new_session=True, stdout=self.said, stderr=subprocess.STDOUT,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip

    def ended_within(self, seconds: float) -> bool:
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def wait_for(self, condition: Callable[[], Any]) -> None:
        """Wait until a condition holds, while the command runs."""
        end = time.monotonic() + 120
        while not condition():
            assert time.monotonic() < end and self.process.poll() is None, f"{self.command}\n{self.text()}"
            time.sleep(0.02)

    def steps(self) -> list[str]:
        """The pipeline's steps whose scripts run at this moment."""
        commands = [" ".join(_command(process)) for process in living(self.process.pid)]
        return sorted({found[1] for command in commands if (found := re.search(r"src/(\w+)\.py", command))})

    def text(self) -> str:
        self.said.seek(0)
        return self.said.read()

    def assert_succeeded(self) -> None:
        assert self.process.returncode == 0, f"{self.command} returned {self.process.returncode}\n{self.text()}"


def living(session: int) -> list[psutil.Process]:
    """Processes of a session that are not yet gone."""
    found = []
    for process in psutil.process_iter(["status"]):
        try:
            if os.getsid(process.pid) == session and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process)
        except ProcessLookupError:
            continue
    return found


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def kill(run: Started) -> None:
    """kill -9 to every process."""
    os.killpg(run.process.pid, signal.SIGKILL)
    run.process.wait()


class Signals:
    """SIGINT to all processes, as Ctrl-C sends it, and SIGTERM to the first one, in turns."""

    def __init__(self):
        self.numbers: list[signal.Signals] = []
        self.slowest = 0.0  # s until the last process was gone

    def __call__(self, run: Started) -> None:
        self.numbers.append((signal.SIGINT, signal.SIGTERM)[len(self.numbers) % 2])
        start = time.monotonic()
        (os.killpg if self.numbers[-1] == signal.SIGINT else os.kill)(run.process.pid, self.numbers[-1])
        while left := living(run.process.pid):
            assert time.monotonic() - start < SECONDS, f"{self.numbers[-1].name}: {left}\n{run.text()}"
            time.sleep(0.05)
        run.process.wait()
        self.slowest = max(self.slowest, time.monotonic() - start)


def interrupted_matrix(
    folder: Path, end: Callable[[Started], None], times: int, expected: dict[str, str], usual: float, seed: int = 0
) -> Counter[str]:
    """End runs at random moments until that has been done so many times, finishing every run.

    Args:
        folder: to work in.
        end: ends a run.
        times: how often.
        expected: the contents of an undisturbed run.
        usual: seconds that one takes.
        seed: of the moments.

    Returns: how often runs were ended, in which steps, and what was compared.
    Raises: AssertionError when a finished run differs from an undisturbed one, or a command after an end fails.
    """
    rng = random.Random(seed)
    counts: Counter[str] = Counter()
    while counts["ended"] < times:
        repo = copy_project(folder / f"run{counts['runs finished']}")
        command = COMMANDS[counts["runs finished"] % len(COMMANDS)]
        while True:
            run = Started(repo, command)
            # So early that a run is ended several times; as it goes on where it was, all its steps have their turn.
            if run.ended_within(rng.uniform(0, usual / 2) if counts["ended"] < times else 3600):
                break
            counts.update(f"ended in {step}" for step in run.steps() or ["no step"])
            end(run)
            counts["ended"] += 1
        run.assert_succeeded()
        found = contents(repo)
        assert_same(found, expected, f"{end} of {command}")
        repo.snakemake("-n")
        counts.update({"runs finished": 1, "files compared": len(found)})
        print(dict(counts), flush=True)
        shutil.rmtree(repo.path)
    return counts


def pair_matrix(repo: Repo, pairs: int) -> Counter[str]:
    """Start two runs at once in a finished run's folder, where a probe and all after it are due, so many times."""
    counts: Counter[str] = Counter()
    expected: dict[float, dict[str, str]] = {}
    for i in range(pairs):
        C = (2.0, 1.0)[i % 2]
        repo.set("probe.C", C)
        runs = [Started(repo, COMMANDS[i // 2 % 2]), Started(repo, COMMANDS[i // 4 % 2])]
        for run in runs:
            run.process.wait(600)
        failed = [run for run in runs if run.process.returncode]
        for run in failed:
            assert "another run works in" in run.text() and "Traceback" not in run.text(), run.text()
        assert len(failed) < 2, "\n".join(run.text() for run in runs)
        repo.repro()
        found = contents(repo)
        assert_same(found, expected.setdefault(C, found), f"{runs[0].command} beside {runs[1].command}")
        repo.agree()
        counts.update(["pairs", "one said that the folder is taken" if failed else "both succeeded"])
        print(dict(counts), flush=True)
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
READ_BY_NONE = {"report.csv", "scoring.json", "known.safetensors", "views.parquet", "ood.parquet", "corrupted.parquet"}


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


def reading(repo: Repo, step: str, file: Path) -> list[str]:
    """The command of a job of a step that reads what is in the file's folder."""
    records = [json.loads(path.read_text()) for path in sorted(repo.path.glob(f"*/{step}/**/run.json"))]
    return next(done["command"] for done in records if any(Path(name).parent == file.parent for name in done["inputs"]))


def corrupt(repo: Repo, file: Path, damage: Callable, rng: random.Random, expected: dict[str, str]) -> bool:
    """Damage one file of a finished run; whether a step refused it (some files are read by none).

    Raises: AssertionError when the damage is not named, is used, or `dvc repro` does not make it.
    """
    path = repo.path / file
    path.write_bytes(damage(path.read_bytes(), rng))
    if step := reader(file):
        said = repo("python3", *reading(repo, step, file), ok=False)
        assert f"error: {file}" in said, f"{damage.__name__} {file} is not refused by {step}:\n{said}"
    if file.name not in TIMED:  # a damaged record, whose job runs again
        said = repo.repro(ok=False)
        assert f"error: {file}" in said, f"{damage.__name__} {file} is not refused by dvc repro:\n{said}"
        path.unlink()
    repo.repro()
    assert_same(contents(repo), expected, f"{damage.__name__} {file} and dvc repro")
    return step is not None


def corruption_matrix(repo: Repo, corruptions: int, seed: int = 0) -> Counter[str]:
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
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for fault in ("kills", "signals", "pairs", "corruptions"):
        parser.add_argument(f"--{fault}", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        finished = copy_project(folder / "finished")
        start = time.monotonic()
        finished.snakemake()
        usual = time.monotonic() - start
        finished.repro()
        expected = contents(finished)
        if args.kills:
            print("kills", dict(interrupted_matrix(folder, kill, args.kills, expected, usual, args.seed)))
        if args.signals:
            send = Signals()
            counts = interrupted_matrix(folder, send, args.signals, expected, usual, args.seed)
            print("signals", dict(counts), f"all gone after {send.slowest:.1f} s at most")
        if args.corruptions:
            print("corruptions", dict(corruption_matrix(finished, args.corruptions, args.seed)))
        if args.pairs:
            print("pairs", dict(pair_matrix(finished, args.pairs)))


if __name__ == "__main__":
    sys.exit(main())
