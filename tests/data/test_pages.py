"""Files of several pages: TIFF stacks and animations. The first page, each page, and their number."""

import csv
import io
import struct
import zipfile

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin
from PIL.TiffImagePlugin import IFDRational

from helpers.images import encoded
from vi_simsiam.data import decode
from vi_simsiam.data.archives import Unreadable
from vi_simsiam.data.decode import Book
from vi_simsiam.data.left_out import write_report
from vi_simsiam.data.published import find_source
from vi_simsiam.data.reader import ImageReader, path_of_page, without_page
from vi_simsiam.data.remarks import listen, remarks

LEVELS = [10, 60, 110, 160, 210]


def plain(level, side=12):
    return Image.new("L", (side, side), level)


def saved(kind, images, **options):
    return encoded(images[0], kind, save_all=True, append_images=images[1:], **options)


def tiff(pages):
    """A TIFF of pages with their marks: pairs of an image and the number of its kind of subfile."""
    file = io.BytesIO()
    with TiffImagePlugin.AppendingTiffWriter(file, True) as writer:
        for image, mark in pages:
            tags = TiffImagePlugin.ImageFileDirectory_v2()
            tags[254] = mark
            image.save(writer, "TIFF", tiffinfo=tags)
            writer.newFrame()
    return file.getvalue()


STACK = tiff([(plain(level), 0) for level in LEVELS])


@pytest.mark.parametrize(
    "data",
    [
        STACK,
        saved("GIF", [plain(level) for level in LEVELS]),
        saved("PNG", [plain(level) for level in LEVELS]),
        saved("WEBP", [plain(level).convert("RGB") for level in LEVELS], lossless=True),
    ],
    ids=["TIFF", "GIF", "PNG", "WebP"],
)
def test_each_page_in_any_order(data):
    book = Book(data)
    assert book.pages == 5
    for page in (1, 2, 3, 4, 5, 2, 5, 1):
        image = book.load(page)
        assert image.pages == 5 and np.all(np.asarray(image.upright(1)) == LEVELS[page - 1])
        assert book.size(page) == (12, 12)
    assert np.all(np.asarray(decode.load(data).upright(1)) == 10)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_threads_decode_each_frame_of_an_animation_once(kind, tmp_path, monkeypatch):
    """Frames with transparency depend on those before them."""
    draw = np.random.default_rng(0)
    images = [Image.fromarray(draw.integers(0, 256, (12, 12, 4), np.uint8)) for _ in range(30)]
    data = saved(kind, images, **({"lossless": True} if kind == "WEBP" else {}))
    (tmp_path / "x").write_bytes(data)
    book = Book(data)
    in_order = [np.asarray(book.load(page).upright(3)) for page in range(1, 31)]
    assert len({frame.tobytes() for frame in in_order}) == 30
    reader = ImageReader([tmp_path / "x"], 12, 3, threads=4, every_page=True)
    reader.count()
    turned, seek = [], type(book._image).seek
    monkeypatch.setattr(type(book._image), "seek", lambda image, frame: turned.append(frame) or seek(image, frame))
    assert np.array_equal([image.content for image in reader], in_order) and turned == sorted(turned)


def test_previews_and_masks_are_no_pages():
    small = plain(99, 6)
    book = Book(tiff([(small, 1), (plain(50, 30), 0), (plain(255, 30), 4), (small, 1), (plain(70, 20), 2)]))
    assert book.pages == 2 and [book.size(page) for page in (1, 2)] == [(30, 30), (20, 20)]
    assert [int(np.asarray(book.load(page).upright(1))[0, 0]) for page in (1, 2)] == [50, 70]
    assert Book(tiff([(small, 1), (plain(1, 8), 1)])).size() == (8, 8)


@pytest.mark.parametrize(
    ("tag", "value"),
    [(270, "ImageJ=1.54f\nimages=7\nslices=7\nloop=false\n"), (33629, tuple(map(IFDRational, range(7))))],
)
def test_planes_in_one_page_are_remarked_on(tag, value):
    """ImageJ writes so from 4 GB, other programs always; MetaMorph's .stk files are so."""
    listen()
    for pages, said in ((1, True), (7, False)):
        tags = TiffImagePlugin.ImageFileDirectory_v2()
        tags[tag] = value
        data = saved("TIFF", [plain(10)] * pages, tiffinfo=tags)
        with remarks() as texts:
            assert Book(data).load().pages == pages
        expected = "of its 7 planes only 1 can be read here: save it as a plain TIFF of pages"
        assert texts == [expected] * said


def test_further_images_of_a_jpeg_are_no_pages():
    """Cameras and telephones store previews, depths and gains in it."""
    data = saved("MPO", [plain(level, 40) for level in LEVELS[:2]])
    assert Image.open(io.BytesIO(data)).n_frames == 2 and Book(data).pages == 1


