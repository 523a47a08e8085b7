import json
import pickle
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from helpers.stores import AUGMENTATION, params, pictures
from vi_simsiam.config.schema import AugmentationParams
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.record import RunRecord
from vi_simsiam.data import store_writer
from vi_simsiam.data.image_sets import Images, Split
from vi_simsiam.data.published import Digits
from vi_simsiam.data.store import SPLITS, Store, file_names
from vi_simsiam.data.store_writer import build
from vi_simsiam.evaluation import features
from vi_simsiam.training import batches
from vi_simsiam.transforms.spatial import crop_resize

FORMS = Digits._FORMS
ALL_FILES = [name for split in SPLITS for name in file_names(split)]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store") / "a set"
    build(folder, "a set", pictures(test=12), params())
    return folder


@pytest.fixture
def copy(built, tmp_path):
    folder = Path(shutil.copytree(built, tmp_path / "copy"))
    RunRecord("cache_views", {}).write(folder)
    return folder


def test_a_store_holds_images_labels_and_views(built):
    store, source = Store.open(built), pictures(test=12)
    assert (store.dataset, store.classes, store.size, store.channels) == ("a set", tuple("abcd"), 16, 3)
    for split, original in (("train", source.train), ("test", source.test)):
        assert isinstance(store.images(split), np.memmap) and not store.images(split).flags.writeable
        assert np.array_equal(store.images(split), original.images)
        assert np.array_equal(store.labels(split), original.labels) and store.labels(split).dtype == np.int64
    assert store.views("train").shape == (40, 2, 16, 16, 3) and store.views("test").shape == (12, 3, 16, 16, 3)
    assert store.views("train").dtype == np.uint8
    np.testing.assert_allclose(store.mean, source.train.images.mean((0, 1, 2)) / 255, rtol=1e-12)
    np.testing.assert_allclose(store.std, source.train.images.std((0, 1, 2)) / 255, rtol=1e-12)
    assert store.augmentation == AUGMENTATION and AugmentationParams.model_validate(store.augmentation)
    assert sorted(path.name for path in built.iterdir()) == sorted([*ALL_FILES, "store.json"])  # no temporary file


def test_another_process_opens_the_maps(tmp_path):
    build(tmp_path, "a set", pictures(400, test=12), params(per_image=2))
    store = Store.open(tmp_path)
    sent = pickle.dumps(store)
    again = pickle.loads(sent)
    assert len(sent) < 1000 < store.images("train").nbytes and isinstance(again.views("train"), np.memmap)
    np.testing.assert_array_equal(again.images("train"), store.images("train"))
    assert again.mean == store.mean


def test_parameter_table_belongs_to_the_views(built):
    """Where nothing but crop and flip was drawn, the table alone is enough to make the view again."""
    store = Store.open(built)
    table = store.view_parameters("train")
    assert [f"{name} {dtype}" for name, dtype in table.dtypes.items()] == [
        "index int64", "view int64", "crop_top int64", "crop_left int64", "crop_height int64", "crop_width int64",
        "crop_area float32", "flip bool", "jitter bool", "brightness float32", "contrast float32",
        "saturation float32", "hue float32", "grey bool", "blur_sigma float32", "noise_sigma float32",
    ]  # fmt: skip
    assert np.array_equal(table["index"], np.repeat(np.arange(40), 2))
    assert np.array_equal(table["view"], np.tile([0, 1], 40))
    np.testing.assert_allclose(table["crop_area"], table["crop_height"] * table["crop_width"] / 256)
    plain = table[~table["jitter"] & ~table["grey"] & (table["blur_sigma"] == 0)]
    assert len(plain) >= 3 and plain["flip"].any()
    assert (plain[["brightness", "contrast", "saturation"]] == 1).all(axis=None) and (plain["hue"] == 0).all()
    boxes = torch.from_numpy(plain[["crop_top", "crop_left", "crop_height", "crop_width"]].to_numpy(copy=True))
    crops = crop_resize(torch.from_numpy(store.images("train")[plain["index"]]), boxes.T, 16)
    flips = torch.from_numpy(plain["flip"].to_numpy(copy=True))[:, None, None, None]
    expected = torch.where(flips, crops.flip(3), crops).permute(0, 2, 3, 1) * 255
    views = store.views("train")[plain["index"], plain["view"]]
    assert np.abs(views - expected.numpy()).max() <= 0.5 + 1e-3


def test_same_params_same_bytes(built, tmp_path):
    build(tmp_path / "again", "a set", pictures(test=12), params())
    for name in [*ALL_FILES, "store.json"]:
        assert (tmp_path / "again" / name).read_bytes() == (built / name).read_bytes(), name


