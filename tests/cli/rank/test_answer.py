"""The answer of a ranking: its order, and its lists."""

import numpy as np
import pandas as pd
import pytest

from vi_simsiam.cli.rank import answer
from vi_simsiam.cli.rank.answer import Section
from vi_simsiam.models.reference import TrainingScores


def scores_of(above, central=500, name="kappa"):
    return TrainingScores(name, 1000, np.arange(1000, dtype=np.float32), central, above)


def table(**columns):
    count = len(next(iter(columns.values())))
    plain = {"path": [f"in/{i}.png" for i in range(count)], "issues": "", "duplicates": None, "copy_of": None}
    return pd.DataFrame(plain | columns)


SOME = table(knn_density=[0.5, 0.1, 0.9], kappa=[3.0, 2.0, 1.0])


@pytest.mark.parametrize(
    ("training", "by", "sentence"),
    [
        (scores_of(400), "kappa",
         "Sorted by κ, how certain the model is of an image: the least certain come first."),
        (scores_of(201, central=328), "knn_density",  # solar cells
         "Kappa is not reliable on these images. Sorted by how unlike the others each image is."),
        (scores_of(0, central=0), "knn_density",
         "Kappa was not checked on these images. Sorted by how unlike the others each image is."),
        (scores_of(0, name="negative_entropy"), "knn_density",
         "−entropy is not reliable on these images. Sorted by how unlike the others each image is."),
        (None, "knn_density", "Sorted by how unlike the others each image is."),
    ],
)  # fmt: skip
def test_the_order_is_one_that_can_be_relied_on(training, by, sentence):
    assert answer.ordered_by(SOME, training) == by
    assert answer.order_sentence(by, training, trained_here=True) == sentence
    (first,) = answer.sections(SOME, by, {}, {})[:1]
    assert first.rows == ([2, 1, 0] if by == "kappa" else [1, 0, 2])


def test_the_check_is_said_with_its_outcome():
    assert answer.check_sentence(scores_of(400)) == (
        "Kappa passed its check: it is higher on a whole image than on its central quarter for 400 of 500 training "
        "images, so it follows how much an image shows."
    )
    assert "Kappa failed its check" in answer.check_sentence(scores_of(260))
    assert "not clearly more than two thirds" in answer.check_sentence(scores_of(260))
    assert "Kappa was not checked" in answer.check_sentence(scores_of(0, central=0))


def test_one_image_is_ordered_by_the_score_or_by_nothing():
    one = table(knn_density=[np.nan], kappa=[3.0])
    assert answer.ordered_by(one, scores_of(0, 0)) == "kappa" and answer.ordered_by(one, None) == "path"
    assert "nothing to be compared with" in answer.order_sentence("path", None, trained_here=False)
    assert "nothing else to be compared with" in answer.order_sentence("kappa", scores_of(0, 0), trained_here=False)


def test_lists_as_text():
    found = [
        Section("Odd", "They are odd.", rows=[2, 0], notes=["very", ""]),
        Section("Red", "They are red."),
        Section("Not read", "Broken.", lines=("a: no image", "b: no image")),
    ]
    assert list(answer.lines(found, SOME, most=1)) == [
        "", "Odd: 2", "  They are odd.", "  - in/2.png (very)", "  ... and 1 more",
        "", "Not read: 2", "  Broken.", "  - a: no image", "  ... and 1 more",
        "", "None: red.",
    ]  # fmt: skip
    tiles = SOME.assign(tile=[1, 2, 3])
    assert list(answer.lines(found[:1], tiles))[3:] == ["  - in/2.png [tile 3] (very)", "  - in/0.png [tile 1]"]


def test_lists_name_the_copy_to_keep_and_question_what_is_frequent():
    count = 300
    large = table(
        knn_density=np.arange(count) / count, duplicates=pd.array([1] * 20 + [2, 2] + [None] * 278, "Int64"),
        copy_of=[None] + ["in/0.png"] * 19 + [None, "in/20.png"] + [None] * 278,
    )  # fmt: skip
    large.loc[3, "issues"] = "dark;near_duplicate"
    large.loc[22, "issues"] = "odd_size"
    found = {"outlier": [5], "dark": list(range(100)), "near_duplicate": [*range(1, 20)], "exact_duplicate": [21]}
    sections = answer.sections(large, "knn_density", found, {"outlier": 3, "dark": 0.3})
    by_title = {section.title: section for section in sections}
    assert list(by_title) == ["Look at first", "Unlike all others", "Exact copies", "Near copies", "Dark", "Not read"]
    assert by_title["Look at first"].rows == [0, 20, *range(22, 30)]  # one of each group of copies
    assert by_title["Look at first"].notes[:4] == ["", "", "odd size", ""]
    assert by_title["Exact copies"].notes == ["keep in/20.png"] and by_title["Near copies"].count == 19
    assert "Group 1 holds 20 of the 300 images: are these really copies?" in by_title["Near copies"].sentence
    assert "Group 2" not in by_title["Near copies"].sentence
    assert "darker than 0.3 " in by_title["Dark"].sentence and "33% of the images" in by_title["Dark"].sentence
    assert "--threshold dark=VALUE" in by_title["Dark"].sentence
    assert "--threshold" not in by_title["Unlike all others"].sentence
