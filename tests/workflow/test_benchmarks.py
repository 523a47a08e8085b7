"""The benchmark runs, and its table is complete; its numbers are for people to read, not for a test."""

import importlib
import subprocess
import sys
from importlib import metadata

import numpy as np
import pandas as pd
import pytest

from helpers.project import ROOT
from vi_simsiam.core import processor
from vi_simsiam.core.record import RunRecord
from vi_simsiam.evaluation.features import best_device
from vi_simsiam.training.devices import has_bf16


@pytest.fixture
def compare(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("compare")


@pytest.mark.nightly
def test_the_benchmark_writes_its_table(tmp_path):
    out = tmp_path / "results.csv"
    command = [sys.executable, "benchmarks/compare.py", "--quick", "--out", str(out), "--results", str(tmp_path)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = pd.read_csv(out)
    assert list(found) == ["measure", "ours", "peer", "limit", "unit", "ratio_to_peer", "ratio_to_limit", "machine"]
    subjects = [name.split(",")[0] for name in found["measure"]]
    precisions = 2 if has_bf16(best_device()) else 1
    expected = {
        "training step": 2 * precisions,
        "augmentation": 2,
        "linear probe": 1,
        "bootstrap": 7,
        "store reading": 1,
    }
    assert subjects == [name for name, count in expected.items() for _ in range(count)]
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
    assert len(found) >= 8 and found["ours"].notna().all()
    against = found["measure"].str.contains("against")
    assert found.loc[against, ["peer", "ratio_to_peer"]].notna().all(axis=None)
    assert found["machine"].str.contains("cores").all() and not found.duplicated(["measure", "machine"]).any()


def test_a_measure_that_became_slower_is_told(compare):
    before = pd.DataFrame({"measure": list("abcde"), "machine": "m", "unit": "images/s", "ours": 1.0})
    before = before.assign(ratio_to_peer=[2.0, 2.0, None, 2.0, None], ratio_to_limit=[1.0, 1.0, 0.9, 1.0, None])
    before.loc[4, "unit"] = compare.SECONDS
    now = before.assign(ratio_to_peer=[1.7, 1.9, None, 1.0, None], ratio_to_limit=[1.0, 1.0, 0.45, 1.0, None])
    now.loc[3, "machine"] = "another"
    now.loc[4, "ours"] = 4.0
    np.testing.assert_allclose(compare.against_recorded(now, before), [0.85, 0.95, 0.5, np.nan, 0.25])
    assert compare.told(now, before) == [
        "slower than recorded, 0.85 times the speed: a",
        "slower than recorded, 0.50 times the speed: c",
        "slower than recorded, 0.25 times the speed: e",
    ]
    assert compare.told(now[1:2], before) == [
        "of 1 measures 1 are recorded for this machine, and none has become slower"
    ]


def test_cpu_seconds_of_a_run_are_those_of_its_records(compare, tmp_path):
    for step, names in {"pretrain": "abc", "probe": "a"}.items():
        for name in names:
            RunRecord(step, {}).write(tmp_path / step / name)
    (tmp_path / "old").mkdir()
    (tmp_path / "old/run.json").write_text('{"step": "plot"}')
    rows = {row["measure"]: row for row in compare.run_rows(tmp_path)}
    assert list(rows) == ["results, pretrain, 3 jobs", "results, probe, 1 jobs"]
    assert rows["results, pretrain, 3 jobs"]["ours"] > rows["results, probe, 1 jobs"]["ours"] > 0
    assert {row["machine"] for row in rows.values()} == {f"{processor.name()}, torch {metadata.version('torch')}"}


def test_scipy_bootstraps_the_same_measures(compare):
    for name, (statistic, by_rows) in importlib.import_module("bootstrap").cases(400, 1).items():
        # Without ties, E-AURC's and AURC's are the same to rounding; each image once.
        assert by_rows(np.arange(400)) == pytest.approx(statistic.point, rel=1e-9), name
