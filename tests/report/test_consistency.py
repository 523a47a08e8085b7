"""The measures of neighbour consistency, which is of several runs together."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from helpers.plot_inputs import opened
from vi_simsiam.evaluation import scores
from vi_simsiam.report.leaderboard import add_neighbour_consistency
from vi_simsiam.report.tables import measures_table, summary_table


def test_it_is_one_score_for_all_seeds_and_each_has_its_own_errors(tmp_path):
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
