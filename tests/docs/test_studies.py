"""Study files: their parameters are sound, and their tables show the runs' numbers."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import label_curve
import rank_check
import rank_training
import rank_views
import site_hook
import study
from helpers.models import encoder
from helpers.photographs import picture
from helpers.plot_inputs import opened
from helpers.project import ROOT
from helpers.small import SHIPPED
from vi_simsiam.cli.rank import head_training
from vi_simsiam.config.loading import check, merged, resolve
from vi_simsiam.report.runs import Run


@pytest.mark.parametrize("path", sorted(ROOT.glob("studies/*.yaml")), ids=lambda path: path.stem)
def test_parameters_are_sound(path):
    params = merged(SHIPPED, yaml.safe_load(path.read_text(encoding="utf-8")))
    check(params, path.name)
    for dataset in params["datasets"]:
        seen = "test" if path.stem == "paper" else "validation"
        assert resolve(params, "cache_views", dataset)["evaluate_on"] == seen


def test_no_two_studies_share_a_name():
    """A variant's name is that of its results, so two studies in one folder would overwrite each other's."""
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(ROOT.glob("studies/*.yaml"))]
    owners = Counter(name for axes in [SHIPPED, *files] for name in axes.get("recipes", ()))
    assert [name for name, count in owners.items() if count > 1] == []


def test_a_table_of_two_methods_with_their_own_scores(tmp_path, monkeypatch):
    axes = {"datasets": ["plain", "noise"], "methods": ["vi_simsiam", "concentration"], "seeds": [0, 1]}
    runs = [run for run in opened(tmp_path, **axes, corruptions=True) if run.dataset == "noise"]
    axes["recipes"] = {variant: {} for variant in [*axes["datasets"], "absent"]}
    monkeypatch.chdir(tmp_path)
    Path("noise.yaml").write_text(yaml.safe_dump(axes, sort_keys=False), encoding="utf-8")
    study.write_study(Path("noise.yaml"))
    found = pd.read_csv("noise.csv").set_index(["variant", "method"])
    assert list(found.index) == [(variant, method) for variant in axes["recipes"] for method in axes["methods"]]
    for method, score in (("vi_simsiam", "kappa"), ("concentration", "concentration")):
        row, seeds = found.loc[("noise", method)], [run for run in runs if run.method == method]
        accuracy = pd.Series([run.probe["knn_top1"] for run in seeds])
        assert row["knn_top1"] == pytest.approx(accuracy.mean(), abs=1e-4)
        assert row["knn_top1 sd"] == pytest.approx(accuracy.std(), abs=1e-4)
        for measure in ("auroc_correct", "spearman_noise", "corrupted_below_clean"):
            assert row[f"{measure}/own score"] == pytest.approx(seeds[0].measures[f"{measure}/{score}"].estimate)
    shown = site_hook.table(tmp_path / "noise.csv").splitlines()
    assert shown[0].startswith("| variant | method | seeds | stopped | knn_top1 | ") and len(shown) == 8
    assert " ± " in shown[5] and shown[6].startswith("| absent | vi_simsiam | 2 | seed 0")


def test_a_label_curve_of_separated_classes(tmp_path, monkeypatch):
    """Ten classes far apart: ten labels that cover them are enough, and ten of low certainty are all of one class."""
    rng = np.random.default_rng(0)
    monkeypatch.setattr(label_curve, "BUDGETS", (10, 20, 40))
    data, seeds = tmp_path / "data/made", (0, 1)
    data.mkdir(parents=True)
    labels = np.repeat(np.arange(10), 20)
    features = np.eye(10, 16)[labels] + 0.05 * rng.standard_normal((200, 16))
    for split in ("train", "test"):
        np.save(data / f"labels_{split}.npy", labels)
    for seed in seeds:
        run = Run("made", "vi_simsiam", seed, tmp_path / "data", tmp_path / "results")
        for split in ("train", "test"):
            run.path("probe", ".").mkdir(parents=True, exist_ok=True)
            np.save(run.path("probe", f"features_{split}.npy"), features.astype(np.float32))
        run.path("uncertainty", ".").mkdir(parents=True)
        scores = {"index": range(200), "kappa": labels + rng.random(200)}
        pd.DataFrame(scores).to_parquet(run.path("uncertainty", "train_images.parquet"))
    runs = [Run("made", "vi_simsiam", seed, tmp_path / "data", tmp_path / "results") for seed in seeds]
    found = label_curve.curve(runs).set_index(["order", "labels"])
    assert found.loc[("label_first", 10), "estimate"] == found.loc[("k-means centres", 10), "estimate"] == 1
    assert found.loc[("lowest certainty", 10), "estimate"] == pytest.approx(0.1)  # of class 0 alone
    assert found.loc[("at random", 10), "estimate"] < 1
    assert found.loc[("at random", 10), "ci_low"] < found.loc[("at random", 10), "estimate"]
    random = found.loc["at random"]
    rising = random["estimate"].diff().fillna(1) > 0
    assert random.loc[rising, "random_labels"].to_numpy() == pytest.approx(random.index[rising])
    assert found.loc[("label_first", 10), "random_labels"] >= 20
    no_score = pd.DataFrame({"index": range(200)})
    no_score.to_parquet(run.path("uncertainty", "train_images.parquet"))
    assert set(label_curve.curve([replace(run)])["order"]) == set(label_curve.ORDERS)


def test_the_page_shows_the_label_curve():
    rows = pd.read_csv(ROOT / "studies/label_curve.csv").set_index(["order", "labels"])
    page = (ROOT / "docs/your_images.md").read_text(encoding="utf-8")
    for order in label_curve.ORDERS | label_curve.OF_CERTAINTY:
        (cells,) = re.findall(rf"^\| {order} \| (.*) \|$", page, re.MULTILINE)
        for budget, cell in zip(label_curve.BUDGETS, cells.split(" | "), strict=True):
            row = rows.loc[(order, budget)]
            shown = row["estimate"], (row["ci_high"] - row["ci_low"]) / 2
            assert cell == " ± ".join(f"{value:.2f}"[1:] for value in shown), (order, budget)


def test_errors_are_images_among_another_class():
    whole = np.eye(8)[[0] * 8 + [1] * 8] + 0.01 * np.arange(16)[:, None]
    classes = np.array(["cat"] * 8 + ["dog"] * 8)
    classes[3] = "dog"
    assert rank_training.errors(whole, classes).nonzero()[0].tolist() == [3]


@pytest.fixture
def two_classes(tmp_path, monkeypatch):
    """36 pictures that say nothing about their class, as the studies of `rank` read them, with a small encoder."""
    for label in range(2):
        (tmp_path / f"images/{label}").mkdir(parents=True)
        for number in range(label, 36, 2):
            picture(number, 24).save(tmp_path / f"images/{label}/{number}.png")
    small = str(encoder(tmp_path / "encoder"))
    monkeypatch.setattr(rank_training, "ENCODER", small)
    for module in (rank_check, rank_training, rank_views):
        monkeypatch.setattr(module, "SEEDS", (0, 1))
    monkeypatch.setattr("sys.argv", ["", str(tmp_path / "images"), str(tmp_path / "table.csv")])
    return tmp_path / "table.csv"


def test_the_study_of_rank_trains_with_so_many_views_and_steps(two_classes, monkeypatch):
    monkeypatch.setattr(rank_training, "SETTINGS", [(24, 3, 6), (24, 6, 6), (1000, 6, 6)])
    rank_training.main()
    table = pd.read_csv(two_classes)
    assert table[["images", "views", "steps"]].to_numpy().tolist() == [[24, 3, 6], [24, 6, 6]]
    assert table["knn_density"].nunique() == 1 and table["kappa"].nunique() == 2
    assert table["kappa"].between(0, 1).all()


def test_the_study_of_views_compares_trainings_on_other_views(two_classes, monkeypatch):
    monkeypatch.setattr(rank_views, "POOLS", {36: [(24, 2), (24, 3)]})
    monkeypatch.setattr(head_training, "_STEPS", 6)
    seen, train = [], head_training.train
    monkeypatch.setattr(
        head_training, "train", lambda *a, **k: seen.append((a[1].views("train"), a[2])) or train(*a, **k)
    )
    rank_views.main()
    table = pd.read_csv(two_classes)
    assert table[["images", "views"]].to_numpy().tolist() == [[24, 2], [24, 3]]
    assert [(views.shape[1], seed) for views, seed in seen] == [(n, seed) for n in (2, 2, 3, 3) for seed in (0, 1)]
    for (first, _), (second, _) in zip(seen[::2], seen[1::2], strict=True):
        assert not (first[:, :, None] == second[:, None]).all(-1).any()  # no view in both
    assert table["agreement"].between(-1, 1).all() and table["knn_density"].nunique() == 1


def test_the_study_of_the_check_has_a_row_for_each_folder(two_classes, tmp_path, monkeypatch):
    monkeypatch.setattr(head_training, "_STEPS", 6)
    monkeypatch.setattr("sys.argv", ["", str(two_classes), str(tmp_path / "images")])
    rank_check.main()
    (row,) = pd.read_csv(two_classes).itertuples()
    assert (row.images_of, row.images) == ("images", 36) and 0 < row.error_rate < 1
    assert 0 <= row.above <= 1 and 0 <= row.kappa <= 1 and 0 <= row.knn_density <= 1
