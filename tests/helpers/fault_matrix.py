"""Faults done to the tiny run: random kills, two runs at once, damaged files. CONTRIBUTING.md has the promises."""

import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from helpers.project import Repo, copy_project
from vi_simsiam.core.files import sha256

COMMANDS = (["snakemake", "--cores", "2"], ["dvc", "repro"])
SECONDS = 15  # from a signal to the end of the last process: on a busy machine; an idle one needs one or two


def contents(repo: Repo) -> dict[str, str]:
    """SHA-256 of every result."""
    files = [path for top in ("data", "results") for path in (repo.path / top).rglob("*") if path.is_file()]
    results = [path for path in files if path.name not in ("run.json", ".gitignore")]  # run.json holds times
    return {str(path.relative_to(repo.path)): sha256(path) for path in results}


def assert_same(found: dict[str, str], expected: dict[str, str], after: str) -> None:
    different = {name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)}
    assert not different, f"after {after}: {sorted(different)} differ"


class Started:
    """A command in a new session."""

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

    def text(self) -> str:
        self.said.seek(0)
        return self.said.read()


def living(session: int) -> list[psutil.Process]:
    """Processes of a session that have not ended."""
    found = []
    for process in psutil.process_iter(["status"]):
        try:
            if os.getsid(process.pid) == session and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process)
        except ProcessLookupError:
            continue
    return found


def interrupted_matrix(folder: Path, times: int, expected: dict[str, str], usual: float, seed: int = 0) -> None:
    """Kill all processes of runs at random moments, so many times; each run is started again until it has finished.

    Args:
        folder: to work in.
        times: number of kills.
        expected: the contents of an undisturbed run.
        usual: seconds that one takes.
        seed: of the moments.

    Raises: AssertionError when a finished run differs from an undisturbed one, or a command after a kill fails.
    """
    rng = random.Random(seed)
    killed = runs = 0
    while killed < times:
        repo = copy_project(folder / f"run{runs}")
        command = COMMANDS[runs % len(COMMANDS)]
        # So early that a run is killed several times; as it goes on where it was, each of its steps has its turn.
        while not (run := Started(repo, command)).ended_within(rng.uniform(0, usual / 2) if killed < times else 3600):
            os.killpg(run.process.pid, signal.SIGKILL)
            run.process.wait()
            killed += 1
        runs += 1
        assert run.process.returncode == 0, f"{command} returned {run.process.returncode}\n{run.text()}"
        assert_same(contents(repo), expected, f"kill -9 of {command}")
        repo.snakemake("-n")
        shutil.rmtree(repo.path)


def flipped(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(1, len(data))]


def emptied(data: bytes, rng: random.Random) -> bytes:
    return b""


DAMAGES = (flipped, cut, emptied)
# The step that reads a step's files next.
READER = {"download": "cache_views", "cache_views": "pretrain", "pretrain": "probe", "probe": "uncertainty"}


def reading(repo: Repo, step: str, file: Path) -> list[str]:
    """The command of a job of a step that reads what is in the file's folder."""
    records = [json.loads(path.read_text()) for path in sorted(repo.path.glob(f"*/{step}/**/run.json"))]
    return next(r["command"] for r in records if any(Path(name).parent == file.parent for name in r["inputs"]))


def corrupt(repo: Repo, file: Path, damage: Callable, rng: random.Random) -> None:
    """Damage a file of a finished run, which is refused with its name until it is deleted; then make it again.

    Args:
        file: relative to the project; of a step that another one reads.

    Raises: AssertionError when the damage is not named, is used, or `dvc repro` does not make the same bytes.
    """
    expected = contents(repo)
    path, step = repo.path / file, READER[file.parts[1]]
    path.write_bytes(damage(path.read_bytes(), rng))
    for said in (repo("python3", *reading(repo, step, file), ok=False), repo.repro(ok=False)):
        assert f"error: {file}" in said, f"{damage.__name__} {file} is not refused:\n{said}"
    path.unlink()
    repo.repro()
    assert_same(contents(repo), expected, f"{damage.__name__} {file} and dvc repro")
