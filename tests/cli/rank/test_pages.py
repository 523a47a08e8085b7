"""`rank` and `score` of files with several pages: the first of each, and said; or each as an image."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from helpers.photographs import photographs, picture, rank, score
from vi_simsiam.cli.rank import encoding
from vi_simsiam.report.gallery import page

STACK, PAGES = range(50, 55), 5


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Six photographs, and a stack of five others, the last of which is the photograph 003.png again."""
    monkeypatch.chdir(tmp_path)
    photographs(tmp_path / "photos", range(6))
    first, *others = [picture(number) for number in [*STACK[:-1], 3]]
    first.save(tmp_path / "photos/stack.tif", save_all=True, append_images=others)
    return tmp_path / "photos"


def test_the_first_page_is_ranked_and_said_also_when_nothing_is_new(tiny, photos, capsys, encoded):
    for again in (False, True):
        assert rank("photos", "--out", "out", "--encoder", tiny, "--no-kappa") == 0
        said = capsys.readouterr().err
        assert (
            "Note: 1 file has several pages or frames (photos/stack.tif, 5). Only the first is ranked; --pages all "
            "takes each as an image." in said
        )
        assert sum(encoded) == 7, again
    table = pd.read_csv("out/ranking.csv").set_index("path")
    assert table["pages"].to_dict() == dict.fromkeys(table.index, 1) | {"photos/stack.tif": 5}
    assert "pages: Pages or frames in the file" in (photos.parent / "out/report.txt").read_text(encoding="utf-8")


NAMES = [f"photos/{i:03}.png" for i in range(6)] + [f"photos/stack.tif [page {i}]" for i in range(1, PAGES + 1)]


def test_each_page_is_ranked_by_its_name(tiny, photos, capsys, encoded):
    """Its numbers are those of the same pixels in a file; the name is in the lists, copies, links and the selection."""
    assert rank("photos", "--out", "out", "--encoder", tiny, "--pages", "all", "--label-first", 11) == 0
    table = pd.read_csv("out/ranking.csv").set_index("path")
    assert sorted(table.index) == NAMES and set(table["label_first"]) <= {float(i) for i in range(1, 12)}
    assert (table.loc[NAMES[6:], "pages"] == 5).all() and "Only the first" not in capsys.readouterr().err
    same, last = table.loc["photos/003.png"], table.loc["photos/stack.tif [page 5]"]
    assert same["duplicates"] == last["duplicates"] and {same["copy_of"], last["copy_of"]} & set(NAMES)
    for column in ("sharpness", "mean_luma", "width", "height"):
        assert last[column] == same[column]
    photographs(photos.parent / "single", STACK[:-1])
    assert rank("single", "--out", "of_files", "--encoder", tiny, "--no-kappa") == 0
    single = pd.read_csv("of_files/ranking.csv").set_index("path")
    for number, name in zip(STACK[:-1], NAMES[6:], strict=False):
        for column in ("sharpness", "mean_luma", "highlight"):
            assert table.loc[name, column] == single.loc[f"single/{number:03}.png", column]
    html = (photos.parent / "out/gallery.html").read_text(encoding="utf-8")
    assert html.count("stack.tif [page 5]") >= 1
    links = json.loads(re.search(r'"link": ?(\[.*?\])', html)[1])
    assert links.count("../photos/stack.tif") == PAGES and all(link.startswith("../photos/") for link in links)

    encoded.clear()  # again with another stack: only its pages are new
    picture(60).save(photos / "two.tif", save_all=True, append_images=[picture(61)])
    assert rank("photos", "--out", "out", "--encoder", tiny, "--pages", "all") == 0
    assert sum(encoded) == 2 * (encoding.VIEWS + 1) and len(pd.read_csv("out/ranking.csv")) == 13
    assert rank("photos", "--out", "out", "--encoder", tiny) == 1  # another choice of pages is another ranking
    assert "with another --pages" in capsys.readouterr().err


