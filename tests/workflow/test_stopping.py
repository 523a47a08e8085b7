"""A signal ends a run within seconds, whichever of its processes gets it; nothing half-made stays, nothing is lost."""

import shutil
import signal
import time

import pytest

from helpers.fault_matrix import SECONDS, Started, living

pytestmark = pytest.mark.nightly
RESULT = "results/pretrain/digits/vi_simsiam/seed0"
SNAKEMAKE, DVC = ["snakemake", "--cores", "2", "--", "step_pretrain"], ["dvc", "repro", "pretrain"]


def training(repo, command):
    """A run that has begun to train, and would do so for minutes."""
    run = Started(repo, command)
    run.wait_for(lambda: any((repo.path / "scratch/pretrain").glob("[!.]*")))
    return run.process


def test_a_signal_to_the_first_process_alone_ends_all(repo):
    """As `kill PID`, a job system or `timeout` send it; Ctrl-C, which reaches all of them, is test_engines' case."""
    record = repo.read(f"{RESULT}/run.json")
    for command, number in ((SNAKEMAKE, signal.SIGTERM), (SNAKEMAKE, signal.SIGINT), (DVC, signal.SIGTERM)):
        repo.set("recipes.digits.pretrain.epochs", 5000)
        process = training(repo, command)
        start = time.monotonic()
        process.send_signal(number)
        process.wait(SECONDS)
        while left := living(process.pid):
            assert time.monotonic() - start < SECONDS, left
            time.sleep(0.05)
        assert process.returncode != 0
        assert repo.read(f"{RESULT}/run.json") == record  # the earlier result
        # What was trained is not lost (test_engines goes on from it).
        assert [path for path in (repo.path / "scratch/pretrain").iterdir() if not path.name.startswith(".")]
        shutil.rmtree(repo.path / "scratch")
    repo.set("recipes.digits.pretrain.epochs", 2)
    repo(*DVC)
    assert repo.ran() == {}
    assert "Nothing to be done" in repo.snakemake("-n")
