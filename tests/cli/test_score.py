"""Scores of new images from a model's folder alone: the same numbers as in training, and nothing dropped silently."""

import errno
import json
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy.stats import percentileofscore
from sklearn.neighbors import NearestNeighbors
from torch.nn.functional import interpolate
from torchvision.transforms.functional import center_crop

import vi_simsiam
from helpers.models import untaught
from helpers.pages import blocks, section
from helpers.photographs import command, score
from helpers.project import ROOT
from vi_simsiam.cli.score import extremes
from vi_simsiam.config.encoder_params import weights_files
from vi_simsiam.config.schema import METHODS
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.record import RunRecord
from vi_simsiam.data.reader import ImageReader
from vi_simsiam.evaluation.features import batches
from vi_simsiam.methods import method_class
from vi_simsiam.models import known, reference, saved


@pytest.fixture(scope="module")
def folder(tmp_path_factory, store):
    return untaught(tmp_path_factory.mktemp("model"), store)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory, store):
    """The test images as files of one folder."""
    top = tmp_path_factory.mktemp("pictures")
    for i, image in enumerate(store.images("test")):
        Image.fromarray(image[..., 0]).save(top / f"{i:03}.png")
    return top


def expected(folder, images):
    model, _ = saved.load(folder)
    with torch.no_grad():
        features = model.features(next(batches(images, len(images))))
        return features.numpy(), {name: values.numpy() for name, values in model.certainty(features).items()}


def test_files_folders_and_archives_give_the_scores_of_the_store(folder, pictures, store, tmp_path):
    features, scores = expected(folder, store.images("test"))
    files = sorted(pictures.iterdir())
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        for file in files:
            packed.write(file, f"in/{file.name}")
    with tarfile.open(tmp_path / "b.tar.gz", "w:gz") as packed:
        packed.add(pictures, "in")
    model = vi_simsiam.load(folder, "cpu")
    for inputs, names in (
        (pictures, [str(file) for file in files]),
        (files[::-1], [str(file) for file in files[::-1]]),
        ([tmp_path / "a.zip"], [f"{tmp_path}/a.zip/in/{file.name}" for file in files]),
        ([tmp_path / "b.tar.gz"], [f"{tmp_path}/b.tar.gz/in/{file.name}" for file in files]),
    ):
        table = model.score(inputs, threads=3)
        assert table.columns.tolist() == ["path", "kappa", "expected_cosine", "percentile", "knn_density"]
        assert table["path"].tolist() == names
        order = [int(name[-7:-4]) for name in names]
        np.testing.assert_allclose(table["kappa"], scores["kappa"][order], rtol=1e-5)
        np.testing.assert_allclose(table["expected_cosine"], scores["expected_cosine"][order], rtol=1e-5)
        np.testing.assert_allclose(model.embed(inputs), features[order], atol=1e-5)


def test_percentiles_are_those_of_an_independent_library(folder, store, monkeypatch, tmp_path):
    _, scores = expected(folder, store.images("train"))
    training = reference.read(folder)
    assert training.name == "kappa" and training.images == 96
    np.testing.assert_allclose(training.values, np.sort(scores["kappa"]), rtol=1e-5)
    new = np.concatenate([training.values[::7], training.values[::5] * 1.01, [0, 1e9]]).astype(np.float32)
    known = [percentileofscore(training.values, value, kind="mean") for value in new]
    np.testing.assert_allclose(training.percentile(new), known)
    assert training.percentile(np.array([0, 1e9])).tolist() == [0, 100]
    monkeypatch.setattr(reference, "_MOST", 20)
    fewer = reference.read(untaught(tmp_path, store))
    assert len(fewer.values) == 20 and fewer.images == 96
    assert np.abs(fewer.percentile(new) - known).max() <= 100 / 20


