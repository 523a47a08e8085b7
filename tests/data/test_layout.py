"""Layouts of folders: splits by any usual name, classes of any name."""

from pathlib import Path

import pytest

from vi_simsiam.core.errors import Problem
from vi_simsiam.data.layout import Layout, without_masks


def understood(names):
    """The meaning of the paths: {split: {path: class}}, with None for no class; and the note."""
    layout = Layout.of(names, Path("raw"))
    splits = {split: [name for name in names if layout.split(name) == split] for split in layout.splits}
    classes = layout.classes(splits)
    named = {
        split: {p: classes[i] if classes else None for p, i in zip(paths, layout.labels(paths, classes), strict=True)}
        for split, paths in splits.items()
    }
    return named, layout.note


@pytest.mark.parametrize(
    ("train", "test"),
    [("train", "test"), ("Training", "Testing"), ("TRAIN", "TEST"), ("train", "valid"), ("training", "Validation"),
     ("Train", "val"), ("train", "testing")],
)  # fmt: skip
@pytest.mark.parametrize("top", ["", "photos/2024/"])
def test_split_folders_by_any_usual_name(train, test, top):
    names = [f"{top}{split}/{name}/1.png" for split in (train, test) for name in ("a", "b")]
    named, note = understood(names)
    assert note is None and list(named.values()) == [{names[0]: "a", names[1]: "b"}, {names[2]: "a", names[3]: "b"}]


@pytest.mark.parametrize("name", ["train", "Test", "val"])
def test_a_class_that_is_named_as_a_split(name):
    names = [f"{folder}/1.png" for folder in ("bus", "car", name)]
    named, note = understood(names)
    assert named == {"": {f"{folder}/1.png": folder for folder in ("bus", "car", name)}}
    assert note == f"{name}/ is taken for a class, as bus/ is: images lie directly in it"
    inside = [f"{split}/{folder}/1.png" for split in ("train", "test") for folder in ("bus", name)]
    named, note = understood(inside)
    assert note is None and [list(split.values()) for split in named.values()] == [["bus", name]] * 2
    named, _ = understood([path for path in inside if path.startswith("train/")])
    assert list(named["train"].values()) == ["bus", name]


KNOWN = {
    "images alone": (["1.png", "2.png"], [], [""]),
    "one folder": (["all/1.png", "all/2.png"], [], [""]),
    "one class": (["train/all/1.png", "train/all/2.png", "test/all/3.png"], [], ["train", "test"]),
    "training images alone": (["train/1.png", "train/2.png"], [], ["train"]),
    "YOLO": (["train/images/1.jpg", "train/images/2.jpg", "valid/images/3.jpg"], [], ["train", "val"]),
    "YOLO, the other way": (["images/train/1.jpg", "images/val/2.jpg"], [], ["train", "val"]),
    "COCO": (["coco/train2017/1.jpg", "coco/train2017/2.jpg", "coco/val2017/3.jpg"], [], ["train", "val"]),
    "segmentation": (["images/1.jpg", "images/2.jpg"], ["masks/1.png", "masks/2.png"], [""]),
    "segmentation in splits": (
        ["train/images/1.jpg", "test/images/2.jpg"], ["train/masks/1.png", "test/masks/2.png"], ["train", "test"],
    ),
    "ADE20K": (
        ["ade/images/training/1.jpg", "ade/images/validation/2.jpg"],
        ["ade/annotations/training/1.png"],
        ["train", "val"],
    ),
    "Pascal VOC": (
        ["V/2012/JPEGImages/1.jpg"],
        ["V/2012/SegmentationClass/1.png", "V/2012/SegmentationObject/1.png"],
        [""],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_known_layouts_without_classes(name):
    images, masks, splits = KNOWN[name]
    placed = without_masks([*images, *masks])
    assert [path for path, place in placed.items() if place is None] == masks
    named, _ = understood([placed[path] for path in images])
    assert list(named) == splits and {name for split in named.values() for name in split.values()} == {None}
    assert all(named.values())


def test_classes_with_images_inside_stay_classes():
    paths = ["cat/images/1.jpg", "dog/images/2.jpg", "images/3.jpg"]
    assert without_masks(paths) == {paths[0]: "cat/1.jpg", paths[1]: "dog/2.jpg", paths[2]: paths[2]}
    paths = ["masks/1.jpg", "hats/2.jpg", "images/3.jpg"]  # hats are no masks of images
    assert without_masks(paths) == {path: path for path in paths}


def test_splits_inside_the_class_folders():
    named, _ = understood(["nut/train/good/1.png", "nut/test/bad/1.png", "pin/Train/good/1.png", "pin/test/bad/2.png"])
    assert named == {
        "train": {"nut/train/good/1.png": "nut", "pin/Train/good/1.png": "pin"},
        "test": {"nut/test/bad/1.png": "nut", "pin/test/bad/2.png": "pin"},
    }
    named, _ = understood(["nut/train/1.png", "nut/other/1.png", "pin/train/2.png"])  # not in all: folders in classes
    assert set(named[""].values()) == {"nut", "pin"}


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["test/a/1.png"], "a folder test/ but no train/"),
        (["Training/a/1.png", "train/a/1.png"], "Training/ and train/ are two names of one split"),
        (["train/a/1.png", "valid/b/1.png"], "class b is in valid/ and not in train/"),
        (["train/a/1.png", "train/2.png"], "1 images lie outside the class folders, the first is train/2.png"),
        (["train/a/1.png", "test/2.png", "test/3.png"], "2 images lie outside the class folders"),
        (["a/1.png", "2.png"], "1 images lie outside the class folders, the first is 2.png"),
        ([], "has no image"),
    ],
)
def test_layouts_that_are_not_clear(names, said):
    with pytest.raises(Problem, match=said):
        understood(names)
