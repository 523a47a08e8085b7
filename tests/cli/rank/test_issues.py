"""Faults of images: each is found at its limit, and of copies the right file is kept."""

import numpy as np
import pandas as pd
import pytest

from vi_simsiam.cli.rank import issues
from vi_simsiam.core.errors import Problem


def plain(count=40):
    """A table of images without a fault."""
    return pd.DataFrame(
        {
            "path": [f"in/{i:02}.png" for i in range(count)],
            "knn_density": 0.5 + 0.01 * np.sin(np.arange(count)),
            "sharpness": 100.0 + np.arange(count),
            "bright_share": 0.1,
            "highlight": 0.9,
            "width": 400,
            "height": 300,
            "duplicates": pd.Series([None] * count, dtype="Int64"),
        }
    )


CASES = [
    ("outlier", {"knn_density": 0.46}, {"knn_density": 0.48}, "outlier=10"),
    ("dark", {"highlight": 0.31}, {"highlight": 0.33}, "dark=.2"),
    ("light", {"bright_share": 0.51}, {"bright_share": 0.49}, "light=.6"),
    ("blurry", {"sharpness": 11.0}, {"sharpness": 13.0}, "blurry=.05"),
    ("blurry", {"sharpness": 0.1}, {"sharpness": 0.0}, "blurry=.0001"),
    ("odd_size", {"width": 4000, "height": 300}, {"width": 3000, "height": 300}, "odd_size=4"),
    ("odd_size", {"width": 120, "height": 90}, {"width": 150, "height": 110}, "odd_size=4"),
    ("odd_aspect_ratio", {"width": 500, "height": 170}, {"width": 500, "height": 180}, "odd_aspect_ratio=.2"),
    ("odd_aspect_ratio", {"width": 170, "height": 500}, {"width": 180, "height": 500}, "odd_aspect_ratio=.2"),
]


@pytest.mark.parametrize(("name", "bad", "good", "option"), CASES)
def test_a_fault_is_found_beyond_its_limit(name, bad, good, option):
    for values, limits, expected in ((bad, [], [7]), (good, [], []), (bad, [option], [])):
        table = plain()
        table.loc[7, list(values)] = list(values.values())
        assert issues.find(table, issues.thresholds(limits))[name] == expected


def test_the_worst_comes_first_and_tiles_have_no_odd_size():
    table = plain().assign(width=[400] * 37 + [10, 4000, 100_000])
    table.loc[[3, 4], "highlight"] = [0.2, 0.1]
    found = issues.find(table, issues.thresholds([]))
    assert found["dark"] == [4, 3] and found["odd_size"] == [39, 37, 38]
    assert issues.column(found, 40)[37:] == ["odd_size;odd_aspect_ratio"] * 3 and issues.column(found, 40)[4] == "dark"
    assert set(issues.find(table.assign(tile=1), issues.thresholds([]))) == {
        "outlier", "dark", "light", "blurry", "low_information",
    }  # fmt: skip


def test_what_has_one_colour_is_without_content_and_not_blurred():
    """Also where most images are so: the median of sharpness is that of the others."""
    table = plain()
    table.loc[5:, "sharpness"] = 0.0
    table.loc[3, "sharpness"] = 2.0
    found = issues.find(table, issues.thresholds([]))
    assert found["low_information"] == list(range(5, 40)) and found["blurry"] == [3]
    assert issues.find(table, issues.thresholds(["low_information=2"]))["low_information"] == [*range(5, 40), 3]


def test_few_images_have_no_outlier():
    for count, expected in ((9, []), (10, [7])):
        table = plain(count)
        table.loc[7, "knn_density"] = 0.1
        assert issues.find(table, issues.thresholds([]))["outlier"] == expected


def test_one_image_and_equal_images_have_no_fault():
    assert not any(issues.find(plain(1).assign(knn_density=np.nan), issues.thresholds([])).values())
    assert not any(issues.find(plain().assign(knn_density=1.0, sharpness=7.0), issues.thresholds([])).values())


def test_the_largest_and_then_the_sharpest_copy_is_kept():
    table = plain(8)
    table["duplicates"] = pd.array([1, 1, 1, None, 2, 2, 2, 2], "Int64")
    table.loc[1, ["width", "height"]] = [800, 600]
    table["sharpness"] = [100, 100, 100, 9, 100, 500, 500, 100]  # rows 0 and 2, and 5 and 6, have the same bytes
    table["path"] = ["a", "b", "c", "d", "e", "a copy", "f", "g"]
    contents = np.array([0, 1, 0, 2, 3, 4, 4, 5])
    keep, found = issues.copies(table, contents)
    assert keep.tolist() == [1, pd.NA, 1, pd.NA, 6, 6, pd.NA, 6]
    assert found == {issues.EXACT: [2, 5], issues.NEAR: [0, 4, 7]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("drak=1", r"--threshold drak=1: no such name \(did you mean dark\?\)\. Names: outlier, dark"),
        ("dark", "not a number from 0. Write dark=0.32"),
        ("dark=low", "not a number from 0"),
        ("dark=-1", "not a number from 0"),
        ("dark=nan", "not a number from 0"),
    ],
)
def test_a_wrong_threshold_is_a_sentence(text, said):
    with pytest.raises(Problem, match=said):
        issues.thresholds([text])