def test_density_is_that_to_the_nearest_training_images(folder, store, pictures, monkeypatch, tmp_path):
    ours, _ = expected(folder, store.images("train"))
    new, _ = expected(folder, store.images("test"))
    bank = NearestNeighbors(n_neighbors=20, metric="cosine").fit(ours)
    model = vi_simsiam.load(folder, "cpu")
    np.testing.assert_allclose(model.score(pictures)["knn_density"], 1 - bank.kneighbors(new)[0].mean(1), atol=1e-3)
    alone = 1 - bank.kneighbors()[0].mean(1)
    np.testing.assert_allclose(model.known.densities, alone, atol=1e-3)
    assert model.known.threshold == pytest.approx(np.quantile(alone, 0.01), abs=1e-3)
    assert (folder / "known.safetensors").stat().st_size < 2 * ours.size + 4 * len(ours) + 1000
    # Of more images than fit, those at even steps.
    monkeypatch.setattr(known, "_BYTES", 2 * ours.shape[1] * 32)
    rows = known.selection(96, ours.shape[1])
    assert len(rows) == 32 and rows[0] == 0 and rows[-1] == 95 and set(np.diff(rows)) <= {3, 4}
    part = vi_simsiam.load(untaught(tmp_path, store), "cpu")
    theirs = NearestNeighbors(n_neighbors=20, metric="cosine").fit(ours[rows]).kneighbors(new)[0]
    np.testing.assert_allclose(part.score(pictures)["knn_density"], 1 - theirs.mean(1), atol=1e-3)
    monkeypatch.undo()
    assert known.selection(60_000, 1280).size * 1280 * 2 <= 20_000_000 and known.selection(10**6, 32).size == 20_000
    assert known.selection(1, 32).tolist() == [0]


