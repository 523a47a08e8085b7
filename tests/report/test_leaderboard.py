"""The leaderboard: its numbers are those of the other tables, and scores that are better by construction come first."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from helpers.plot_inputs import only, opened, reopened
from vi_simsiam.evaluation import scores
from vi_simsiam.evaluation.measures import from_statistics, of_images
from vi_simsiam.report.leaderboard import COLUMNS, SEEDS, add_neighbour_consistency, leaderboard_table
from vi_simsiam.report.tables import measures_table, summary_table
from vi_simsiam.stats.intervals import over_seeds


def test_a_row_for_each_task_and_score(tmp_path):
    runs = opened(tmp_path, methods=("untrained", "vi_simsiam", "dino"), seeds=(0, 1, 2), corruptions=True)
    table = leaderboard_table(runs)
    assert tuple(table.columns) == COLUMNS and set(table["dataset"]) == {"digits"}
    assert list(table["task"].unique()) == [
        "errors", "errors_on_crops", "errors_on_corruptions", "retrieval", "lost_information",
        "corruptions_below_clean", "human_doubt", "other_clothes", SEEDS,
    ]  # fmt: skip
    ours = [run for run in runs if run.method == "vi_simsiam"]
    row = table.set_index(["task", "method", "score"]).loc["errors_on_crops", "vi_simsiam", "kappa"]
    expected = over_seeds(run.measures["auroc_crop_correct/kappa"] for run in ours)
    assert list(row[["estimate", "ci_low", "ci_high"]]) == pytest.approx(expected[:3]) and row["seeds"] == 3
    free = table["needs"] != "labels"
    assert set(table.loc[~free, "score"]) == {"probe_confidence"}
    assert table.loc[~free, "rank"].isna().all() and set(table.loc[~free, "best"]) == {""}
    whole = table[free]
    assert whole["rank"].notna().all() and whole["rank"].between(whole["rank_low"], whole["rank_high"]).all()
    assert ((whole["rank_low"] == 1) == (whole["best"] == "yes")).all()
    assert (whole[whole["rank"] == 1]["best"] == "yes").all()
    for _, rows in whole.groupby(["task", "method"]):
        assert (rows["best_of_method"] == "yes").any()


def remeasured(run):
    """Measure a run's test images again, after they were changed."""
    found = from_statistics(of_images(run.images), len(run.images), 200, seed=0)
    run.measures.update(found.estimates)
    run.resampled[found.resampled.columns] = found.resampled


def test_a_score_that_methods_share_has_one_rank(tmp_path):
    """On a frozen encoder all methods have the same scores of the features."""
    runs = opened(tmp_path, methods=("untrained", "simsiam", "vi_simsiam"), seeds=(0, 1))
    for run in runs:
        if run.method == "untrained":
            vars(run)["images"] = only(runs, "simsiam", run.seed).images
        remeasured(run)
    table = leaderboard_table(runs)
    errors = table[(table["task"] == "errors") & table["rank"].notna()]
    untrained, simsiam = (
        errors[errors["method"] == method].set_index("score")[["rank", "rank_low", "rank_high", "best"]]
        for method in ("untrained", "simsiam")
    )
    assert untrained.equals(simsiam.loc[untrained.index]) and len(untrained) >= 2
    others = errors[errors["method"] != "untrained"]
    assert sorted(others["rank"]) == list(range(1, len(others) + 1)) and others["rank_high"].max() <= len(others)


def test_a_score_that_knows_the_errors_is_the_best(tmp_path):
    """kappa is made to know two thirds of the errors, in one of two methods; all other scores know nothing of them."""
    runs = opened(tmp_path, methods=("vi_simsiam", "simclr"), seeds=(0, 1, 2, 3), images=300)
    rng = np.random.default_rng(0)
    for run in runs:
        right = rng.random(300) < 0.7
        known = np.where(rng.random(300) < 2 / 3, right, rng.random(300) < 0.7)
        run.images["correct"] = right
        for name in set(run.images) & {"feature_norm", "knn_density", "view_agreement", "kappa_view_mean"}:
            run.images[name] = rng.normal(size=300)
        if run.method == "vi_simsiam":
            run.images["kappa"] = np.exp(known + 0.1 * rng.normal(size=300))
        else:
            run.images["knn_density"] += 0.5 * right  # less than kappa, more than the others of its method
        remeasured(run)
    table = leaderboard_table(runs)
    errors = table[(table["task"] == "errors") & (table["needs"] != "labels")].set_index(["method", "score"])
    assert errors.index[errors["best"] == "yes"].tolist() == [("vi_simsiam", "kappa")]
    assert (errors.loc[("vi_simsiam", "kappa")][["rank", "rank_low", "rank_high"]] == 1).all()
    assert errors.loc["simclr", "best_of_method"].to_dict() == {
        "view_agreement": "no", "knn_density": "yes", "feature_norm": "no",
    }  # fmt: skip
    assert errors.loc[("simclr", "knn_density"), "rank_high"] <= 3 < errors.loc[("simclr", "feature_norm"), "rank_high"]


