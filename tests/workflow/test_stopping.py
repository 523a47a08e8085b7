"""A signal ends a run within seconds, whichever of its processes gets it; nothing half-made stays, nothing is lost."""

import signal
import time

import pytest

from helpers.fault_matrix import SECONDS, Started, living

pytestmark = pytest.mark.slow
RESULT = "results/pretrain/digits/vi_simsiam/seed0"
SNAKEMAKE, DVC = ["snakemake", "--cores", "2"], ["dvc", "repro"]


def training(repo, command):
    """A run that has begun to train, and would do so for minutes."""
    run = Started(repo, command)
    end = time.monotonic() + 120
    while not any(path for path in (repo.path / "scratch/pretrain").glob("[!.]*")):
        assert time.monotonic() < end and run.process.poll() is None, f"no checkpoint was seen\n{run.text()}"
        time.sleep(0.02)
    return run.process


@pytest.mark.parametrize(
    ("command", "number"),
    [(SNAKEMAKE, signal.SIGTERM), (SNAKEMAKE, signal.SIGINT), (DVC, signal.SIGTERM)],
    ids=["snakemake-TERM", "snakemake-INT", "dvc-TERM"],
)
def test_a_signal_to_the_first_process_alone_ends_all(repo, command, number):
    """As `kill PID`, a job system or `timeout` send it; Ctrl-C, which reaches all of them, is test_engines' case."""
    repo.set("recipes.digits.pretrain.epochs", 5000)
    process = training(repo, command)
    start = time.monotonic()
    process.send_signal(number)
    process.wait(SECONDS)
    while left := living(process.pid):
        assert time.monotonic() - start < SECONDS, left
        time.sleep(0.05)
    assert process.returncode != 0
    assert not (repo.path / RESULT / "run.json").exists() and not (repo.path / RESULT / "model.safetensors").exists()
    # What was trained is not lost (test_engines goes on from it), and the folder can be worked in at once.
    assert [path for path in (repo.path / "scratch/pretrain").iterdir() if not path.name.startswith(".")]
    repo.set("recipes.digits.pretrain.epochs", 2)
    repo(*command)
    assert repo.ran()["pretrain"] == 1
    repo.repro()
    repo.agree()
