"""Images of the user: layouts of folders, files that are left out, and the steps download and cache_views."""

import json
import os
import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from helpers.images import encoded
from helpers.stores import params
from vi_simsiam.core.errors import Problem
from vi_simsiam.data import image_files, own_images
from vi_simsiam.data.published import find_source
from vi_simsiam.data.store import SPLITS, Store
from vi_simsiam.data.store_writer import build


def picture(value, mode="RGB"):
    """A 10 x 10 image of one colour."""
    return encoded(Image.new(mode, (10, 10), (value, 0, 255 - value) if mode == "RGB" else value))


def read(tmp_path, files, threads=2, labels=True):
    """The source's images of an archive with these files: name -> value of a picture, or contents."""
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data if isinstance(data, bytes) else picture(data))
    return find_source("files").read(tmp_path, 10, threads=threads, labels=labels)


def content(split):
    """(path, label, red of the first pixel) of every image."""
    rows = np.arange(len(split.labels))
    return list(zip(split.paths(rows), split.labels.tolist(), split.pixels(rows)[:, 0, 0, 0].tolist(), strict=True))


def test_split_folders_with_classes(tmp_path):
    images = read(tmp_path, {"test/dog/1.png": 4, "train/dog/1.png": 3, "train/cat/2.png": 2, "train/cat/10.png": 1,
                             "train/ant/in/deep.png": 9})  # fmt: skip
    assert images.classes == ("ant", "cat", "dog")  # the test set may lack some
    assert content(images.train) == [
        ("train/ant/in/deep.png", 0, 9), ("train/cat/10.png", 1, 1), ("train/cat/2.png", 1, 2),
        ("train/dog/1.png", 2, 3),
    ]  # fmt: skip
    assert content(images.test) == [("test/dog/1.png", 2, 4)]
    assert images.report.left_out == () and images.report.ignored == {} and images.train.labels.dtype == np.int64


def test_val_beside_a_test_set_is_ignored_and_counted(tmp_path):
    files = {"train/a/1.png": 1, "train/b/1.png": 1, "test/a/1.png": 2, "val/a/3.png": 3, "val/a/4.png": 4}
    images = read(tmp_path, files)
    assert content(images.test) == [("test/a/1.png", 0, 2)]
    assert images.report.ignored == {"of val/, because there is a test/": (2, ("val/a/3.png", "val/a/4.png"))}


def test_classes_without_splits_under_a_common_folder(tmp_path):
    images = read(tmp_path, {"pictures/x/b b/1.png": 1, "pictures/x/ä $(x)/1.png": 2})
    assert images.classes == ("b b", "ä $(x)") and images.test is None
    assert content(images.train) == [("pictures/x/b b/1.png", 0, 1), ("pictures/x/ä $(x)/1.png", 1, 2)]


def test_files_that_are_left_out_or_ignored(tmp_path):
    files = {f"train/a/{i}.png": i for i in range(4)} | {"train/b/1.png": 1, "train/b/2.PNG": 2, "test/a/1.jpg": 3}
    files |= {"train/a/broken.jpg": b"\xff\xd8\xff", "train/a/short.png": picture(1)[:45], "extra/a/1.png": 1}
    files |= {"../train/a/up.png": 1, "__MACOSX/train/a/._0.png": b"x", "train/.DS_Store": b"", "train/Thumbs.db": b""}
    files |= {"train/a/.0.png": 0, "README.txt": b"hello", "train/labels.csv": b"x"}
    images = read(tmp_path, files)
    assert [path for path, _, _ in content(images.train)] == sorted(
        [f"train/a/{i}.png" for i in range(4)] + ["train/b/1.png", "train/b/2.PNG"]
    )
    problems = dict(images.report.left_out)
    assert list(problems) == ["../train/a/up.png", "extra/a/1.png", "train/a/broken.jpg", "train/a/short.png"]
    assert problems["extra/a/1.png"] == "outside train/ and test/" and "leads out" in problems["../train/a/up.png"]
    assert images.report.ignored == {
        "hidden files and those of operating systems": (
            4,
            ("__MACOSX/train/a/._0.png", "train/.DS_Store", "train/Thumbs.db", "train/a/.0.png"),
        ),
        "files that are no images": (2, ("README.txt", "train/labels.csv")),
    }


