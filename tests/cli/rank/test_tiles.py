"""`vi-simsiam rank --tiles`: large images by their tiles."""

import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import vi_simsiam
from helpers.images import orientation
from helpers.photographs import photographs, picture, rank
from vi_simsiam.cli.rank import encoding, head_training, tiles
from vi_simsiam.data import decode
from vi_simsiam.evaluation import scores

SIDE = 40


@pytest.fixture(scope="module")
def model(tmp_path_factory, tiny):
    """A model that was trained on photographs of a tile's size."""
    top = tmp_path_factory.mktemp("model")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(head_training, "_STEPS", 50)
        patch.setattr(encoding, "_LEAST_VIEWS", 0)
        assert rank(photographs(top / "photos", range(200, 220)), "--out", top / "out", "--encoder", tiny) == 0
    return top / "out/model"


def mosaic(columns: int, numbers) -> Image.Image:
    """Pictures side by side."""
    numbers = list(numbers)
    image = Image.new("RGB", (columns * SIDE, -(-len(numbers) // columns) * SIDE))
    for i, number in enumerate(numbers):
        image.paste(picture(number), (i % columns * SIDE, i // columns * SIDE))
    return image


@pytest.mark.parametrize(
    ("width", "height", "side", "count", "tile"),
    [(100, 80, 40, 6, 40), (120, 80, 40, 6, 40), (41, 40, 40, 2, 40), (30, 90, 40, 3, 30), (7, 7, 40, 1, 7)],
)
def test_tiles_cover_an_image(width, height, side, count, tile):
    covered = np.zeros((height, width), int)
    found = tiles.grid(width, height, side)
    for each in found:
        assert (each.width, each.height) == (tile, tile) and min(each.left, each.top) >= 0
        covered[each.top : each.top + each.height, each.left : each.left + each.width] += 1
    assert covered.shape == (height, width) and covered.min() == 1  # none reaches beyond, nothing is left out
    assert [each.tile for each in found] == list(range(1, count + 1))
    lefts = sorted({each.left for each in found})
    assert lefts[0] == 0 and lefts[-1] + tile == width
    assert len(lefts) == 1 or np.ptp(np.diff(lefts)) <= 1


def test_tiles_are_ranked_as_files_of_theirs_are(model, tmp_path):
    numbers = range(6)
    (tmp_path / "large").mkdir()
    mosaic(3, numbers).save(tmp_path / "large/a.png")
    for name in ("turned.png", "turned.tif"):  # Pillow gives the size of a TIFF as it is upright
        Image.fromarray(np.asarray(mosaic(3, numbers))).rotate(90, expand=True).save(
            tmp_path / "large" / name, exif=orientation(6)
        )
    assert rank(tmp_path / "large", "--out", tmp_path / "out", "--run", model, "--tiles", SIDE) == 0
    assert rank(photographs(tmp_path / "small", numbers), "--out", tmp_path / "files", "--run", model) == 0
    found = pd.read_csv(tmp_path / "out/tiles.csv")
    files = pd.read_csv(tmp_path / "files/ranking.csv").sort_values("path")
    for name in ("a.png", "turned.png", "turned.tif"):  # the notes in the others turn them back
        of_image = found[found["path"].str.endswith(name)].sort_values("tile")
        assert of_image["left"].tolist() == [0, 40, 80] * 2 and of_image["top"].tolist() == [0] * 3 + [40] * 3
        for column in ("kappa", "expected_cosine", "percentile", "mean_luma"):
            np.testing.assert_allclose(of_image[column], files[column], rtol=1e-3, err_msg=column)
    by = "kappa" if vi_simsiam.load(model, "cpu").training.reliable else "knn_density"
    assert found[by].is_monotonic_increasing
    images = pd.read_csv(tmp_path / "out/ranking.csv")
    assert images["tiles"].tolist() == [6, 6, 6]
    np.testing.assert_allclose(images["kappa_q05"], np.quantile(files["kappa"], 0.05), rtol=1e-3)
    for name, lowest in zip(images["path"], images["lowest_tile"], strict=True):
        of_image = found[found["path"] == name]
        assert lowest == of_image.loc[of_image[by].idxmin(), "tile"]
    columns = pd.read_parquet(tmp_path / "out/ranking.parquet")
    pd.testing.assert_frame_equal(columns, images, check_dtype=False, rtol=1e-6)
    said = (tmp_path / "out/report.txt").read_text(encoding="utf-8")
    assert "3 images ranked" in said and scores.SCORES["kappa"].explained in said and "tiles.csv" in said
    assert "a.png [tile 6]" in (tmp_path / "out/gallery.html").read_text(encoding="utf-8")


def test_a_large_image_is_enough_to_train_on(tiny, tmp_path, encoded, monkeypatch):
    monkeypatch.setattr(encoding, "_PIECE", 4)
    mosaic(4, range(12)).save(tmp_path / "scan.png")
    assert rank(tmp_path / "scan.png", "--out", tmp_path / "out", "--encoder", tiny, "--tiles", SIDE) == 0
    each = encoding.VIEWS + 1
    assert sum(encoded) == 12 * each
    assert len(pd.read_csv(tmp_path / "out/tiles.csv")) == 12 and (tmp_path / "out/model/model.json").exists()
    # Again with another image: only its tiles are encoded. Without tiles: their table goes.
    mosaic(2, range(20, 24)).save(tmp_path / "other.png")
    encoded.clear()
    both = (tmp_path / "scan.png", tmp_path / "other.png")
    assert rank(*both, "--out", tmp_path / "out", "--encoder", tiny, "--tiles", SIDE) == 0
    assert sum(encoded) == 4 * each
    assert rank(*both, "--out", tmp_path / "out", "--encoder", tiny, "--overwrite") == 0
    assert not list((tmp_path / "out").glob("tiles.*")) and len(pd.read_csv(tmp_path / "out/ranking.csv")) == 2


def test_a_bad_number_or_image_is_a_sentence(tiny, tmp_path, capsys, monkeypatch):
    folder = photographs(tmp_path / "photos", range(3))
    assert rank(folder, "--out", tmp_path / "out", "--encoder", tiny, "--tiles", 15) == 1
    assert "--tiles 15: tiles with sides below 16 pixels" in capsys.readouterr().err
    mosaic(3, range(9)).save(folder / "large.png")
    (folder / "damaged.png").write_bytes((folder / "001.png").read_bytes()[:600])
    monkeypatch.setattr(tiles, "MOST", 8)
    assert rank(folder, "--out", tmp_path / "out", "--encoder", tiny, "--tiles", SIDE) == 3
    said = capsys.readouterr().err
    assert re.search(r"large\.png: 9 tiles of 40 pixels, more than 8: increase --tiles", said)
    assert re.search(r"damaged\.png: not readable", said)
    assert set(pd.read_csv(tmp_path / "out/ranking.csv")["tiles"]) == {1}
    monkeypatch.setattr(tiles.Tiles, "most", 10_000)
    assert rank(folder, "--out", tmp_path / "again", "--encoder", tiny, "--tiles", SIDE) == 3
    assert re.search(r"large\.png: 120 x 120 pixels, more than 10000 in all", capsys.readouterr().err)


def test_an_image_is_decoded_once_for_all_its_tiles(model, tmp_path, monkeypatch):
    decoded, load = [], decode.Book.load
    monkeypatch.setattr(decode.Book, "load", lambda *page: decoded.append(1) or load(*page))
    mosaic(5, range(25)).save(tmp_path / "scan.png")
    for _ in range(2):  # the second time nothing is new
        assert rank(tmp_path / "scan.png", "--out", tmp_path / "out", "--run", model, "--tiles", SIDE) == 0
    assert len(decoded) == 3  # once for the features, and for the thumbnails of each page
