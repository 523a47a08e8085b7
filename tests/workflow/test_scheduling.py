"""Jobs at the same time, with a stand-in for the training that records when it ran."""

import re

import pandas as pd
import pytest

from helpers.fault_matrix import Started
from helpers.stand_ins import SCRIPT

pytestmark = pytest.mark.slow

# Around a stand-in: leaves a file when it begins, and a line in trace.csv when it ends.
BEFORE = """\
import time
from pathlib import Path
from vi_simsiam.core import processes
processes.join_run()
begin = time.time()
Path("started").touch()
time.sleep({seconds})
"""
AFTER = """\
with open("trace.csv", "a") as file:
    file.write(f"{begin},{time.time()}\\n")
"""


def stand_in(repo, seconds):
    (repo.path / "src/pretrain.py").write_text(BEFORE.format(seconds=seconds) + SCRIPT + AFTER)


def most_at_once(repo) -> int:
    """The greatest number of trainings that ran at the same time, of the six that must have run."""
    trace = pd.read_csv(repo.path / "trace.csv", names=["begin", "end"])
    (repo.path / "trace.csv").unlink()
    assert len(trace) == 6
    return max(((trace.begin <= t) & (t < trace.end)).sum() for t in trace.begin)


def test_one_gpu_job_at_a_time_on_one_machine(repo):
    """A sweep runs as many jobs as there are cores if they use no GPU, else as many as profiles/default allows."""
    repo.set("seeds", [0, 1, 2])
    stand_in(repo, 1.5)  # long enough to meet where other tests run beside
    sweep = ["--forcerun", "pretrain", "--", "step_pretrain"]
    repo("snakemake", "--cores", "4", *sweep)
    assert most_at_once(repo) > 1
    repo("snakemake", "--cores", "4", "--set-resources", "pretrain:gpu=1", *sweep)
    assert most_at_once(repo) == 1
    repo("snakemake", "--cores", "4", "--set-resources", "pretrain:gpu=1", "--resources", "gpu=2", *sweep)
    assert most_at_once(repo) == 2


@pytest.mark.nightly
def test_the_scheduler_wakes_when_a_job_ends_and_at_no_other_time(repo):
    """With Snakemake's limit of jobs a second it also did so once a second for every job that had ended."""
    repo.set("seeds", [0, 1, 2])
    stand_in(repo, 1.5)
    said = repo("snakemake", "--cores", "1", "--verbose", "--forcerun", "pretrain", "--", "step_pretrain")
    jobs = len(re.findall("^Finished jobid: ", said, re.MULTILINE))
    assert jobs >= 6 and len(re.findall("^Ready jobs: ", said, re.MULTILINE)) <= jobs + 1


def test_second_run_in_the_same_folder(quick):
    """All are refused while the first run works, also with nothing to do; after kill -9 the same command goes on."""
    quick.set("pretrain.lr", 0.1)
    stand_in(quick, 60)  # killed before it ends
    command = ["snakemake", "--cores", "1", "--", "step_pretrain"]
    first = Started(quick, command)
    first.wait_for((quick.path / "started").exists)
    nothing_to_do = ["snakemake", "--cores", "1", "--", "step_download"]
    others = [Started(quick, other) for other in (command, nothing_to_do, ["dvc", "repro", "pretrain"])]
    for other in others:
        assert other.process.wait(120), other.command
        said = other.text()
        assert f"process {first.process.pid} on" in said and "Wait for its end, or end it" in said, said
    said = quick(*command, ok=False)  # also once the others have ended
    assert "error: another run works in" in said and "Traceback" not in said, said
    quick.snakemake("-n")
    stand_in(quick, 0)
    first.process.kill()
    first.process.wait(60)
    quick(*command)  # nothing to clear; the first run's job ends with it
    assert quick.ran() == {"pretrain": 2} and len((quick.path / "trace.csv").read_text().splitlines()) == 2
    assert "Nothing to be done" in quick.snakemake("-n", "--", "step_pretrain")