def test_images_unlike_the_training_images_are_counted(folder, pictures, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(known.KnownImages, "threshold", 2.0)
    assert score(pictures, "--run", folder, "--out", tmp_path / "s.csv") == 0
    said = "40 of 40 images are unlike anything this model was trained on (knn_density below 2.000, as for 1% of its"
    assert said in capsys.readouterr().err
    # One of 40 may be a chance: the 95 % Wilson interval begins at .4 %.
    lowest = pd.read_csv(tmp_path / "s.csv")["knn_density"].nsmallest(2).mean()
    monkeypatch.setattr(known.KnownImages, "threshold", lowest)
    assert score(pictures, "--run", folder, "--out", tmp_path / "t.csv") == 0
    assert "images are unlike" not in capsys.readouterr().err


def test_a_model_of_an_earlier_version_has_no_density_and_says_so(folder, pictures, tmp_path, capsys):
    old = shutil.copytree(folder, tmp_path / "old")
    (old / "known.safetensors").unlink()
    with pytest.raises(Problem, match=r"known\.safetensors is missing"):
        vi_simsiam.load(old)
    RunRecord("pretrain", {}).write(old)
    assert score(pictures, "--run", old, "--out", tmp_path / "s.csv") == 0
    assert "no column knn_density: this model" in capsys.readouterr().err
    assert pd.read_csv(tmp_path / "s.csv").columns.tolist() == ["path", "kappa", "expected_cosine", "percentile"]


def test_a_model_knows_whether_its_score_follows_crops(folder, store, pictures, tmp_path, capsys):
    images = store.images("train")
    crops = center_crop(torch.tensor(images).permute(0, 3, 1, 2), [images.shape[1] // 2] * 2).float()
    crops = interpolate(crops, size=images.shape[1:3], mode="bilinear", antialias=True, align_corners=False)
    crops = crops.round().permute(0, 2, 3, 1).numpy()
    whole, quarter = (expected(folder, part)[1]["kappa"] for part in (images, crops))
    training = reference.read(folder)
    assert training.central == 96 and abs(training.above - (quarter < whole).sum()) <= 1
    # binomtest(353, 500).proportion_ci(method="wilson") begins at .6646, of 355 at .6687
    about = {above: replace(training, central=500, above=above).reliability_warning for above in (0, 353, 355, 500)}
    assert about[355] is None and about[500] is None and replace(training, central=0).reliability_warning is None
    assert "for 353 of 500 training images" in about[353] and about[0]
    copy = shutil.copytree(folder, tmp_path / "doubtful")
    changed(copy, above=10)
    RunRecord("pretrain", {}).write(copy)
    assert score(pictures, "--run", copy, "--out", tmp_path / "s.csv") == 0
    assert "warning: kappa of this model is higher on a whole image" in capsys.readouterr().err


@pytest.mark.parametrize("method", [name for name in METHODS if len(method_class(name).certainty_scores) == 1])
def test_the_score_is_the_methods_own(method, store, pictures, tmp_path):
    model = vi_simsiam.load(untaught(tmp_path, store, method), "cpu")
    table, (name,) = model.score(pictures), method_class(method).certainty_scores
    assert table.columns.tolist() == ["path", name, "percentile", "knn_density"]
    np.testing.assert_allclose(table[name], expected(tmp_path, store.images("test"))[1][name], rtol=1e-4)
    assert (np.diff(table.sort_values(name)["percentile"]) >= 0).all() and table["percentile"].nunique() > 5


def test_a_method_without_a_score_says_so_and_embeds(store, pictures, tmp_path, capsys):
    untaught(tmp_path / "m", store, "untrained")
    assert score(pictures, "--run", tmp_path / "m", "--out", tmp_path / "s.csv") == 1
    assert "untrained has no certainty score of its own" in capsys.readouterr().err
    assert not (tmp_path / "s.csv").exists()
    assert vi_simsiam.load(tmp_path / "m").embed(pictures).shape[0] == len(store.images("test"))


def test_what_cannot_be_read_is_named_and_counted(folder, pictures, tmp_path, capsys):
    photos = tmp_path / "photos"
    shutil.copytree(pictures, photos / "deep" / "er")
    (photos / "empty.jpg").touch()
    (photos / "cut.png").write_bytes((pictures / "000.png").read_bytes()[:60])
    (photos / "es\x1b[31mcape\n.png").write_bytes(b"GIF8 not really")
    (photos / "deep" / "loop").symlink_to(photos, target_is_directory=True)
    (photos / "gone.png").symlink_to(tmp_path / "nowhere")
    (photos / "notes.txt").touch()
    (photos / ".hidden.png").touch()
    (tmp_path / "damaged.zip").write_bytes(b"PK no")
    with zipfile.ZipFile(tmp_path / "odd.zip", "w") as packed:
        packed.write(pictures / "001.png", "../out.png")
        packed.write(pictures / "001.png", "in.png")
    out = tmp_path / "s.csv"
    assert score(photos, tmp_path / "damaged.zip", tmp_path / "odd.zip", "--run", folder, "--out", out) == 3
    said = capsys.readouterr().err
    table = pd.read_csv(out)
    assert len(table) == 41 and not table.isna().any().any()
    lines = [line for line in said.splitlines() if line.startswith("not scored: ")]
    for name in ("empty.jpg", "cut.png", r"es\x1b[31mcape\n.png", "gone.png", "damaged.zip", "odd.zip/../out.png"):
        assert sum(name in line for line in lines) == 1, name
    assert len(lines) == 6 and "\x1b" not in said
    assert (
        "41 images scored, 6 could not be read; ignored: 1 files that are no images (notes.txt), "
        "1 hidden files and those of operating systems, 1 links to folders that are used already (deep/loop -> .)."
        in said
    )
    with pytest.raises(Problem, match=r"cut\.png: not readable"):
        vi_simsiam.load(folder).score([photos / "cut.png"])
    assert score(photos / "cut.png", "--run", folder, "--out", tmp_path / "t.csv") == 1
    assert "no image could be scored" in capsys.readouterr().err and not (tmp_path / "t.csv").exists()


def test_csv_parquet_lists_and_grid(folder, pictures, tmp_path, capsys):
    photos = shutil.copytree(pictures, tmp_path / "photos")
    top = ("--top", 5, "--grid", photos / "grid.png", "--overwrite")
    assert score(photos, "--run", folder, "--out", tmp_path / "s.csv", *top) == 0
    printed = capsys.readouterr().out
    assert score(photos, "--run", folder, "--out", tmp_path / "s.parquet", *top) == 0  # does not read the picture
    text, binary = pd.read_csv(tmp_path / "s.csv"), pd.read_parquet(tmp_path / "s.parquet")
    pd.testing.assert_frame_equal(text, binary, rtol=1e-8)
    order = text.sort_values("kappa", kind="stable")["path"].tolist()
    assert [line.split()[-1] for line in printed.splitlines() if ".png" in line] == order[:5] + order[::-1][:5]
    with Image.open(photos / "grid.png") as image:
        assert image.width == 1400 and np.asarray(image).std() > 10
    assert {path.name for path in tmp_path.iterdir()} == {"s.csv", "s.parquet", "photos"}  # nothing half-written


def test_the_names_in_a_csv_lead_to_their_files_and_are_no_formulas(folder, pictures, tmp_path, monkeypatch):
    """As spreadsheets read it, and R: a carriage return splits a row unless it is quoted."""
    names = [
        "=1+1.png",
        "+1.png",
        "-1.png",
        "@a.png",
        "001.png",
        "a\r",
        "a\nb.png",
        "a;b,c.png",
        '"a".png',
        "'a.png",
        "#.png",
    ]
    for name in names:
        shutil.copy(pictures / "000.png", tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert score(".", "--run", folder, "--out", "s.csv") == 0
    table = pd.read_csv("s.csv")
    assert sorted(os.path.normpath(path) for path in table["path"]) == sorted(names)
    assert not any(path.startswith(tuple("=+-@")) for path in table["path"]) and not table.isna().any(axis=None)
    assert all(map(os.path.exists, table["path"]))


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["--out", "s.txt"], "ends in .csv or .parquet"),
        (["--grid", "g.gif"], "ends in .png"),
        (["--device", "cuda:77"], "--device cuda:77"),
    ],
)
def test_wrong_arguments(folder, pictures, arguments, says, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert score(pictures, "--run", folder, *arguments) == 1
    assert says in capsys.readouterr().err and not list(tmp_path.iterdir())


@pytest.fixture
def many(pictures, tmp_path, monkeypatch):
    """A folder `photos` of 600 images, one of them damaged; a function that makes the command stop at an image."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for i, file in enumerate(sorted(pictures.iterdir()) * 15):
        shutil.copy(file, tmp_path / f"photos/{i:03}.png")
    (tmp_path / "photos/100.png").write_bytes(b"")
    prepared = ImageReader.prepared

    def stop_at(number):
        read = Counter()

        def interrupted(reader, *page):
            read["images"] += 1
            if read["images"] == number:
                raise KeyboardInterrupt
            return prepared(reader, *page)

        monkeypatch.setattr(ImageReader, "prepared", interrupted)
        return read

    return stop_at


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_an_interrupted_table_goes_on_and_is_that_of_an_undisturbed_run(folder, many, suffix, capsys):
    arguments = ("photos", "--run", folder, "--threads", 1, "--device", "cpu", "--top", 5, "--out")
    assert score(*arguments, f"whole{suffix}") == 3
    whole = capsys.readouterr()
    many(580)
    assert score(*arguments, f"s{suffix}") == 130
    assert "the same command goes on from there" in capsys.readouterr().err
    assert Path(f"s{suffix}.partial").exists() and not Path(f"s{suffix}").exists()
    with open(f"s{suffix}.partial", "a") as file:
        file.write('{"rows": {"path": ["cut')  # as kill -9 leaves it
    read = many(0)
    assert score(*arguments, f"s{suffix}") == 3
    again = capsys.readouterr()
    assert read["images"] == 599 - 512 and "512 images were scored before" in again.err
    assert Path(f"s{suffix}").read_bytes() == Path(f"whole{suffix}").read_bytes()
    assert again.out == whole.out and not Path(f"s{suffix}.partial").exists()
    for said in (whole.err, again.err):
        assert said.count("not scored: photos/100.png") == 1 and "599 images scored, 1 could not be read" in said


def test_a_folder_that_vanishes_is_no_folder_of_damaged_images(folder, many, tmp_path, capsys, monkeypatch):
    arguments = ("photos", "--run", folder, "--threads", 1, "--device", "cpu", "--out", "s.csv")
    prepared = ImageReader.prepared

    def vanishes(reader, contents, page):
        if contents.file.name == "560.png":
            (tmp_path / "photos").rename(tmp_path / "moved")
        return prepared(reader, contents, page)

    monkeypatch.setattr(ImageReader, "prepared", vanishes)
    assert score(*arguments) == 1
    assert "error: photos was moved or removed while it was read. Run again when it is back." in capsys.readouterr().err
    assert not (tmp_path / "s.csv").exists()
    (tmp_path / "moved").rename(tmp_path / "photos")
    monkeypatch.setattr(ImageReader, "prepared", prepared)
    assert score(*arguments) == 3
    said = capsys.readouterr().err
    assert "images were scored before the interruption" in said and "599 images scored, 1 could not be read" in said


def test_rows_of_an_interrupted_command_are_not_mixed_with_others(folder, many, tmp_path, capsys):
    arguments = ("--run", folder, "--threads", 1, "--out", "s.csv")
    many(580)
    assert score("photos", *arguments) == 130
    many(0)
    shutil.copytree("photos", "others")
    shutil.copytree(folder, "model")
    changed(Path("model"), above=10)
    RunRecord("pretrain", {}).write(Path("model"))
    for wrong in (("others", *arguments), ("photos", "--run", "model", *arguments[2:])):
        assert score(*wrong) == 1
        assert "an interrupted command that differs from this one" in capsys.readouterr().err
    shutil.copy("s.csv.partial", "kept")
    assert score("others", *arguments, "--overwrite") == 3
    assert pd.read_csv("s.csv")["path"].str.startswith("others/").sum() == 599
    shutil.copy("kept", "s.csv.partial")
    (tmp_path / "photos/000.png").unlink()
    for more in ((), ("--overwrite",)):
        Path("s.csv").unlink(missing_ok=True)
        assert score("photos", *arguments, *more) == 1
        assert "some were added or removed" in (said := capsys.readouterr().err)
        assert "Delete s.csv.partial to score all again." in said
    Path("s.csv.partial").unlink()
    assert score("photos", *arguments) == 3
    assert pd.read_csv("s.csv")["path"].str.startswith("photos/").sum() == 598


def test_a_full_disk_is_a_sentence(folder, pictures, tmp_path, capsys, monkeypatch):
    def full(file, *_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("vi_simsiam.cli.journal.json.dumps", full)
    assert score(pictures, "--run", folder, "--out", tmp_path / "s.csv") == 1
    assert "s.csv.partial cannot be written: No space left" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_earlier_table_is_replaced_only_by_request(folder, pictures, tmp_path, capsys):
    out, grid = tmp_path / "s.csv", tmp_path / "g.png"
    assert score(pictures / "000.png", "--run", folder, "--out", out) == 0
    before = out.read_bytes()
    assert score(pictures / "001.png", "--run", folder, "--out", out) == 1
    assert "s.csv exists: name another --out, or add --overwrite" in capsys.readouterr().err
    assert out.read_bytes() == before
    assert score(pictures / "001.png", "--run", folder, "--out", out, "--overwrite") == 0
    assert pd.read_csv(out)["path"].tolist() == [str(pictures / "001.png")]
    grid.write_text("mine")
    assert score(pictures, "--run", folder, "--out", tmp_path / "t.csv", "--grid", grid) == 1
    assert "g.png exists: name another --grid" in capsys.readouterr().err and grid.read_text() == "mine"


def test_a_table_that_another_command_has_written_meanwhile_is_kept(folder, pictures, tmp_path, capsys, monkeypatch):
    def load(*arguments):
        (tmp_path / "s.csv").write_text("of another command")
        return vi_simsiam.load(*arguments)

    monkeypatch.setattr("vi_simsiam.cli.score.load", load)
    assert score(pictures, "--run", folder, "--out", tmp_path / "s.csv") == 1
    assert "s.csv exists" in capsys.readouterr().err
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"s.csv": "of another command"}


@pytest.mark.parametrize(("wrong", "said"), [("photoz", "photoz: there is no such file"), ("", "empty name")])
def test_an_input_that_does_not_exist_stops_before_anything_is_read(folder, pictures, tmp_path, capsys, wrong, said):
    assert score(pictures, wrong, "--run", folder, "--out", tmp_path / "s.csv") == 1
    assert said in capsys.readouterr().err and not (tmp_path / "s.csv").exists()


@pytest.mark.parametrize(
    "damage, says",
    [
        (lambda f: (f / "scoring.json").unlink(), r"no scoring\.json.*pretrain"),
        (lambda f: (f / "scoring.json").write_text("{"), r"scoring\.json is not readable"),
        (lambda f: changed(f, train_scores=[3, 2]), r"scoring\.json is damaged"),
        (lambda f: changed(f, train_scores=["a"]), r"scoring\.json is damaged"),
        (lambda f: changed(f, train_scores=[]), r"scoring\.json is damaged"),
        (lambda f: changed(f, resize="stretched"), "another version"),
        (lambda f: changed(f, train_images=97), r"scoring\.json is damaged: its SHA-256"),
        (lambda f: (f / "run.json").unlink(), r"run\.json does not exist"),
        (lambda f: (f / "run.json").write_text("[]"), r"run\.json is damaged or of an older version"),
        (lambda f: flipped(f / "model.safetensors"), r"model\.safetensors is damaged: its SHA-256"),
        (lambda f: flipped(f / "known.safetensors"), r"known\.safetensors is damaged: its SHA-256"),
        (lambda f: flipped(f / "model.json"), r"model\.json is damaged: its SHA-256"),
        (lambda f: (f / "model.safetensors").unlink(), r"model\.safetensors is missing"),
        (lambda f: shutil.rmtree(f), r"moved is no folder of a model\. Name one that a run has left"),
    ],
)
def test_a_folder_that_is_not_whole_is_refused(folder, tmp_path, damage, says):
    copy = shutil.copytree(folder, tmp_path / "moved")
    assert vi_simsiam.load(copy).training.images == 96  # whatever it is called and wherever it lies
    damage(copy)
    with pytest.raises(Problem, match=says):
        vi_simsiam.load(copy)


def test_a_path_beside_a_model_is_answered_with_the_model(folder, pictures, tmp_path, capsys, monkeypatch):
    """Of all commands that take a model: a ranking's folder, a file, a folder above, another step's result."""
    monkeypatch.chdir(tmp_path)
    model = shutil.copytree(folder, "ranked/model")
    Path("ranked/rank.json").write_text("{}")
    seed = shutil.copytree(folder, "results/pretrain/x/vi_simsiam/seed0")
    Path("results/probe/x/vi_simsiam/seed0").mkdir(parents=True)
    photos = shutil.copytree(pictures, "photos")
    meant = {
        "ranked": model, "ranked/gallery.html": model, "ranked/features": model, "ranked/modle": model,
        f"{model}/model.safetensors": model, "results/pretrain": seed, "results/pretrain/x/vi_simsiam": seed,
        "results/probe/x/vi_simsiam/seed0": seed,
    }  # fmt: skip
    for named, found in meant.items():
        with pytest.raises(Problem, match=rf"{named} is no folder of a model \(did you mean {found}\?\)\. Name one"):
            vi_simsiam.load(named)
    for words in (
        ["score", photos, "--run", "ranked"], ["export", "ranked", "--onnx", "m.onnx"],
        ["rank", photos, "--run", "ranked", "--out", "out"], ["rank", photos, "--encoder", "ranked", "--out", "other"],
    ):  # fmt: skip
        assert command(*words) == 1 and "did you mean ranked/model?" in capsys.readouterr().err, words
    with pytest.raises(Problem, match=r"pretrain.backbone.weights = ranked does not exist .*did you mean ranked/model"):
        weights_files("resnet10", "ranked")
    shutil.rmtree(model)
    with pytest.raises(Problem, match="a ranking without kappa, which leaves no model: rank without --no-kappa"):
        vi_simsiam.load("ranked")


def flipped(file):
    """One bit of a byte in the middle."""
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def changed(folder, **entries):
    about = json.loads((folder / "scoring.json").read_text()) | entries
    (folder / "scoring.json").write_text(json.dumps(about))


def test_a_stream_reads_only_a_few_images_ahead(tmp_path, monkeypatch):
    """So memory does not grow with the number of images."""
    for i in range(300):
        Image.new("L", (4, 4)).save(tmp_path / f"{i:03}.png")
    read = Counter()
    original = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.update([path.name]) or original(path))
    stream = iter(ImageReader([tmp_path], 4, 1, threads=2))
    for i in range(100):
        assert next(stream).path.endswith(f"{i:03}.png")
    assert 100 <= len(read) <= 100 + 2 * 3 * 4 + 2 * 4
    stream.close()
    assert len(read) <= 140


def test_colours_are_turned_to_grey_or_kept_as_the_model_has_it(tmp_path):
    Image.new("RGB", (9, 6), (255, 0, 0)).save(tmp_path / "red.png")
    (grey,), (colour,) = (list(ImageReader(tmp_path / "red.png", 3, channels)) for channels in (1, 3))
    assert (grey.content == 76).all() and grey.content.shape == (3, 3, 1)  # .299 of 255, ITU-R 601
    assert (colour.content == [255, 0, 0]).all()


@pytest.mark.parametrize(
    "images, count, lowest, highest", [(50, 2, [0, 1], [49, 48]), (3, 9, [0, 1], [2]), (1, 3, [0], [])]
)
def test_extremes_are_the_most_extreme_first_and_no_image_is_on_both_sides(images, count, lowest, highest):
    table = pd.DataFrame({"kappa": np.random.default_rng(0).permutation(images)})
    assert [side["kappa"].tolist() for side in extremes(table, "kappa", count)] == [lowest, highest]
    low, high = extremes(table.assign(kappa=1), "kappa", count)
    assert len(low) == len(lowest) and len(high) == len(highest) and low.index.isin(high.index).sum() == 0


def test_a_picture_of_one_image_and_names_that_cannot_be_written(folder, pictures, tmp_path, capsys):
    one = pictures / "000.png"
    assert score(one, "--run", folder, "--out", tmp_path / "s.csv", "--top", 3, "--grid", tmp_path / "g.png") == 0
    assert "most uncertain" in capsys.readouterr().out and (tmp_path / "g.png").exists()
    (tmp_path / "folder.png").mkdir()
    for option, name in (("--out", "x" * 260 + ".csv"), ("--grid", "folder.png")):
        assert score(one, "--run", tmp_path, option, tmp_path / name) == 1  # before the model is looked at
        assert f"{name} cannot be written: " in capsys.readouterr().err
    assert score(one, "--run", folder, "--out", tmp_path / ("y" * 250 + ".csv")) == 0


def test_the_table_is_kept_when_the_picture_cannot_be_drawn(folder, pictures, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("vi_simsiam.report.figures.style.save", lambda *_: 1 / 0)
    assert score(pictures, "--run", folder, "--out", tmp_path / "s.csv", "--grid", tmp_path / "g.png") == 1
    assert "could not be drawn: division by zero. The table is written" in capsys.readouterr().err
    assert len(pd.read_csv(tmp_path / "s.csv")) == 40


def test_the_module_is_the_command_and_outlives_its_reader_and_a_notebooks_backend(folder, pictures, tmp_path):
    """More of terminals in tests/core/test_command.py."""
    score = [sys.executable, "-m", "vi_simsiam", "score", pictures, "--run", folder, "--out", tmp_path / "s.csv"]
    score += ["--top", 30, "--grid", tmp_path / "g.png"]
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{shlex.join(map(str, score))} | true"], capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src"), "MPLBACKEND": "module://matplotlib_inline.nowhere"},
    )  # fmt: skip
    # On grey images, a warning, images unlike the training's, the counts.
    assert done.returncode == 0 and len(done.stderr.splitlines()) == 4, done.stderr
    assert len(pd.read_csv(tmp_path / "s.csv")) == 40 and (tmp_path / "g.png").exists()


@pytest.mark.slow
def test_the_installed_package_has_the_command(folder, pictures, tmp_path):
    for part in ("src/vi_simsiam", "pyproject.toml", "README.md", "LICENSE"):
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        (tmp_path / "project" / part).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / part, tmp_path / "project" / part)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-build-isolation", "--target", tmp_path / "site", tmp_path / "project"], check=True)
    said = subprocess.run(
        [tmp_path / "site/bin/vi-simsiam", "score", pictures, "--run", folder, "--out", tmp_path / "s.csv"],
        env=os.environ | {"PYTHONPATH": str(tmp_path / "site")}, cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert said.returncode == 0 and "40 images scored" in said.stderr, said.stderr
    assert (tmp_path / "site/vi_simsiam/methods/vi_simsiam.py").exists()


def test_the_commands_of_the_page_work(folder, pictures, tmp_path, monkeypatch):
    """docs/your_images.md, word for word."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folder, "results/pretrain/digits/vi_simsiam/seed0")
    shutil.copytree(pictures, "photos")
    shutil.copy(pictures / "000.png", "cat.jpg")
    with zipfile.ZipFile("more.zip", "w") as packed:
        packed.write("cat.jpg")
    page = section("your_images.md", "Score with a trained model")
    (shell,), (python,) = (blocks(page, kind) for kind in ("sh", "python"))
    for line in shell.splitlines():
        program, sub, *arguments = shlex.split(line)
        assert (program, sub) == ("vi-simsiam", "score") and score(*arguments) == 0
    assert len(pd.read_csv("scores.csv")) == 42 and len(pd.read_parquet("scores.parquet")) == 40
    assert Path("extremes.png").exists()
    names: dict = {}
    exec(python, names)
    assert names["table"]["path"].iloc[-1] == "more.zip/cat.jpg" and len(names["features"]) == len(names["table"]) == 41
    rows = sum(len(table) for table, _ in names["model"].scored(names["model"].stream(["photos/"])))
    assert rows == 40