def test_masks_are_not_a_class(tmp_path):
    files = {f"set/{name}/{i}.png": i for name in ("images", "masks") for i in range(3)}
    images = read(tmp_path, files)
    masks = tuple(f"set/masks/{i}.png" for i in range(3))
    assert images.classes == () and images.report.ignored == {"masks beside their images": (3, masks)}
    assert [path for path, _, _ in content(images.train)] == [f"set/images/{i}.png" for i in range(3)]
    assert "are no classes" in images.report.notes[0]


def test_grey_only_if_all_are(tmp_path):
    grey = {f"{name}/{i}.png": picture(i, "L") for name in "ab" for i in range(3)}
    images = read(tmp_path, grey)
    assert images.train.channels == 1 and images.train.pixels(np.arange(2)).shape == (2, 10, 10, 1)
    images = read(tmp_path, grey | {"b/9.png": 9})
    assert images.train.channels == 3
    assert images.train.pixels(np.array([6, 2]))[:, 0, 0].tolist() == [[9, 0, 246], [2, 2, 2]]


def test_the_number_of_threads_makes_no_difference(tmp_path, monkeypatch):
    draw = np.random.RandomState(0)
    files = {}
    for i in range(150):
        files[f"{'ab'[i % 2]}/{i}.jpg"] = encoded(draw.randint(0, 256, (20 + i % 7, 30, 3)).astype(np.uint8), "JPEG")
    used, load_images = [], image_files.load_images
    monkeypatch.setattr(image_files, "load_images", lambda works, n: used.append(n) or load_images(works, n))
    one = read(tmp_path, files, 5).train
    monkeypatch.setattr(image_files, "_WORTH_THREADS", 300)
    many = read(tmp_path, files, 5).train
    assert used == [0, 5]  # small files are decoded without threads
    assert np.array_equal(one.pixels(np.arange(150)), many.pixels(np.arange(150)))
    assert one.paths(np.arange(150)) == many.paths(np.arange(150)) == sorted(files)


# --- the steps ------------------------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path):
    """A folder of 2 x 10 training and 2 x 4 test images, and some other files."""
    top = tmp_path / "my images (ä) $x"
    for split, n in (("train", 10), ("test", 4)):
        for label, name in enumerate(["cat's", "dog"]):
            (top / split / name).mkdir(parents=True)
            for i in range(n):
                (top / split / name / f"{i}.png").write_bytes(picture(100 * label + i))
    (top / "train/notes.txt").write_text("x")
    return top


def steps(script, path, tmp_path, classes=None, **changes):
    """Run the steps download and cache_views. Returns: the store's folder, and the error."""
    raw, out = tmp_path / "raw", tmp_path / "store"
    asked = {"source": "files", "path": str(path), "classes": classes, "mirrors": [], "retries": 0}
    status, said = script("download", "--dataset", "mine", "--params", json.dumps(asked), "--out", raw)
    if status == 0:
        wanted = json.dumps(params(size=10, per_image=0, **changes).model_dump())
        job = ["--dataset", "mine", "--params", wanted, "--threads", "2", "--download", raw, "--out", out]
        status, said = script("cache_views", *job)
    return out, said


