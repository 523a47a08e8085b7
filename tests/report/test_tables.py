"""The tables of the plot step and the statistics that its figures share."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from helpers.plot_inputs import DIMENSION, only, opened, reopened, write_results
from vi_simsiam.report.tables import (
    RANKING_COLUMNS,
    accuracy_in_groups,
    headline,
    measures_table,
    own_score,
    quantiles_table,
    ranking_table,
    sphere_dimension,
    summary_table,
)
from vi_simsiam.stats.intervals import wilson


def test_summary_has_a_row_per_run_in_a_fixed_order(tmp_path):
    names = write_results(tmp_path, datasets=("b", "a"), methods=("vae", "untrained", "vi_simsiam"), seeds=(10, 2))
    table = summary_table(reopened(names[::-1], tmp_path))
    order = [("untrained", 2), ("untrained", 10), ("vi_simsiam", 2), ("vi_simsiam", 10), ("vae", 2), ("vae", 10)]
    assert list(zip(table["dataset"], table["method"], table["seed"], strict=True)) == [
        (dataset, *rest) for dataset in "ab" for rest in order
    ]
    assert list(table.columns[:5]) == ["dataset", "method", "seed", "knn_top1", "probe_top1"]
    assert list(table.columns[5:]) == sorted(table.columns[5:])


def test_summary_values_are_the_estimates_of_the_earlier_steps(tmp_path):
    runs = opened(tmp_path)
    table = summary_table(runs).set_index("method")
    run = only(runs, "vi_simsiam")
    assert table.loc["vi_simsiam", "knn_top1"] == run.images["knn_correct"].mean()
    assert table.loc["vi_simsiam", "probe_top1"] == run.images["correct"].mean()
    assert table.loc["vi_simsiam", "auroc_correct/kappa"] == run.measures["auroc_correct/kappa"].estimate
    assert math.isnan(table.loc["simsiam", "auroc_correct/kappa"])  # blank in the file


def test_every_measure_has_its_interval(tmp_path):
    runs = opened(tmp_path)
    table = measures_table(runs).set_index(["method", "measure"])
    right = only(runs, "vae").images["knn_correct"]
    interval = binomtest(int(right.sum()), len(right)).proportion_ci(0.95, "wilson")
    row = table.loc[("vae", "knn_top1")]
    assert list(row[["estimate", "ci_low", "ci_high", "n"]]) == pytest.approx([right.mean(), *interval, len(right)])
    crops = only(runs, "vae").measures["crop_knn_top1"]
    assert table.loc[("vae", "crop_knn_top1"), "ci_high"] == crops.ci_high
    per_run = table.groupby("method", sort=False).size()
    assert per_run["vi_simsiam"] > per_run["simsiam"] > 5


def test_headline_is_the_mean_over_seeds_of_accuracies_and_the_own_score(tmp_path):
    runs = opened(tmp_path, seeds=(0, 1))
    figures = headline(runs)["digits"]
    seeds = [run.probe["knn_top1"] for run in runs if run.method == "simsiam"]
    assert seeds[0] != seeds[1]
    assert figures["simsiam"]["knn_top1"] == round(sum(seeds) / 2, 4)
    common = {"knn_top1", "probe_top1", "crop_knn_top1", "crop_probe_top1"}
    own = {"auroc_correct/kappa", "auroc_crop_correct/kappa", "spearman_crop_area/kappa", "expected_cosine_mean"}
    assert set(figures["simsiam"]) == common
    assert set(figures["vi_simsiam"]) == common | own
    assert "auroc_correct/posterior_precision" in figures["vae"]


def test_accuracy_by_groups_of_a_score():
    """100 images of rising kappa; wrong in the lowest fifth, right in every second of the next, then always."""
    table = pd.DataFrame({"index": range(100), "label": 0, "kappa": np.arange(100.0)})
    table["correct"] = [i >= 40 or (i >= 20 and i % 2 == 1) for i in range(100)]
    table = table.sample(frac=1, random_state=0)
    estimates = accuracy_in_groups(table, "kappa", "correct", 5)
    assert [e.estimate for e in estimates] == [0, 0.5, 1, 1, 1]
    assert [e.n for e in estimates] == [20] * 5
    assert estimates[1] == wilson(np.arange(20) % 2)
    tied = accuracy_in_groups(table.assign(kappa=0.0), "kappa", "correct", 3)
    assert [e.n for e in tied] == [34, 33, 33]  # by position


def test_quantiles_of_every_score_of_every_method(tmp_path):
    runs = opened(tmp_path, seeds=(0, 1))
    table = quantiles_table(runs, 4)
    assert list(table.columns) == [
        "dataset", "method", "seed", "score", "on", "classifier", "quantile", "accuracy", "ci_low", "ci_high", "n",
    ]  # fmt: skip
    common = {"feature_norm", "probe_confidence", "knn_density", "view_agreement"}
    own = {"vi_simsiam": {"kappa", "kappa_view_mean"}, "dino": {"negative_entropy"}, "vae": {"posterior_precision"}}
    for method, rows in table.groupby("method"):
        assert set(rows.loc[rows["on"] == "images", "score"]) == common | own.get(method, set())
        assert set(rows.loc[rows["on"] == "crops", "score"]) <= set(rows["score"]) - {"view_agreement"}
    run = only(runs, "dino", 1)
    assert own_score(run.images) == "negative_entropy"
    lowest = run.crops.sort_values("negative_entropy", kind="stable")[: len(run.crops) // 4]
    keys = ["method", "seed", "score", "on", "classifier", "quantile"]
    row = table.set_index(keys).loc["dino", 1, "negative_entropy", "crops", "knn", 1]
    assert (row.accuracy, row.n) == (lowest["knn_correct"].mean(), 275)
    assert row.ci_low < row.accuracy < row.ci_high
    assert set(table["quantile"]) == {1, 2, 3, 4}


def test_dimension_is_found_from_kappa_and_its_cosine(tmp_path):
    (run,) = opened(tmp_path, methods=("vi_simsiam",))
    assert sphere_dimension(run.images) == DIMENSION
    assert sphere_dimension(run.images.astype({"kappa": "float32", "expected_cosine": "float32"})) == DIMENSION


def test_ranking_has_the_least_certain_image_first_with_its_path(tmp_path):
    runs = opened(tmp_path, methods=("simsiam", "vi_simsiam", "dino"), seeds=(0, 1))
    table = ranking_table(runs)
    assert tuple(table.columns) == RANKING_COLUMNS
    assert table[["method", "score"]].drop_duplicates().to_numpy().tolist() == [
        ["vi_simsiam", "kappa"], ["dino", "negative_entropy"],
    ]  # fmt: skip
    ours = [run for run in runs if run.method == "vi_simsiam"]
    kappa = np.mean([run.images["kappa"] for run in ours], axis=0)
    first = table[table["method"] == "vi_simsiam"]
    assert first["rank"].tolist() == list(range(1, len(kappa) + 1))
    assert first["index"].tolist() == kappa.argsort().tolist()
    assert first["certainty"].tolist() == pytest.approx(np.sort(kappa).tolist())
    row, lowest = first.iloc[0], kappa.argmin()
    assert row["path"] == f"test/class/{lowest:05}.png"
    assert row["class"] == f"class {ours[0].images['label'][lowest]}"
    spread = np.std([run.images["kappa"][lowest] for run in ours], ddof=1)
    assert row["spread"] == pytest.approx(spread)


def test_tables_without_labels(tmp_path):
    runs = opened(tmp_path, labels=False, methods=("untrained", "vi_simsiam"))
    summary = summary_table(runs)
    assert summary[["knn_top1", "probe_top1"]].isna().all(axis=None)
    assert summary["spearman_crop_area/kappa"].notna().tolist() == [False, True]
    assert set(measures_table(runs)["measure"]) == set(runs[1].measures)
    quantiles = quantiles_table(runs, 4)
    assert quantiles.empty and "accuracy" in quantiles
    figures = headline(runs)["digits"]["vi_simsiam"]
    assert figures["spearman_crop_area/kappa"] == 0.5
    assert all(math.isfinite(value) for value in figures.values())  # `dvc metrics diff` sees neither null nor lists
    ranking = ranking_table(runs)
    assert ranking["class"].isna().all() and ranking["spread"].isna().all()
    # Without labels the training images are in the table too, each with its path.
    assert ranking["split"].value_counts().to_dict() == {"test": len(runs[1].images), "train": 7}
    assert ranking.set_index(["split", "index"]).loc[("train", 3), "path"] == "train/class/00003.png"
    assert ranking["certainty"].is_monotonic_increasing
    assert ranking_table(runs[:1]).empty and tuple(ranking_table(runs[:1]).columns) == RANKING_COLUMNS
