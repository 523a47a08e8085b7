"""Which images to label first, and labels that may be wrong."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

from helpers.photographs import photographs, picture, rank
from vi_simsiam.cli.rank import labels
from vi_simsiam.stats.covering import covering


def test_label_first_is_the_covering_of_the_whole_images(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    photographs(Path("photos"), range(20))
    shutil.copy("photos/003.png", "photos/copy.png")
    options = ("photos", "--encoder", tiny, "--no-kappa")
    assert rank(*options, "--out", "r", "--label-first", 6) == 0
    table = pd.read_csv("r/ranking.csv")
    (folder,) = Path("r/features").iterdir()
    whole = np.fromfile(folder / "whole.bin", "<f2").reshape(20, -1)
    expected = [f"photos/{row:03}.png" for row in covering(whole, 20)]
    chosen = table.dropna(subset="label_first").sort_values("label_first")
    assert chosen["path"].tolist() == expected[:6] and chosen["label_first"].tolist() == [1, 2, 3, 4, 5, 6]
    assert "Label first: 6" in Path("r/report.txt").read_text(encoding="utf-8")
    # With those labelled, by any of their paths, the next ones follow; Windows' editors begin a file with a mark.
    others = [str(Path(expected[5]).absolute()), f"./photos/../{expected[4]}"]
    Path("done.txt").write_text("\n".join([*expected[:4], *others, ""]), encoding="utf-8-sig")
    assert rank(*options, "--out", "r", "--label-first", 100, "--labelled", "done.txt") == 0
    rest = pd.read_csv("r/ranking.csv").dropna(subset="label_first").sort_values("label_first")["path"].tolist()
    assert rest == expected[6:]


def test_wrong_requests_for_labels_are_sentences(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    photographs(Path("photos"), range(4))
    options = ("photos", "--out", "r", "--encoder", tiny, "--no-kappa")
    Path("wrong.txt").write_text("photos/000.png\nphotos/nowhere.png\n")
    Path("binary").write_bytes(b"\xff\xfe\x00")
    for arguments, said in (
        (("--label-first", 2, "--labelled", "wrong.txt"), "photos/nowhere.png is not among the images"),
        (("--label-first", 2, "--labelled", "binary"), "--labelled binary: it cannot be read as text"),
        (("--label-first", 2, "--labelled", "gone"), "--labelled gone: it cannot be read as text"),
        (("--labelled", "wrong.txt"), "--labelled needs --label-first N"),
        (("--label-first", 2, "--tiles", 16), "leave one of them out"),
    ):
        assert rank(*options, *arguments) == 1
        assert said in capsys.readouterr().err


def test_paths_of_labelled_images_in_another_spelling_of_their_letters():
    paths = pd.Series(["photos/caf\u00e9.png", "photos/cafe\u0301 2.png", "photos/3.png"])
    first = labels.label_first(paths, np.arange(3), np.eye(3), 3, ["photos/cafe\u0301.png", "photos/caf\u00e9 2.png"])
    assert first.tolist() == [pd.NA, pd.NA, 1]


@pytest.mark.parametrize(
    "paths, inputs, expected",
    [
        (["in/cat/1.png", "in/dog/2.png"], ["in"], ["cat", "dog"]),
        (["in/train/cat/1.png", "in/test/cat/2.png", "in/train/dog/1.png"], ["in/"], ["cat", "cat", "dog"]),
        (["a.zip/cat/1.png", "in/cat/2.png", "in/dog/1.png"], ["a.zip", "in"], ["cat", "cat", "dog"]),
        (["in/1.png", "more.zip/2.png"], ["in", "more.zip"], None),  # inputs are no classes
        (["in/cat/1.png", "in/dog/2.png"], ["./in//"], ["cat", "dog"]),
        (["cat/1.png", "dog/2.png"], ["."], ["cat", "dog"]),
        (["../in/cat/1.png", "../in/dog/2.png"], ["./../in"], ["cat", "dog"]),
        (["/cat/1.png", "/dog/2.png"], ["/"], ["cat", "dog"]),
        (["a.zip/cat/1.png", "a.zip/dog/2.png"], ["./a.zip"], ["cat", "dog"]),
        (["in/cat/1.png", "in/2.png"], ["in"], None),
        (["1.png", "2.png"], ["1.png", "2.png"], None),
        (["in/images/1.png", "in/masks/1.png"], ["in"], None),
    ],
)  # fmt: skip
def test_folders_are_classes_as_in_a_recipe(paths, inputs, expected):
    found = labels.classes(paths, inputs)
    assert (None if found is None else found.tolist()) == expected


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_moved_labels_are_found(seed):
    """1,797 digits of scikit-learn, their pixels as features, 5 % of the labels moved on purpose.

    Five other draws gave a precision of .79 to .89, a recall of .60 to .74, and .88 to .90 among the lowest.
    """
    pixels, true = load_digits(return_X_y=True)
    draw = np.random.default_rng(seed)
    moved = draw.permutation(len(true))[: len(true) // 20]
    given = true.copy()
    given[moved] = (given[moved] + draw.integers(1, 10, len(moved))) % 10
    found = labels.label_quality(given.astype(str), np.arange(len(true)), pixels.astype(np.float16), 0)
    suspect = found["label_suggested"].notna().to_numpy()
    wrong = given != true
    precision, recall = (suspect & wrong).sum() / suspect.sum(), (suspect & wrong).sum() / wrong.sum()
    assert precision > 0.7 and recall > 0.45, (precision, recall)
    assert (found["label_suggested"][suspect & wrong] == true[suspect & wrong].astype(str)).mean() > 0.9
    lowest = found["label_quality"].nsmallest(len(moved)).index
    assert wrong[lowest].mean() > 0.8 and found["label_quality"].between(0, 1).all()


@pytest.mark.parametrize("count", [60, 150])
def test_moved_labels_are_found_among_few_images_of_many_features(count):
    """As many components as images are noise: then wrong labels would be found no better than by chance."""
    pixels, true = load_digits(return_X_y=True)
    spread = np.random.default_rng(1).normal(size=(64, 1280))
    for seed in range(3):
        draw = np.random.default_rng(seed)
        rows = draw.permutation(np.flatnonzero(true < count // 15))[:count]
        given, moved = true[rows], draw.permutation(count)[: count // 20]
        given[moved] = (given[moved] + 1) % (count // 15)
        features = (pixels[rows] @ spread / 100).astype(np.float16)
        found = labels.label_quality(given.astype(str), np.arange(count), features, 0)
        assert roc_auc_score(given != true[rows], -found["label_quality"]) > 0.9


def test_folders_that_are_no_classes_have_no_column():
    draw = np.random.default_rng(0)
    features = draw.normal(size=(200, 5)).astype(np.float16)
    rows = np.arange(200)
    assert labels.label_quality(draw.choice(["2023", "2024"], 200), rows, features, 0) is None
    assert labels.label_quality(np.array(["a"] * 196 + ["b"] * 4), rows, features, 0) is None
    # Four equal files are one: no class with enough of them.
    assert labels.label_quality(np.array(["a"] * 190 + ["b"] * 10), np.minimum(rows, 190), features, 0) is None


def test_a_wrong_folder_is_in_the_table_and_the_report(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, shift in (("dark", 0.1), ("light", 1.0), ("few", 1.0)):
        Path("photos", name).mkdir(parents=True)
        for number in range(3 if name == "few" else 20):
            image = np.asarray(picture(number + 100 * len(name))) * shift
            Image.fromarray(image.astype(np.uint8)).save(f"photos/{name}/{number}.png")
    shutil.move("photos/light/7.png", "photos/dark/moved.png")
    assert rank("photos", "--out", "r", "--encoder", tiny, "--no-kappa") == 0
    table = pd.read_csv("r/ranking.csv").set_index("path")
    assert table["label_quality"].idxmin() == "photos/dark/moved.png"
    assert table["label_suggested"].dropna().to_dict() == {"photos/dark/moved.png": "light"}
    assert table["label_quality"].isna().sum() == 3  # those of the class that is too small
    report = Path("r/report.txt").read_text(encoding="utf-8")
    assert "Perhaps in the wrong folder: 1" in report and "- photos/dark/moved.png (looks like light)" in report
