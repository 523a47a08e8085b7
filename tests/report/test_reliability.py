"""A score that shows no sign of meaning something is told, with the sign that is missing."""

import json

import pytest

from helpers.plot_inputs import opened, reopened
from vi_simsiam.report.reliability import ADVICE, reliability_warnings


def measured(runs, method, **lows):
    """Give a method's runs a lower end of the interval of a measure of its own score."""
    for run in runs:
        if run.method == method:
            path = run.path("uncertainty", "metrics.json")
            measures = json.loads(path.read_text())
            for name, low in lows.items():
                (key,) = [key for key in measures if key.startswith(name) and key.endswith(("kappa", "precision"))]
                measures[key]["ci_low"] = low
            path.write_text(json.dumps(measures))


def test_a_score_that_follows_crops_and_views_is_not_doubted(tmp_path):
    assert reliability_warnings(opened(tmp_path, methods=("simsiam", "vi_simsiam", "vae"))) == {}


@pytest.mark.parametrize(
    ("lows", "words"),
    [
        ({"crop_below_whole": 0.5}, "is no higher on whole images than on crops of them."),
        ({"spearman_view_agreement": 0.0}, "does not follow the agreement of an image's views."),
        ({"crop_below_whole": 0.4, "spearman_view_agreement": -0.1}, "crops of them and does not follow"),
    ],
)
def test_a_missing_sign_is_named(lows, words, tmp_path):
    runs = opened(tmp_path, methods=("simsiam", "vi_simsiam", "vae"), seeds=(0, 1))
    measured(runs, "vi_simsiam", **lows)
    (sentence,) = reliability_warnings(runs).values()
    assert sentence.startswith("κ of vi_simsiam on digits ") and words in sentence and sentence.endswith(ADVICE)


def test_one_good_seed_is_enough_only_where_the_mean_is_above_chance(tmp_path):
    runs = opened(tmp_path, methods=("vae",), seeds=(0, 1))
    measured(runs[:1], "vae", crop_below_whole=0.2)  # the other's is .77
    assert reliability_warnings(runs) and list(reliability_warnings(runs)) == [("digits", "vae")]
    measured(runs[:1], "vae", crop_below_whole=0.24)
    assert not reliability_warnings(reopened(["digits/vae/seed0", "digits/vae/seed1"], tmp_path))