def test_agreement_of_seeds_by_hand(tmp_path):
    runs = opened(tmp_path, methods=("simclr",), seeds=(0, 1, 2))
    table = leaderboard_table(runs).set_index(["task", "score"])
    a, b, c = (run.images["feature_norm"] for run in runs)
    pairs = [spearmanr(x, y).statistic for x, y in ((a, b), (a, c), (b, c))]
    row = table.loc[SEEDS, "feature_norm"]
    assert row["estimate"] == pytest.approx(np.mean(pairs)) and row["ci_low"] < row["estimate"] < row["ci_high"]
    runs[1].images["feature_norm"] = runs[0].images["feature_norm"]
    runs[2].images["feature_norm"] = runs[0].images["feature_norm"]
    same = leaderboard_table(runs).set_index(["task", "score"]).loc[SEEDS, "feature_norm"]
    assert same["estimate"] == same["ci_low"] == same["ci_high"] == 1
    assert SEEDS not in set(leaderboard_table(runs[:2])["task"])


def test_scores_without_ranks(tmp_path):
    """Methods with other seeds cannot be compared; a measure that is undefined for one of the seeds is shown alone."""
    runs = opened(tmp_path, methods=("simclr", "dino"), seeds=(0, 1, 2))
    fewer = leaderboard_table(runs[:-1]).set_index("task")
    assert not {"errors_on_corruptions", "corruptions_below_clean"} & set(fewer.index)  # there are none
    fewer = fewer.loc["errors_on_crops"]
    assert fewer["rank"].isna().all() and fewer["estimate"].notna().all()
    other = reopened(
        [f"digits/{run}" for run in ("dino/seed0", "dino/seed2", "simclr/seed0", "simclr/seed1")], tmp_path
    )
    assert leaderboard_table(other).set_index("task").loc["errors_on_crops", "rank"].isna().all()
    del runs[0].measures["auroc_crop_correct/knn_density"]
    rows = leaderboard_table(runs).set_index(["task", "method", "score"]).loc["errors_on_crops"]
    assert pd.isna(rows.loc[("simclr", "knn_density"), "rank"]) and rows.loc[("simclr", "knn_density"), "seeds"] == 2
    assert rows.loc[("dino", "knn_density"), "rank"] >= 1 and rows.loc[("simclr", "feature_norm"), "rank"] >= 1
    unlabelled = opened(tmp_path / "u", methods=("simclr",), labels=False, extra=False, corruptions=True)
    assert list(leaderboard_table(unlabelled)["task"].unique()) == ["lost_information", "corruptions_below_clean"]
    resampled_less = opened(tmp_path / "r", methods=("simclr", "dino"))
    vars(resampled_less[0])["resampled"] = resampled_less[0].resampled[:100]
    assert leaderboard_table(resampled_less).set_index("task").loc["errors", "rank"].isna().all()


def test_neighbour_consistency_is_one_score_for_all_seeds_and_each_has_its_errors(tmp_path):
    runs = opened(tmp_path, methods=("simsiam", "vi_simsiam"), seeds=(0, 1, 2))
    before = [dict(run.measures) for run in runs]
    add_neighbour_consistency(runs)
    for members in (runs[:3], runs[3:]):
        sets = [[set(row) for row in run.neighbours] for run in members]
        pairs = ((0, 1), (0, 2), (1, 2))
        score = [np.mean([len(sets[a][i] & sets[b][i]) / 20 for a, b in pairs]) for i in range(100)]
        for run in members:
            found = run.measures["auroc_correct/neighbour_consistency"]
            assert found.estimate == pytest.approx(roc_auc_score(run.images["correct"], score))
            assert found.ci_low < found.estimate < found.ci_high and found.n == 100
            assert "aurc/neighbour_consistency" in run.measures
    for run, measures in zip(runs, before, strict=True):
        assert {name: run.measures[name] for name in measures} == measures
        assert all(name.endswith("/neighbour_consistency") for name in run.measures.keys() - measures.keys())
    name = "auroc_correct/neighbour_consistency"
    assert summary_table(runs)[name].tolist() == [run.measures[name].estimate for run in runs]
    assert (measures_table(runs)["measure"] == name).sum() == 6
    assert scores.SCORES["neighbour_consistency"].measured


def test_no_consistency_of_one_seed_or_of_seeds_that_are_the_same(tmp_path):
    (alone,) = opened(tmp_path / "a", methods=("simsiam",))
    same = opened(tmp_path / "b", methods=("untrained",), seeds=(0, 1))
    np.save(same[1].path("uncertainty", "neighbours.npy"), np.array(same[0].neighbours))
    add_neighbour_consistency([alone, *same])
    assert not [name for run in (alone, *same) for name in run.measures if "consistency" in name]
