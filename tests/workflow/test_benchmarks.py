"""The benchmark runs, and its table is complete; its numbers are for people to read, not for a test."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from helpers.project import ROOT
from vi_simsiam.evaluation.features import best_device
from vi_simsiam.training.devices import has_bf16


@pytest.mark.nightly
def test_the_benchmark_writes_its_table(tmp_path):
    out = tmp_path / "results.csv"
    command = [sys.executable, "benchmarks/compare.py", "--quick", "--out", str(out)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = pd.read_csv(out)
    assert list(found) == ["measure", "ours", "peer", "limit", "unit", "ratio_to_peer", "ratio_to_limit", "machine"]
    subjects = [name.split(",")[0] for name in found["measure"]]
    precisions = 2 if has_bf16(best_device()) else 1
    expected = {"training step": 2 * precisions, "augmentation": 2, "linear probe": 1}
    assert subjects == [name for name, count in expected.items() for _ in range(count)]
    assert (found["ours"] > 0).all() and all(name in said for name in found["measure"])
    for other in ("peer", "limit"):
        measured = found[other].notna()
        ratio = found["ours"][measured] / found[other][measured]
        np.testing.assert_allclose(found[f"ratio_to_{other}"][measured], ratio, rtol=0.01)
        assert found[f"ratio_to_{other}"].notna().equals(measured)
    # scikit-learn and torchvision are always installed.
    assert found.loc[found["measure"].str.contains("torchvision|scikit-learn"), "peer"].notna().all()
