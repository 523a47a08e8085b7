"""A run obeys no name, asks no network, and gives the same bytes in another clone."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.fault_matrix import assert_same, contents

pytestmark = pytest.mark.slow
# For a shell, for Snakemake's formatting and wildcards, for Python's, for a terminal.
ODD = "$(touch pwned) `touch pwned` ; touch pwned & 'x' \"y\" {z} {input} %s $HOME \\ \n\x1b[31m*"


def pictures(folder, classes, each=12):
    """A folder of images with odd names."""
    draw = np.random.default_rng(0)
    for label, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for i in range(each):
            pixels = draw.integers(100 * label, 100 * label + 100, (12, 12, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i} {ODD}.png")


def test_names_are_not_commands(blank):
    """Folders, classes, images and a file of soft labels that are named as commands."""
    odd = blank.path / ODD
    pictures(odd / "images", [f"a {ODD}", f"b {ODD}"])
    blank.set("recipes.mine", {"like": "digits", "download": {"path": f"{ODD}/images"}})
    blank.set("recipes.mine.cache_views", {"train_images": None, "test_images": None, "test_fraction": 0.5})
    blank.set("recipes.mine.pretrain", {"batch_size": 4})
    blank.set("recipes.mine.uncertainty", {"soft_labels": f"{ODD}/people.npy"})
    blank.set("datasets", ["mine"])
    blank.set("methods", ["vi_simsiam"])
    np.save(odd / "people.npy", np.zeros((12, 2)))
    blank.repro("cache_views")
    labels = np.load(blank.path / "data/cache_views/mine/labels_test.npy")
    np.save(odd / "people.npy", np.eye(2)[labels] + np.random.default_rng(0).random((12, 2)) / 2)
    blank.repro()
    assert blank.ran() == {"download": 1, "cache_views": 1, "pretrain": 1, "probe": 1, "uncertainty": 1, "plot": 1}
    measures = blank.read("results/uncertainty/mine/vi_simsiam/seed0/metrics.json")
    assert "spearman_label_entropy/kappa" in measures
    store = blank.read("data/cache_views/mine/store.json")
    assert store["classes"] == [f"a {ODD}", f"b {ODD}"]
    blank.snakemake("--report", "report.html")
    assert not list(blank.path.rglob("pwned"))
    page = (blank.path / "results/plot/gallery.html").read_text(encoding="utf-8")
    assert "\x1b" not in page and "touch pwned" in page


@pytest.mark.parametrize(
    "arguments",
    [
        ["--config", "recipes={'a; touch pwned': {}}"],
        ["results/pretrain/digits/vi_simsiam/seed0; touch pwned/run.json"],
    ],
)
def test_parameters_and_targets_are_not_commands(blank, arguments):
    said = blank.snakemake(*arguments, ok=False)
    assert not list(blank.path.rglob("pwned")) and not (blank.path / "logs").exists(), said
    assert blank.ran() == {}


# Python imports this by itself; every attempt of any process to reach an address leaves a line.
WATCH = """\
import os, sys
def hook(event, arguments):
    if event == "socket.getaddrinfo" or (event == "socket.connect" and not isinstance(arguments[1], (str, bytes))):
        with open(os.environ["ATTEMPTS"], "a") as file:
            file.write(f"{event} {arguments[1:] if event == 'socket.connect' else arguments} {sys.argv}\\n")
sys.addaudithook(hook)
"""


def test_a_clone_makes_the_same_bytes_without_network(finished, tmp_path):
    """Models, features, tables, figures: all but what holds times. In each, all processes have other hash seeds.

    No process of a run, of either engine, looks up a name or connects to anything. The clone lies in a folder with an
    awkward name, HOME is not a writable folder, and `python` on PATH is not the environment's.
    """
    (tmp_path / "watch").mkdir()
    (tmp_path / "watch/sitecustomize.py").write_text(WATCH)
    attempts = tmp_path / "attempts"
    path = tmp_path / "my project's (1) %s & $HOME é"
    subprocess.run(["git", "clone", "-q", finished.path, path], check=True)
    clone = type(finished)(path, PYTHONHASHSEED="7", OMP_NUM_THREADS="1")
    (path / ".venv").symlink_to(sys.prefix)
    bare = [part for part in os.environ["PATH"].split(os.pathsep) if Path(part) != Path(sys.executable).parent]
    clone.env |= {"PYTHONPATH": str(tmp_path / "watch"), "ATTEMPTS": str(attempts), "PATH": os.pathsep.join(bare)}
    clone.env |= {"HOME": "/proc/home"}  # not even root can make a folder in /proc
    for name in ("DVC_NO_ANALYTICS", "VIRTUAL_ENV"):  # as a user has it
        clone.env.pop(name, None)
    python = [sys.executable, "-m"]
    clone(sys.executable, "-c", "import socket; socket.getaddrinfo('localhost', 1)")
    assert "localhost" in attempts.read_text(), "attempts are not seen"
    attempts.unlink()
    clone(*python, "dvc", "repro")
    assert clone.ran() == {"download": 1, "cache_views": 1, "pretrain": 2, "probe": 2, "uncertainty": 2, "plot": 1}
    made = contents(clone)
    assert_same(made, contents(finished), "two clones")
    assert len(made) == 76 and sum(name.endswith(".safetensors") for name in made) == 6
    clone(*python, "snakemake", "--cores", "2")
    assert clone.ran() == {}
    assert "up to date." in clone(*python, "dvc", "status")
    clone(*python, "snakemake", "--report", "report.html")
    clone(*python, "dvc", "plots", "show", "-o", "page", "results/plot/metrics.json")
    assert not attempts.exists(), attempts.read_text()
