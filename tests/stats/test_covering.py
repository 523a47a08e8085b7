"""Choosing images to label: the greedy choice of the definition, nested, in bounded memory."""

import os
import subprocess
import sys

import numpy as np
import pytest

from helpers.project import ROOT
from vi_simsiam.stats import covering as module
from vi_simsiam.stats.covering import covering


def by_definition(features, count, labelled=()):
    """Each choice by the mean coverage of all images, computed afresh in double precision."""
    unit = features.astype(float) / np.linalg.norm(features.astype(float), axis=1, keepdims=True)
    kernel = np.exp(-((unit[:, None] - unit[None]) ** 2).sum(-1))
    chosen = list(labelled)
    while len(chosen) < min(len(labelled) + count, len(features)):
        rest = [row for row in range(len(features)) if row not in chosen]
        chosen.append(max(rest, key=lambda row: kernel[[*chosen, row]].max(0).mean()))
    return chosen[len(labelled) :]


@pytest.mark.parametrize("labelled", [(), (3, 77, 5)])
@pytest.mark.parametrize("rows, again, held", [(1024, 32, 1 << 20), (13, 1, 0)])
def test_the_choice_is_that_of_the_definition(monkeypatch, labelled, rows, again, held):
    monkeypatch.setattr(module, "_HELD", held)
    monkeypatch.setattr(module, "_ROWS", rows)
    monkeypatch.setattr(module, "_AGAIN", again)
    draw = np.random.default_rng(0)
    features = draw.normal(size=(150, 6)) + 3 * draw.normal(size=(5, 6))[draw.integers(5, size=150)]
    found = covering(features, 25, labelled)
    assert found.tolist() == by_definition(features, 25, labelled)
    assert covering(features, 9, labelled).tolist() == found[:9].tolist()


def test_a_closed_example():
    """Three directions at right angles with 5, 3 and 2 images each: the largest group first, then the next."""
    features = np.repeat(np.eye(3)[[2, 0, 1]], (5, 3, 2), axis=0) * np.arange(1, 11)[:, None]
    assert covering(features, 3).tolist() == [0, 5, 8]
    assert covering(features, 2, labelled=[4]).tolist() == [5, 8]
    assert sorted(covering(features, 99).tolist()) == list(range(10))
    assert covering(features, 5, labelled=range(10)).tolist() == []


_PEAK = """
import sys
import numpy as np
from vi_simsiam.stats import covering as module
def peak():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) / 1024
features = np.random.default_rng(0).normal(size=(int(sys.argv[1]), 64)).astype(np.float16)
features[:, 0] += 30
module._HELD = 0
module.covering(features[:3000], 3)
before = peak()
chosen = module.covering(features, 3)
print(len(set(chosen.tolist())), peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_blocks_and_not_pairs():
    """All pairs of 9,000 images would take 309 MiB; torch's own memory varies."""
    command = [sys.executable, "-c", _PEAK, "9000"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    chosen, mib = done.stdout.split()
    assert chosen == "3" and float(mib) < 100, mib
