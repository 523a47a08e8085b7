"""The benchmark runs, and its table is complete; its numbers are for people to read, not for a test."""

import importlib
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from helpers.project import ROOT
from vi_simsiam.probing.features import best_device
from vi_simsiam.training.devices import has_bf16


@pytest.mark.slow
def test_the_benchmark_writes_its_table(tmp_path):
    out = tmp_path / "results.csv"
    command = [sys.executable, "benchmarks/compare.py", "--quick", "--out", str(out)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = pd.read_csv(out)
    assert list(found) == ["measure", "ours", "peer", "limit", "unit", "ratio_to_peer", "ratio_to_limit", "machine"]
    subjects = [name.split(",")[0] for name in found["measure"]]
    precisions = 2 if has_bf16(best_device()) else 1
    assert subjects == ["training step"] * 2 * precisions + ["augmentation"] * 2 + [
        "linear probe",
        "bootstrap of an AUROC",
        "store reading",
    ]
    assert (found["ours"] > 0).all() and all(name in said for name in found["measure"])
    for other in ("peer", "limit"):
        there = found[other].notna()
        ratio = found["ours"][there] / found[other][there]
        np.testing.assert_allclose(found[f"ratio_to_{other}"][there], ratio, rtol=0.01)
        assert found[f"ratio_to_{other}"].notna().equals(there)
    # scikit-learn and torchvision are always there.
    assert found.loc[found["measure"].str.contains("torchvision|scikit-learn|JPEG"), "peer"].notna().all()


def test_the_recorded_benchmark_has_every_measure():
    found = pd.read_csv(ROOT / "benchmarks/results.csv")
    assert len(found) >= 8 and found[["ours", "peer", "ratio_to_peer"]].notna().all(axis=None)
    assert found["machine"].str.contains("cores").all() and not found.duplicated(["measure", "machine"]).any()


def test_a_measure_that_became_slower_is_told(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    slower = importlib.import_module("compare").slower
    before = pd.DataFrame({"measure": list("abcd"), "machine": "m"})
    before = before.assign(ratio_to_peer=[2.0, 2.0, None, 2.0], ratio_to_limit=[1.0, 1.0, 0.9, 1.0])
    now = before.assign(ratio_to_peer=[1.7, 1.9, None, 1.0], ratio_to_limit=[1.0, 1.0, 0.5, 1.0])
    now.loc[3, "machine"] = "another"
    assert slower(now, before) == [
        "slower than recorded: a: 1.7, was 2", "slower than recorded: c: 0.5, was 0.9",
    ]  # fmt: skip
