"""Warnings about a score that shows no sign of being reliable name the missing sign."""

import pytest

from helpers.plot_inputs import opened
from vi_simsiam.report.reliability import ADVICE, reliability_warnings
from vi_simsiam.report.tables import own_score


def lower(runs, method, **lows):
    """Set the lower end of the interval of measures of a method's own score."""
    for run in runs:
        for name, low in lows.items():
            if run.method == method:
                measure = f"{name}/{own_score(run.images)}"
                run.measures[measure] = run.measures[measure]._replace(ci_low=low)


def test_a_score_that_follows_crops_and_views_has_no_warning(tmp_path):
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
    lower(runs, "vi_simsiam", **lows)
    (sentence,) = reliability_warnings(runs).values()
    assert sentence.startswith("κ of vi_simsiam on digits ") and words in sentence and sentence.endswith(ADVICE)


def test_the_mean_over_seeds_decides(tmp_path):
    runs = opened(tmp_path, methods=("vae",), seeds=(0, 1))
    lower(runs[:1], "vae", crop_below_whole=0.2)  # the other's is .77
    assert list(reliability_warnings(runs)) == [("digits", "vae")]
    lower(runs[:1], "vae", crop_below_whole=0.24)
    assert not reliability_warnings(runs)
