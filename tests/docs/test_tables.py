"""Tables over several data sets, of leaderboards made by hand."""

import pandas as pd
import pytest

import site_hook
import tables

COLUMNS = ["task", "method", "score", "needs", "estimate", "rank", "rank_low", "rank_high", "best"]
PLAIN = [
    ("errors", "vi_simsiam", "kappa", "", 0.62, 2, 1, 2, "yes"),
    ("errors", "dino", "knn_density", "training images", 0.64, 1, 1, 2, "yes"),
    ("errors", "untrained", "knn_density", "training images", 0.5, 3, 3, 3, "no"),
    ("errors", "dino", "probe_confidence", "labels", 0.9, None, None, None, ""),
    ("retrieval", "vi_simsiam", "kappa", "", 0.7, 1, 1, 1, "yes"),
    ("retrieval", "dino", "knn_density", "training images", 0.6, 2, 2, 2, "no"),
    ("human_doubt", "dino", "probe_confidence", "labels", 0.9, None, None, None, ""),
]
OTHER = [
    ("errors", "vi_simsiam", "kappa", "", 0.52, 2, 2, 2, "no"),
    ("errors", "simclr", "feature_norm", "", 0.6, 1, 1, 1, "yes"),
    ("other_digits", "simclr", "feature_norm", "", 0.8, 1, 1, 1, "yes"),
]


@pytest.fixture(autouse=True)
def boards(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    monkeypatch.setattr(tables, "RUNS", {"one, frozen": "a", "two": "b"})
    for folder, dataset, rows in (("a", "x", PLAIN), ("b", "y", OTHER)):
        (tmp_path / folder).mkdir()
        table = pd.DataFrame(rows, columns=COLUMNS).assign(dataset=dataset)
        table["ci_low"], table["ci_high"] = table["estimate"] - 0.01, table["estimate"] + 0.01
        ranks = ["rank", "rank_low", "rank_high"]
        table[ranks] = table[ranks].astype("Int64")
        table.to_csv(tmp_path / folder / "leaderboard.csv", index=False)


def test_a_score_is_among_the_best_where_one_method_s_is():
    assert tables.best() == [
        ["score", "errors, whole images", "wrong neighbours", "images of digits"],
        ["`kappa`", "one", "one", "-"],
        ["`feature_norm`", "two", "-", "two"],
        ["`knn_density`", "one", "no", "-"],
    ]


def test_kappa_on_each_data_set():
    assert tables.kappa() == [
        ["for", "one, frozen", "two"],
        ["errors, whole images", "0.620 [0.610, 0.630]: 2 of 3 (1 to 2)", "0.520 [0.510, 0.530]: 2 of 2 (2 to 2)"],
        ["wrong neighbours", "0.700 [0.690, 0.710]: 1 of 2 (1 to 1)", "-"],
        ["images of digits", "-", "-"],
    ]


def test_accuracies_by_quantile_name_what_methods_share_once(tmp_path):
    columns = ["dataset", "method", "on", "classifier", "score", "quantile", "accuracy", "ci_low", "ci_high", "n"]
    rows = [
        ("x", method, "images", "probe", score, quantile, accuracy + quantile / 10, 0.1, 0.9, 50)
        for method, score, accuracy in (
            ("simsiam", "knn_density", 0.5), ("vi_simsiam", "kappa", 0.6), ("vi_simsiam", "knn_density", 0.5),
        )
        for quantile in (1, 2)
    ]  # fmt: skip
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "quantiles.csv", index=False)
    assert tables.by_fifth(tmp_path) == [
        ["method", "score", "1 of 2", "2 of 2"],
        ["all", "knn_density", "0.600 [0.100, 0.900]", "0.700 [0.100, 0.900]"],
        ["vi_simsiam", "kappa", "0.700 [0.100, 0.900]", "0.800 [0.100, 0.900]"],
    ]


def test_the_site_shows_a_linked_table(tmp_path):
    (tmp_path / "a.csv").write_text("variant,x,x sd,y\none,0.5,0.1,1\ntwo,0.6,,2\n", encoding="utf-8")
    text = site_hook.with_tables("Before\n\n[A table](a.csv)\n\nSee [A](a.csv) and\n\n[B](absent.csv)\n", tmp_path)
    table = ["| variant | x | y |", "| --- | --- | --- |", "| one | 0.5 ± 0.1 | 1 |", "| two | 0.6 | 2 |"]
    assert text.splitlines() == [
        "Before", "", "[A table](a.csv)", "", *table, "", "See [A](a.csv) and", "", "[B](absent.csv)",
    ]  # fmt: skip