def test_seed_changes_the_views_but_not_the_images(built, tmp_path):
    build(tmp_path / "other", "a set", pictures(test=12), params(seed=1))
    same = {name: (tmp_path / "other" / name).read_bytes() == (built / name).read_bytes() for name in ALL_FILES}
    assert same == {name: not name.startswith("views") for name in ALL_FILES}


@pytest.mark.parametrize("per_image, least, count", [(2, 61, 3), (2, 60, 2), (4, 61, 4), (2, 0, 2), (0, 61, 0)])
def test_few_images_have_more_views(per_image, least, count, tmp_path):
    """Of 30 training images; fresh views stay fresh."""
    build(tmp_path, "few", pictures(), params(per_image=per_image, least_views=least))
    store = Store.open(tmp_path)
    assert store.views("train").shape[:2] == (30, count) and len(store.view_parameters("train")) == 30 * count
    assert store.views("test").shape[:2] == (10, 3)


def test_validation_leaves_the_test_images_alone(tmp_path):
    """And the sources say which row each image was."""
    source = pictures(test=12)
    build(tmp_path, "part", source, params(evaluate_on="validation", train_images=20))
    store = Store.open(tmp_path)
    rows = {split: store.sources(split)["path"].astype(int) for split in SPLITS}
    for split, n in (("train", 20), ("test", 10)):
        assert np.array_equal(store.sources(split)["index"], np.arange(n))
        assert np.array_equal(store.images(split), source.train.images[rows[split]])
        assert np.array_equal(store.labels(split), source.train.labels[rows[split]])
    assert not set(rows["train"]) & set(rows["test"])


def test_resized_once(tmp_path):
    build(tmp_path, "small", pictures(side=24, channels=1, size=8), params(size=8, per_image=2))
    store = Store.open(tmp_path)
    assert store.images("train").shape == (30, 8, 8, 1) and len(store.mean) == 1
    assert store.view_parameters("test")["crop_height"].max() <= 8  # crops are of the stored image


def test_constant_images_do_not_divide_by_nothing(tmp_path):
    split = Split(np.full((8, 8, 8, 1), 255, np.uint8), np.zeros(8, np.int64))
    build(tmp_path, "white", Images(("white",), split, None), params(size=8))
    store = Store.open(tmp_path)
    assert store.mean == (1.0,) and store.std == (1 / 255,)


def test_pieces_make_no_difference_to_images(built, tmp_path, monkeypatch):
    """A set larger than a piece, and views that are made one at a time."""
    monkeypatch.setattr(store_writer, "_PIECE", 7)
    monkeypatch.setattr(store_writer, "_VALUES_AT_ONCE", 1)
    monkeypatch.setattr(store_writer, "_ROWS_PER_GROUP", 5)
    build(tmp_path, "a set", pictures(test=12), params())
    small, whole = Store.open(tmp_path), Store.open(built)
    for split in SPLITS:
        assert np.array_equal(small.images(split), whole.images(split))
        # The generator gives the same numbers in pieces; a pixel may be rounded the other way.
        assert small.view_parameters(split).equals(whole.view_parameters(split))
        assert np.abs(small.views(split).astype(int) - whole.views(split)).max() <= 1


def test_a_failed_build_leaves_nothing_that_opens(copy):
    class Broken(Split):
        def pixels(self, rows):
            raise OSError(28, "No space left on device", "somewhere")

    broken = Images(tuple("abcd"), Broken(pictures().train.images, pictures().train.labels), None)
    with pytest.raises(Problem, match="cannot be written: No space left on device"):
        build(copy, "a set", broken, params())
    with pytest.raises(Problem, match=r"store.json does not exist"):
        Store.open(copy)


