"""Claims: the rule of the verdict, intervals over seeds, and the comparisons with SimSiam and DINO."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from helpers.plot_inputs import GREY, only, opened
from helpers.project import ROOT
from vi_simsiam.core.errors import Problem
from vi_simsiam.report import claim_rows
from vi_simsiam.report.claim_rows import Claim
from vi_simsiam.report.claims import claims_table, difference, dino_correlation, findings
from vi_simsiam.report.summary import summary_text
from vi_simsiam.report.tables import summary_table
from vi_simsiam.stats.intervals import Estimate


def verdicts(runs, margin=0.02):
    return claims_table(findings(runs, margin)).set_index("claim")


@pytest.mark.parametrize(
    "low, high, above, below",
    [
        (0.51, 0.60, "supported", "not supported"),
        (0.40, 0.49, "not supported", "supported"),
        (0.50, 0.60, "inconclusive", "inconclusive"),  # the threshold itself lies on neither side
        (0.40, 0.50, "inconclusive", "inconclusive"),
    ],
)
def test_the_verdict_is_where_the_whole_interval_lies(low, high, above, below):
    interval = Estimate((low + high) / 2, low, high, 10)
    assert Claim("a", "probability", 0.5).verdict(interval) == above
    assert Claim("a", "probability", 0.5, above=False).verdict(interval) == below


def test_difference_to_simsiam_against_a_direct_bootstrap(tmp_path):
    runs = opened(tmp_path, methods=("simsiam", "vi_simsiam"), images=200)
    ours, theirs = only(runs, "vi_simsiam"), only(runs, "simsiam")
    rng = np.random.default_rng(5)
    for name, column in (("images", "knn_correct"), ("images", "correct"), ("crops", "knn_correct")):
        found = difference(ours, theirs, name, column)
        a, b = (getattr(run, name) for run in (ours, theirs))
        values = []
        for _ in range(1000):
            drawn = pd.Series(rng.integers(200, size=200)).value_counts()
            weight = a["index"].map(drawn).fillna(0).to_numpy()
            values.append(np.average(a[column], weights=weight) - np.average(b[column], weights=weight))
        assert found.estimate == pytest.approx(a[column].mean() - b[column].mean())
        assert (found.ci_low, found.ci_high) == pytest.approx(np.quantile(values, [0.025, 0.975]), abs=0.006)
        assert found.n == 200


def test_pairs_make_the_interval_narrower(tmp_path):
    """Two encoders that fail on the same images, but for two: unpaired the interval would be .17 wide."""
    runs = opened(tmp_path, methods=("simsiam", "vi_simsiam"), images=200)
    right = np.arange(200) % 5 > 0
    for method, changed in (("simsiam", 0), ("vi_simsiam", 2)):
        only(runs, method).images["correct"] = right ^ (np.arange(200) < changed)
    found = difference(only(runs, "vi_simsiam"), only(runs, "simsiam"), "images", "correct")
    assert found.estimate == 0 and found.ci_high - found.ci_low < 0.04
    assert verdicts(runs, margin=0.03).loc["competitive_probe", "verdict"] == "supported"
    assert verdicts(runs, margin=0.001).loc["competitive_probe", "verdict"] == "inconclusive"


def test_without_a_difference_the_number_of_images_decides(tmp_path):
    """397 equal outcomes rule out that 1 % of images differ: 1 - .025^(1/397) = .0093; 40 rule out 8.8 %."""
    for n, verdict in ((397, "supported"), (40, "inconclusive")):
        runs = opened(tmp_path / str(n), methods=("simsiam", "vi_simsiam"), images=n)
        for run in runs:
            run.images["knn_correct"] = True
        found = verdicts(runs).loc["competitive_knn"]
        assert found["estimate"] == 0 and found["verdict"] == verdict
        assert (1 - found["ci_high"]) ** n == pytest.approx(0.025) and found["ci_low"] == -found["ci_high"]


def test_an_interval_stays_in_the_range_of_its_quantity(tmp_path):
    runs = opened(tmp_path, methods=("vi_simsiam",), seeds=(0, 1))
    for run, value in zip(runs, (0.6, 1.0), strict=True):
        run.measures["crop_below_whole/kappa"] = Estimate(value, value, value, 100)
    row = verdicts(runs).loc["crops_below_whole"]
    assert (row["estimate"], row["ci_low"], row["ci_high"]) == (0.8, 0, 1)  # .8 +- 12.7 x .2 otherwise
    assert row["verdict"] == "inconclusive"


def test_only_equal_seeds_are_compared(tmp_path):
    runs = opened(tmp_path, methods=("simsiam", "vi_simsiam", "dino"), seeds=(0, 1))
    some = [run for run in runs if (run.method, run.seed) not in {("simsiam", 0), ("dino", 1)}]
    found = {finding.claim.name: finding for finding in findings(some, 0.02)}
    assert found["competitive_knn"].seeds == [
        difference(only(runs, "vi_simsiam", 1), only(runs, "simsiam", 1), "images", "knn_correct")
    ]
    ours, dino = only(runs, "vi_simsiam"), only(runs, "dino")
    assert found["kappa_agrees_with_dino"].seeds == [dino_correlation(ours, dino)]
    expected = spearmanr(ours.images["kappa"], dino.images["negative_entropy"]).statistic
    assert found["kappa_agrees_with_dino"].estimate.estimate == pytest.approx(expected)


def test_runs_of_different_images_are_refused(tmp_path):
    runs = opened(tmp_path, methods=("simsiam", "vi_simsiam"))
    only(runs, "simsiam").images["label"] = 3
    with pytest.raises(Problem, match="different test images"):
        findings(runs, 0.02)


def test_measures_become_claims_with_the_interval_over_seeds(tmp_path):
    runs = opened(tmp_path, seeds=(0, 1), images=60)
    table = verdicts(runs)
    assert list(claims_table(findings(runs, 0.02)).columns) == [
        "claim", "dataset", "method", "estimate", "ci_low", "ci_high", "verdict", "p", "p_holm", "verdict_holm",
        "decidable", "se_images", "sd_seeds", "seeds", "images", "threshold",
    ]  # fmt: skip
    assert set(table["method"]) == {"vi_simsiam"}
    row = table.loc["crops_below_whole"]
    assert list(row[["estimate", "ci_low", "ci_high", "verdict"]]) == [
        *(pytest.approx(value) for value in (0.8, 0.77, 0.83)),
        "supported",
    ]
    assert table.loc["kappa_falls_with_brightness", "verdict"] == "supported"
    assert table.loc["kappa_falls_with_noise", "verdict"] == "inconclusive"  # -.01 +- .03
    assert table.loc["kappa_falls_with_occlusion", "verdict"] == "not supported"
    assert table.loc["kappa_lower_on_clothes", "verdict"] == "not supported"
    assert table.loc["kappa_follows_human_uncertainty", "verdict"] == "supported"
    cosines = [run.measures["expected_cosine_mean"].estimate for run in runs if run.method == "vi_simsiam"]
    assert table.loc["kappa_alive", "estimate"] == pytest.approx(np.mean(cosines))


def test_verdicts_that_survive_the_correction(tmp_path):
    """Three claims on each of two data sets: p = .028 is too much for the second of three, .0027 for none."""
    runs = opened(tmp_path, datasets=("a", "b"), methods=("vi_simsiam",), extra=False)
    names = ["crops_below_whole", "accuracy_rises_with_kappa", "crop_accuracy_rises_with_kappa"]
    measures = ["crop_below_whole/kappa", "auroc_correct/kappa", "auroc_crop_correct/kappa"]
    for run in runs:
        run.measures.clear()
        for name, z in zip(measures, (3, 2.2, -2.2), strict=True):
            value, half = 0.5 + 0.1 * z, 0.1 * 1.959964
            run.measures[name] = Estimate(value, value - half, value + half, 100)
    table = claims_table(findings(runs, 0.02)).set_index(["dataset", "claim"])
    for dataset in "ab":
        rows = table.loc[dataset].loc[names]
        assert rows["verdict"].tolist() == ["supported", "supported", "not supported"]
        assert rows["p"].tolist() == pytest.approx([0.0027, 0.0278, 0.0278], abs=1e-4)
        assert rows["p_holm"].tolist() == pytest.approx([0.0081, 0.0556, 0.0556], abs=1e-4)
        assert rows["verdict_holm"].tolist() == ["supported", "inconclusive", "inconclusive"]
        assert rows["se_images"].tolist() == pytest.approx([0.1] * 3) and set(rows["seeds"]) == {1}
        assert rows["decidable"].tolist() == pytest.approx([0.28016] * 3, abs=1e-4)  # (1.96 + .84) standard errors
        assert set(rows["sd_seeds"]) == {0} and set(rows["images"]) == {100}


def test_claims_without_inputs_do_not_appear(tmp_path):
    full = set(verdicts(opened(tmp_path / "full")).index)
    assert {f"kappa_falls_with_{name}" for name in GREY} < full
    alone = set(verdicts(opened(tmp_path / "alone", methods=("vi_simsiam", "vae"), extra=False)).index)
    compared = {name for name in full if name.startswith("competitive")} | {"kappa_agrees_with_dino"}
    assert len(compared) == 5
    assert alone == full - compared - {"kappa_lower_on_clothes", "kappa_follows_human_uncertainty"}
    unlabelled = set(verdicts(opened(tmp_path / "unlabelled", labels=False)).index)
    assert unlabelled == full - compared - {
        "accuracy_rises_with_kappa", "crop_accuracy_rises_with_kappa", "kappa_finds_wrong_neighbours",
    } | {"kappa_agrees_with_dino"}  # fmt: skip
    assert verdicts(opened(tmp_path / "none", methods=("simsiam", "dino"))).empty


def test_a_run_ends_with_its_methods_and_claims(tmp_path):
    runs = opened(tmp_path, methods=("simsiam", "vi_simsiam", "dino"), extra=False)
    summary, claims = summary_table(runs), claims_table(findings(runs, 0.02))
    text = summary_text(summary, claims, ["a warning"], tmp_path)
    lines = [re.split(r"  +", line) for line in text.splitlines()]
    assert ["crops_below_whole", ".800", "[.770, .830]", "supported", "supported"] in lines
    assert ["kappa_falls_with_occlusion", ".090", "[.060, .120]", "not supported", "not supported"] in lines
    decided = (claims["verdict"] != "inconclusive").sum()
    assert f" {decided} of {len(claims)} claims" in text
    assert "no labels" not in text and ["a warning"] in lines
    shown = {line[0]: line[1:] for line in lines}
    for method, score in (("vi_simsiam", "kappa"), ("dino", "negative_entropy")):
        values = summary.loc[summary["method"] == method, f"spearman_crop_area/{score}"]
        assert shown[method][3] == score and float(shown[method][4].split()[0]) == round(values.mean(), 3)
    assert shown["simsiam"][3:] == ["-", "-", "-"]
    assert max(map(len, text.replace(str(tmp_path), "results/plot").splitlines())) <= 100


def test_a_run_without_labels_names_its_ranking(tmp_path):
    unlabelled = opened(tmp_path, methods=("simsiam", "vi_simsiam"), extra=False, labels=False)
    text = summary_text(summary_table(unlabelled), claims_table(findings(unlabelled, 0.02)), [], tmp_path)
    assert f"digits has no labels: no accuracies. Its images by certainty: {tmp_path / 'ranking.csv'}" in text


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ((Claim("a", "probabilty", 0.5), "r_auroc/kappa"), r"'probabilty' is no scale \(did you mean probability\?\)"),
        ((Claim("a", "probability", 0.5), "r_auroq/kappa"), r"called 'r_auroq' \(did you mean r_auroc\?\)"),
    ],
)
def test_a_row_with_an_unknown_scale_or_measure_is_refused(row, said, monkeypatch):
    claim_rows.check_claims()
    monkeypatch.setattr(claim_rows, "OUTCOMES", (row,))
    with pytest.raises(Problem, match=f"the claim 'a' in src/vi_simsiam/report/claim_rows.py: .*{said}"):
        claim_rows.check_claims()


def test_every_claim_is_explained(tmp_path):
    page = (ROOT / "docs/reading.md").read_text(encoding="utf-8")
    names = re.findall(r"`([a-z_]+)(?:<[a-z ]+>)?`", "".join(re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)))
    rows = [claim.name for claim, _ in (*claim_rows.INFORMATION, *claim_rows.OUTCOMES)]
    for claim in {*rows, *verdicts(opened(tmp_path)).index}:
        assert any(claim == name or (name.endswith("_") and claim.startswith(name)) for name in names), claim