def test_a_folder_into_the_store(script, tree, tmp_path):
    (tree / "train/dog/bad.png").write_bytes(b"nothing")
    out, said = steps(script, tree, tmp_path, left_out=0.1)
    assert said == ""
    store = Store.open(out)
    assert store.classes == ("cat's", "dog") and (store.size, store.channels) == (10, 3)
    for split, n in (("train", 10), ("test", 4)):
        table = store.sources(split)
        assert table["path"].tolist() == [f"{split}/{name}/{i}.png" for name in ("cat's", "dog") for i in range(n)]
        assert table["index"].tolist() == list(range(2 * n))
        assert store.images(split)[:, 0, 0, 0].tolist() == [*range(n), *range(100, 100 + n)]
    report = pd.read_csv(out / "report.csv")
    assert list(report.columns) == ["path", "problem"] and report["path"].tolist() == [
        "train/dog/bad.png",
        "train/notes.txt",
    ]
    about = json.loads((out / "store.json").read_text())
    assert about["left_out"] == 1 and about["ignored"] == {"files that are no images": 1}
    record = json.loads((tmp_path / "raw/run.json").read_text())
    assert record["images_state"] == own_images.state(tree)
    assert json.loads((tmp_path / "raw/manifest.json").read_text())["files"][0]["path"] == "images.zip"


def test_too_many_bad_images_stop_the_step(script, tree, tmp_path):
    (tree / "train/dog/bad.png").write_bytes(b"nothing")
    out, said = steps(script, tree, tmp_path)
    assert "1 of 29 images cannot be used, more than cache_views.left_out = 0.01" in said
    assert "train/dog/bad.png: not readable as an image" in said and not (out / "store.json").exists()


def test_an_archive_is_copied_and_stays_as_it_was(script, tree, tmp_path):
    own_images.bring(tree, tmp_path / "packed")
    os.chmod(tmp_path / "packed/images.zip", 0o444)
    out, said = steps(script, tmp_path / "packed/images.zip", tmp_path)
    assert said == "" and Store.open(out).images("train").shape == (20, 10, 10, 3)
    assert (tmp_path / "raw/images.zip").stat().st_ino != (tmp_path / "packed/images.zip").stat().st_ino
    assert (tmp_path / "packed/images.zip").stat().st_nlink == 1


def test_packing_gives_the_same_bytes_for_any_dates(tree, tmp_path):
    packed = []
    for i in range(2):
        assert own_images.bring(tree, tmp_path / str(i)) == ["images.zip", "packed.json"]
        packed.append((tmp_path / str(i) / "images.zip").read_bytes())
        for file in tree.rglob("*.png"):
            os.utime(file, (1e9, 1e9))
    assert packed[0] == packed[1]


def test_state_follows_the_images(tree):
    seen = {own_images.state(tree)}
    assert own_images.state(tree) in seen
    changes = [
        lambda: (tree / "train/dog/new.png").write_bytes(b"1"),
        lambda: (tree / "train/dog/new.png").write_bytes(b"22"),
        lambda: os.utime(tree / "train/dog/new.png", ns=(5, 5)),
        lambda: (tree / "train/dog/new.png").rename(tree / "train/dog/newer.png"),
        lambda: (tree / "train/dog/newer.png").unlink(),
    ]
    for i, change in enumerate(changes):
        change()
        seen.add(own_images.state(tree))
        assert len(seen) == min(i + 2, 5)  # the last takes back what the first did


