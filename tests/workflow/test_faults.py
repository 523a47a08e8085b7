"""Faults done to a whole run; CONTRIBUTING.md has the promises."""

import json
import random
import resource
import shutil
import subprocess
from pathlib import Path

import pytest

from helpers.fault_matrix import COMMANDS, DAMAGES, Started, assert_same, contents, corrupt, interrupted_matrix

RUN = "digits/vi_simsiam/seed0"


@pytest.mark.nightly
def test_a_killed_run_ends_as_an_undisturbed_one(finished, tmp_path):
    interrupted_matrix(tmp_path, times=2, expected=contents(finished), usual=40, seed=1)


@pytest.mark.nightly
def test_two_runs_at_once(quick):
    """One at least finishes; the other may say that the folder is in use."""
    quick.set("probe.C", 2.0)
    runs = [Started(quick, COMMANDS[0]) for _ in range(2)]
    for run in runs:
        run.process.wait(600)
    failed = [run for run in runs if run.process.returncode]
    for run in failed:
        assert "another run works in" in run.text() and "Traceback" not in run.text(), run.text()
    assert len(failed) < 2, "\n".join(run.text() for run in runs)
    found = contents(quick)
    quick.repro()
    assert_same(contents(quick), found, "two runs at once")
    quick.agree()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("data/cache_views/digits/images_train.npy", 0),
        ("results/pretrain/digits/vi_simsiam/seed0/model.safetensors", 1),
        ("results/probe/digits/untrained/seed0/features_test.npy", 2),
    ],
)
def test_a_damaged_file_is_refused_and_once_deleted_made(repo, file, damage):
    corrupt(repo, Path(file), DAMAGES[damage], random.Random(0))
    repo.agree()


@pytest.mark.slow
@pytest.mark.parametrize(
    "folder",
    [
        "data/download/digits",
        "data/cache_views/digits",
        f"results/pretrain/{RUN}",
        f"results/probe/{RUN}",
        f"results/uncertainty/{RUN}",
        "results/plot",
    ],
)
def test_a_full_disk_is_a_sentence_in_every_step(repo, folder):
    """A limit on the size of files stands for a disk that is full after so many bytes."""
    command = json.loads((repo.path / folder / "run.json").read_text())["command"]
    before = {path.name: path.read_bytes() for path in (repo.path / folder).rglob("*") if path.is_file()}
    shutil.rmtree(repo.path / folder)
    done = subprocess.run(
        ["python", *command], cwd=repo.path, env=repo.env, capture_output=True, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000)),
    )  # fmt: skip
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert done.stderr.startswith("error: ") and "Make room and run again." in done.stderr
    assert "cannot be written: File too large" in done.stderr or "No space left on device" in done.stderr
    left = {path.name: path.read_bytes() for path in (repo.path / folder).rglob("*") if path.is_file()}
    assert "run.json" not in left
    assert all(before[name] == data for name, data in left.items()), "something half-written has a final name"


@pytest.mark.slow
def test_a_diverging_training_is_stopped_and_leaves_the_earlier_result(repo):
    params, before = repo.read("params.yaml"), contents(repo)
    repo.set("recipes.digits.pretrain.lr", 1e6)
    said = repo.repro(ok=False)
    assert "error: " in said and "pretrain.lr" in said and "logs/pretrain/digits/vi_simsiam/seed0.log" in said
    assert_same(contents(repo), before, "a training that diverged")
    repo.write_params(params)
    repo.repro()
    assert repo.ran() == {}
    repo.agree()