def test_frames_of_an_animation_have_their_own_pixels_in_table_and_thumbnails(tiny, photos, monkeypatch):
    shown, of_images = {}, page.of_images

    def remember(name, pixels, paths, *rest, **more):
        shown.update(zip(paths, pixels[:].reshape(len(paths), -1, 3).mean(1), strict=True))
        return of_images(name, pixels, paths, *rest, **more)

    monkeypatch.setattr(page, "of_images", remember)
    colours = np.array([(250, 10, 10), (10, 250, 10), (10, 10, 250), (240, 240, 10)])
    first, *others = [Image.new("RGB", (40, 40), tuple(map(int, colour))) for colour in colours]
    first.save(photos / "colours.gif", save_all=True, append_images=others)
    assert rank("photos/colours.gif", "photos", "--out", "out", "--encoder", tiny, "--pages", "all") == 0
    table = pd.read_csv("out/ranking.csv").set_index("path")
    assert len(table) == 6 + PAGES + 4
    names = [f"photos/colours.gif [page {number}]" for number in (1, 2, 3, 4)]
    np.testing.assert_allclose(table.loc[names, "mean_luma"], colours @ (0.299, 0.587, 0.114) / 255, atol=0.01)
    np.testing.assert_allclose([shown[name] for name in names], colours, atol=3)


def test_tiles_of_pages(tiny, photos):
    assert rank("photos/stack.tif", "--out", "out", "--encoder", tiny, "--pages", "all", "--tiles", 20) == 0
    images, parts = pd.read_csv("out/ranking.csv"), pd.read_csv("out/tiles.csv")
    assert sorted(images["path"]) == NAMES[6:] and images["tiles"].tolist() == [4] * PAGES
    assert len(parts) == 4 * PAGES and (parts["pages"] == PAGES).all()
    whole = parts.groupby("path")["mean_luma"].mean()
    for name, number in zip(NAMES[6:], [*STACK[:-1], 3], strict=True):
        assert whole[name] == pytest.approx(np.asarray(picture(number).convert("L")).mean() / 255, abs=0.01)
    assert rank("photos/stack.tif", "--out", "first", "--encoder", tiny, "--tiles", 20) == 0
    first = pd.read_csv("first/tiles.csv").sort_values("tile")
    same = parts[parts["path"] == "photos/stack.tif [page 1]"].sort_values("tile")
    np.testing.assert_array_equal(first["sharpness"], same["sharpness"])


def test_pages_that_cannot_be_read_are_one_line(tiny, photos, capsys):
    first, *others = [Image.new("F", (9, 9))] * 30
    first.save(photos / "real.tif", save_all=True, append_images=others)
    (photos / "a.jpg").write_bytes(b"no")
    (photos / "b.jpg").write_bytes(b"no")
    assert rank("photos", "--out", "out", "--encoder", tiny, "--no-kappa", "--pages", "all") == 3
    said = capsys.readouterr().err
    assert said.count("not ranked: ") == 3 and said.count("not ranked: photos/real.tif (30 pages): 32-bit") == 1
    report = (photos.parent / "out/report.txt").read_text(encoding="utf-8")
    assert "11 images ranked, 32 could not be read" in report and "Not read: 3\n" in report
    assert report.count("photos/real.tif (30 pages): 32-bit pixels") == 2 and "[page 30]" not in report


def test_score_of_the_first_page_and_of_each(tiny, photos, capsys):
    assert rank("photos", "--out", "out", "--encoder", tiny, "--pages", "all") == 0
    capsys.readouterr()
    model = ("--run", "out/model", "--threads", 1)
    assert score("photos", *model, "--out", "first.csv") == 0
    assert (
        "1 file has several pages or frames (photos/stack.tif, 5). Only the first is scored" in capsys.readouterr().err
    )
    first = pd.read_csv("first.csv").set_index("path")
    assert sorted(first.index) == [*NAMES[:6], "photos/stack.tif"]
    assert score("photos", *model, "--pages", "all", "--out", "all.csv", "--grid", "grid.png") == 0
    every = pd.read_csv("all.csv").set_index("path")
    assert sorted(every.index) == NAMES and (photos.parent / "grid.png").exists()
    assert "Only the first" not in capsys.readouterr().err
    assert every.loc[NAMES[6], "kappa"] == pytest.approx(first.loc["photos/stack.tif", "kappa"], rel=1e-6)
    assert every.loc[NAMES[10], "kappa"] == pytest.approx(every.loc["photos/003.png", "kappa"], rel=1e-6)