def test_some_classes_of_a_folder_or_archive(script, tree, tmp_path):
    """A list of class folders: of a folder only these are packed, of an archive only these are read."""
    (tmp_path / "one.txt").write_text("dog\n\n")
    out, said = steps(script, tree, tmp_path, str(tmp_path / "one.txt"))
    store = Store.open(out)
    assert said == "" and store.classes == ()  # of a single class there are no labels
    assert store.images("train")[:, 0, 0, 0].tolist() == list(range(100, 110))
    assert len(zipfile.ZipFile(tmp_path / "raw/images.zip").namelist()) == 14
    files = json.loads((tmp_path / "raw/manifest.json").read_text())["files"]
    assert [file["path"] for file in files] == ["images.zip", "classes.txt", "packed.json"]
    assert json.loads((tmp_path / "raw/run.json").read_text())["images_state"] != own_images.state(tree)

    own_images.bring(tree, tmp_path / "packed")  # an archive of all
    out, said = steps(script, tmp_path / "packed/images.zip", tmp_path, str(tmp_path / "one.txt"))
    assert said == "" and np.array_equal(Store.open(out).images("test"), store.images("test"))
    about = json.loads((out / "store.json").read_text())
    assert about["ignored"] == {"images that are not wanted": 14} and about["left_out"] == 0

    out, said = steps(script, tmp_path / "packed/images.zip", tmp_path)  # without the list, all of them again
    assert said == "" and Store.open(out).classes == ("cat's", "dog")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dog\nfox\n", "has no images of fox, which download.classes names"),
        ("fox\n", "none of its 29 files is an image that can be used in a folder that download.classes names"),
        ("dog\ndog\n", "dog is in the list of classes twice"),
        ("\n", "is empty"),
        (None, "there is no such file"),
    ],
)
def test_lists_of_classes_that_do_not_fit(script, tree, tmp_path, text, words):
    if text is not None:
        (tmp_path / "list.txt").write_text(text)
    assert words in steps(script, tree, tmp_path, str(tmp_path / "list.txt"))[1]
    if text == "dog\nfox\n":
        own_images.bring(tree, tmp_path / "packed")
        assert words in steps(script, tmp_path / "packed/images.zip", tmp_path, str(tmp_path / "list.txt"))[1]


def test_albums_are_not_classes_without_labels(tmp_path):
    files = {"2019/1.png": 1, "2020-06/2.png": 2, "2021-07-01/a/3.png": 3}
    images = read(tmp_path, files)
    assert images.classes == ("2019", "2020-06", "2021-07-01")
    assert [text for text in images.report.notes if "set cache_views.labels to false" in text]
    images = find_source("files").read(tmp_path, 10, labels=False)
    assert images.classes == () and images.train.labels.tolist() == [-1, -1, -1] and images.report.notes == ()
    with pytest.raises(Problem, match=r"set cache_views\.labels to false"):
        read(tmp_path, {**files, "4.png": 4})
    images = find_source("files").read(tmp_path, 10, labels=False)
    assert len(images.train.labels) == 4
    read(tmp_path, {"train/a/1.png": 1, "train/2.png": 2} | {f"test/b/{i}.png": i for i in range(3)}, labels=False)


def test_groups_of_paths(tmp_path):
    """Images of one patient stay on one side; a set with a test folder says where they do not."""
    files = {f"{'ab'[i % 2]}/patient{i // 6} scan{i}.png": i for i in range(60)}
    images = read(tmp_path, files)
    build(tmp_path / "store", "x", images, params(size=10, test_fraction=0.3, groups=r"(patient\d+) "))
    patients = {
        split: set(pd.read_parquet(tmp_path / f"store/sources_{split}.parquet")["path"].str.extract(r"t(\d+) ")[0])
        for split in SPLITS
    }
    assert len(patients["train"]) == 7 and len(patients["test"]) == 3 and not patients["train"] & patients["test"]
    assert json.loads((tmp_path / "store/store.json").read_text())["groups"] == {"train": 7, "test": 3}
    with pytest.raises(Problem, match=r"cache_views.groups = 'patient\[0-4\]' finds no group in 30 of 60 paths"):
        build(tmp_path / "store", "x", images, params(size=10, groups="patient[0-4]"))


def test_a_group_in_training_and_test_folders_is_said(tmp_path, capsys):
    images = read(tmp_path, {f"{split}/{c}/p{i}.png": i for split in SPLITS for c in "ab" for i in range(2, 6)})
    build(tmp_path / "store", "x", images, params(size=10, groups=r"p\d"))
    assert "note: 4 groups of cache_views.groups have training and test images, the first is p2" in (
        capsys.readouterr().out
    )