# --- damage ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*ALL_FILES, "store.json"])
@pytest.mark.parametrize("damage", ["emptied", "cut", "longer", "flipped", "missing"])
def test_damage_is_found_before_a_store_is_used(copy, name, damage):
    Store.open_verified(copy)
    path = copy / name
    data = path.read_bytes()
    middle = len(data) // 2
    damaged = {
        "emptied": b"",
        "cut": data[: len(data) * 2 // 3],
        "longer": data + b"xx",
        "flipped": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
    }
    path.unlink() if damage == "missing" else path.write_bytes(damaged[damage])
    with pytest.raises(Problem) as caught:
        Store.open_verified(copy)
    said = str(caught.value)
    assert said.startswith(str(path)) and f"Delete the folder {copy} and run again" in said


def test_nothing_is_executed_when_opening(copy):
    class Bomb:
        def __reduce__(self):
            return (exit, (99,))

    np.save(copy / "labels_test.npy", np.array([Bomb()] * 12, dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        Store.open(copy)


def test_images_in_several_classes_are_counted(tmp_path, capsys):
    given = pictures(n=40)
    doubled = np.repeat(given.train.images, 2, axis=0)
    labels = np.repeat(given.train.labels, 2)
    build(tmp_path / "one", "x", Images(given.classes, Split(doubled, labels), None), params())
    assert "several classes" not in capsys.readouterr().out
    labels[[1, 3, 5]] = (labels[[0, 2, 4]] + 1) % len(given.classes)
    labels[6:8] = -1, 0  # without a label it is in one class
    build(tmp_path / "several", "x", Images(given.classes, Split(doubled, labels), None), params())
    assert "note: 3 images are in several classes (equal pixels), the first is in " in capsys.readouterr().out


def test_copies_on_both_sides_are_counted(tmp_path, capsys):
    given = pictures(n=40)
    doubled = np.repeat(given.train.images, 2, axis=0)
    images = Images(given.classes, Split(doubled, np.repeat(given.train.labels, 2)), None)
    build(tmp_path / "store", "x", images, params(test_fraction=0.5))
    store = Store.open(tmp_path / "store")
    train = {image.tobytes() for image in store.images("train")}
    copies = sum(image.tobytes() in train for image in store.images("test"))
    assert 5 < copies < 40 and json.loads((tmp_path / "store/store.json").read_text())["test_in_train"] == copies
    assert f"note: {copies} of 40 test images are also training images" in capsys.readouterr().out
    apart = Images(given.classes, replace(images.train, groups=np.repeat(np.arange(40), 2)), None)
    build(tmp_path / "apart", "x", apart, params(test_fraction=0.5))
    assert json.loads((tmp_path / "apart/store.json").read_text())["test_in_train"] == 0
    assert "also training images" not in capsys.readouterr().out


# --- the scripts ----------------------------------------------------------------------------------------------


def test_download_and_cache_views_of_digits(script, tmp_path):
    raw, out = tmp_path / "raw data", tmp_path / "the store"
    asked = {"source": "digits", "path": None, "classes": None, "mirrors": [], "retries": 0}
    assert script("download", "--dataset", "mine", "--params", json.dumps(asked), "--out", raw) == (0, "")
    assert json.loads((raw / "run.json").read_text())["params"] == asked
    assert json.loads((raw / "manifest.json").read_text())["source"] == "digits"

    wanted = params(size=20, test_fraction=0.2209, per_image=0, test_per_image=2).model_dump()
    job = ("cache_views", "--dataset", "mine", "--params", json.dumps(wanted), "--download", raw, "--out", out)
    assert script(*job) == (0, "")
    store = Store.open(out)
    assert store.images("test").shape == (382, 20, 20, 1) and store.images("train").shape == (1415, 20, 20, 1)
    assert len(pd.read_parquet(out / "views_test.parquet")) == 764
    assert json.loads((out / "store.json").read_text())["groups"] == {"train": 11, "test": 3}
    rows = {split: pd.read_parquet(out / f"sources_{split}.parquet")["path"].astype(int) for split in SPLITS}
    forms = {split: set(np.searchsorted(FORMS, of_split, "right")) for split, of_split in rows.items()}
    assert len(forms["train"]) == 11 and len(forms["test"]) == 3 and not forms["train"] & forms["test"]
    assert json.loads((out / "run.json").read_text())["params"] == wanted

    data = (raw / "digits.csv.gz").read_bytes()
    (raw / "digits.csv.gz").write_bytes(data[:-9] + b"x" + data[-8:])
    status, said = script(*job)
    assert status == 1 and said.startswith(f"error: {raw / 'digits.csv.gz'} is damaged")
    assert f"Delete the folder {raw} and run again" in said


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("how", ["batches", "training"])
def test_a_pass_over_a_large_store_keeps_little_of_it_in_memory(tmp_path, monkeypatch, how):
    shape = (70_000, 32, 32, 3)  # 205 MiB, sparse
    np.lib.format.open_memmap(tmp_path / "images.npy", "w+", np.uint8, shape)
    images = np.load(tmp_path / "images.npy", mmap_mode="r")

    def mapped():
        (line,) = (x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith("RssFile"))
        return int(line.split()[1]) / 1024

    def read():
        if how == "batches":
            yield from features.batches(images.reshape(-1, 32, 32, 3), 500)
            return
        few = SimpleNamespace(images=lambda split: images, views=lambda split: np.empty((len(images), 0), np.uint8))
        passed = batches.ViewBatches(few, None, 1000, 0, torch.device("cpu"))
        monkeypatch.setattr(passed, "_fresh", lambda rows, draw: lambda: images[rows.numpy()])
        yield from passed.epoch(1)

    before = mapped()
    peak = max(mapped() for _ in read()) - before
    assert 5 < peak < 130, f"{peak} MiB: read through the map, and given back"


def test_classes_that_only_the_test_images_have_are_said(tmp_path, capsys):
    build(tmp_path / "store", "x", pictures(n=40, test=8), params(train_images=2))
    assert "note: 2 classes of the test images have no training image, the first is" in capsys.readouterr().out
