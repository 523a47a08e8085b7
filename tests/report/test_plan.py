"""`vi-simsiam plan`: what a run needs to decide, and whether simulated runs of that size do."""

import math
import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, t

from helpers.project import ROOT
from vi_simsiam.__main__ import main
from vi_simsiam.core.errors import Problem
from vi_simsiam.report.claims import COLUMNS, Claim
from vi_simsiam.report.plan import planned, read_claims
from vi_simsiam.stats.decisions import p_value
from vi_simsiam.stats.intervals import Estimate, over_seeds


def write(folder, **changes):
    """A claim that an AUROC is above .5: .58 seen, standard error .02 for 400 images, deviation .06 over 3 seeds."""
    row = dict.fromkeys(COLUMNS, 0.5) | {"claim": "a", "dataset": "digits", "method": "x", "verdict": "inconclusive"}
    row |= {"estimate": 0.58, "se_images": 0.02, "sd_seeds": 0.06, "seeds": 3, "images": 400, "verdict_holm": "x"}
    folder.mkdir(exist_ok=True)
    pd.DataFrame([row | {"claim": "clear", "estimate": 0.9}, row | changes]).to_csv(folder / "claims.csv", index=False)
    return folder


def simulated(effect, se_images, sd_seeds, seeds, runs=1500):
    """Share of simulated runs whose verdict, by the rule of the claims, is `supported`."""
    rng, claim, half = np.random.default_rng(0), Claim("a", "probability", 0.5), norm.ppf(0.975) * se_images
    hits = 0
    for shared in se_images * rng.normal(size=runs):
        values = 0.5 + effect + shared + sd_seeds * rng.normal(size=seeds)
        hits += claim.verdict(over_seeds([Estimate(v, v - half, v + half, 1) for v in values])) == "supported"
    return hits / runs


def test_runs_of_the_planned_size_decide_in_four_of_five(tmp_path):
    row = planned(read_claims([write(tmp_path)])).set_index("claim").loc["a"]
    assert row["effect"] == pytest.approx(0.08) and row["power"] < 0.5
    assert simulated(0.08, 0.02, 0.06, 3) == pytest.approx(row["power"], abs=0.04)
    assert 4 < row["seeds"] < 30 and row["images"] == 0  # three seeds are too few on any number of images
    assert simulated(0.08, 0.02, 0.06, row["seeds"]) > 0.77
    assert simulated(0.08, 0.02, 0.06, row["seeds"] - 1) < 0.83
    more = row["both"]
    assert more < row["seeds"] and simulated(0.08, 0.02 * math.sqrt(3 / more), 0.06, more) > 0.77
    row = planned(read_claims([tmp_path]), seeds=8).set_index("claim").loc["a"]
    assert row["images"] > 400
    assert simulated(0.08, 0.02 * math.sqrt(400 / row["images"]), 0.06, 8) == pytest.approx(0.8, abs=0.03)


def test_a_given_effect_images_and_the_correction(tmp_path):
    claims = read_claims([write(tmp_path)])

    def seeds(**changes):
        return planned(claims, **changes).set_index("claim").loc["a", "seeds"]

    assert seeds(effect=0.2) < seeds() < seeds(corrected=True) and seeds(images=40_000) < seeds() < seeds(power=0.95)
    assert seeds(effect=0.02) == 0  # no more than the images' standard error
    n, level = seeds(corrected=True), 0.025  # of two claims
    rng = np.random.default_rng(1)
    values = 0.08 + 0.02 * rng.normal(size=(20_000, 1)) + 0.06 * rng.normal(size=(20_000, n))
    half = np.hypot(norm.ppf(1 - level / 2) * 0.02, t.ppf(1 - level / 2, n - 1) * values.std(1, ddof=1) / math.sqrt(n))
    assert 0.79 < (values.mean(1) > half).mean() < 0.86
    assert p_value([Estimate(0.08, 0.08 - 0.0392, 0.1192, 1)] * 2, 0.0) < level  # what a corrected verdict asks for


def test_the_command_prints_a_row_for_each_claim(tmp_path, capsys, monkeypatch):
    write(tmp_path / "one")
    with pytest.raises(SystemExit) as status:
        main(["plan", str(tmp_path / "one"), "--claim", "a"])
    said = capsys.readouterr().out
    assert status.value.code == 0
    (row,) = [line.split() for line in said.splitlines() if " a " in line and "digits" in line]
    assert row[1:6] == ["digits", "a", "0.080", "inconclusive", "3"] and row[7] == "400" and row[10] == "-"
    assert row[11:] == ["8", "x", "1,067"]  # 400 x 8 / 3
    write(tmp_path / "one", sd_seeds=math.nan)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs/results").mkdir(parents=True)
    (tmp_path / "one").rename(tmp_path / "docs/results/one")
    with pytest.raises(SystemExit):
        main(["plan"])
    said = capsys.readouterr().out
    assert "docs/results/one" in said and "clear" in said and "1 claims are left out" in said


def test_the_commands_of_the_page_run_on_the_committed_runs(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    commands = re.findall(r"^vi-simsiam (plan .*)", (ROOT / "docs/claims.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        with pytest.raises(SystemExit) as status:
            main(command.split())
        said = capsys.readouterr()
        assert status.value.code == 0 and "decided" not in said.err and len(said.out.splitlines()) > 2, said.err
    assert "kappa_falls_with_occlusion" in said.out and "0.200" in said.out


def test_problems_are_sentences(tmp_path, capsys, monkeypatch):
    folder = write(tmp_path / "one")
    for wrong, sentence in (
        ([str(tmp_path)], "claims.csv does not exist. Name a folder"),
        ([str(folder), "--claim", "claer"], "--claim claer: not among the claims"),
        ([str(folder), "--dataset", "x"], "--dataset x: not among the claims"),
        ([str(folder), "--power", "1.5"], "--power 1.5: it must be larger than 0 and less than 1"),
        ([str(folder), "--effect", "-1"], "--effect -1.0: it must be larger"),
        ([str(folder), "--seeds", "1"], "--seeds 1: it must be larger than 1"),
    ):
        with pytest.raises(SystemExit) as status:
            main(["plan", *wrong])
        assert status.value.code == 1 and sentence in capsys.readouterr().err
    pd.read_csv(folder / "claims.csv").drop(columns="threshold").to_csv(folder / "claims.csv", index=False)
    with pytest.raises(Problem, match=r"has no column threshold\. Run the step `plot` again"):
        read_claims([folder])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Problem, match=r"no claims\.csv in results/plot or docs/results"):
        read_claims([])