def places(data):
    """Where the directory of each page of a TIFF begins, and where the link to the next one is."""
    order = "<" if data[:2] == b"II" else ">"
    found, (start,) = [], struct.unpack_from(f"{order}I", data, 4)
    while start:
        (count,) = struct.unpack_from(f"{order}H", data, start)
        found.append((start, start + 2 + 12 * count))
        (start,) = struct.unpack_from(f"{order}I", data, found[-1][1])
    return found


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_of_a_stack_that_is_cut_off_the_whole_pages_are_read():
    book = Book(STACK[: places(STACK)[3][0] + 4])
    assert book.pages == 3
    assert [int(np.asarray(book.load(page).upright(1))[0, 0]) for page in (1, 2, 3)] == LEVELS[:3]


def test_a_page_that_cannot_be_read_leaves_the_others():
    book = Book(tiff([(plain(9), 0), (plain(9, 40), 0), (Image.new("F", (9, 9)), 0), (plain(7, 13), 0)]), most=500)
    assert book.pages == 4 and book.load(1).image.size == (12, 12) and book.load(4).image.size == (13, 13)
    with pytest.raises(Unreadable, match="40 x 40 pixels, more than 500"):
        book.load(2)
    with pytest.raises(Unreadable, match="32-bit pixels"):
        book.load(3)


def folder_of_stacks(top):
    (top / "x").mkdir(parents=True)
    (top / "x/a.png").write_bytes(saved("PNG", [plain(1)]))
    (top / "x/b.tif").write_bytes(STACK)
    (top / "x/c.gif").write_bytes(saved("GIF", [plain(level) for level in LEVELS[::-1][:3]]))
    (top / "x/d.jpg").write_bytes(b"\xff\xd8\xff")
    with zipfile.ZipFile(top / "y.zip", "w") as packed:
        packed.writestr("e.tiff", tiff([(plain(30), 0), (plain(31), 0)]))
    return [top / "x", top / "y.zip"]


def levels(reader, top):
    """The level of each image by its path; of what cannot be read the beginning of the reason."""
    return {
        image.path.removeprefix(f"{top}/"): image.problem[:8] if image.problem else int(image.content[0, 0, 0])
        for image in reader
    }


FIRST = {"x/a.png": 1, "x/b.tif": 10, "x/c.gif": 210, "x/d.jpg": "not read", "y.zip/e.tiff": 30}
ALL = {
    "x/a.png": 1,
    **{f"x/b.tif [page {i}]": level for i, level in enumerate(LEVELS, 1)},
    **{f"x/c.gif [page {i}]": level for i, level in enumerate(LEVELS[::-1][:3], 1)},
    "x/d.jpg": "not read",
    **{f"y.zip/e.tiff [page {i}]": 29 + i for i in (1, 2)},
}


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_the_first_page_or_every_page(tmp_path, threads):
    inputs = folder_of_stacks(tmp_path)
    first = ImageReader(inputs, 8, 1, threads)
    assert levels(first, tmp_path) == FIRST
    found = {path.removeprefix(f"{tmp_path}/"): pages for path, pages in first.several_pages.items()}
    assert found == {"x/b.tif": 5, "x/c.gif": 3, "y.zip/e.tiff": 2}
    every = ImageReader(inputs, 8, 1, threads, every_page=True)
    assert every.count() == 12 and levels(every, tmp_path) == ALL and every.several_pages == {}
    for skipped in range(13):  # as after an interruption, also in the middle of a file
        every = ImageReader(inputs, 8, 1, threads, every_page=True)
        every.skipped = skipped
        assert list(levels(every, tmp_path).items()) == list(ALL.items())[skipped:]


@pytest.mark.parametrize("path", ["a [page 2].tif", "stack.tif", "b/[page 1]/x.gif"])
def test_paths_of_pages(path):
    assert path_of_page(path, 12) == f"{path} [page 12]"
    assert without_page(path_of_page(path, 12)) == path == without_page(path)


def test_training_uses_the_first_page_and_says_so(tmp_path):
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as packed:
        packed.writestr("a/1.tif", STACK)
        packed.writestr("a/2.png", saved("PNG", [plain(2)]))
    images = find_source("files").read(tmp_path, 8)
    assert images.train.pixels(np.arange(2))[:, 0, 0, 0].tolist() == [10, 2]
    assert images.report.remarks == (("a/1.tif", "the first of its 5 pages is used"),)
    write_report(tmp_path / "report.csv", images.report)
    with open(tmp_path / "report.csv", newline="", encoding="utf-8") as file:
        assert ["a/1.tif", "used, but: the first of its 5 pages is used"] in list(csv.reader(file))
