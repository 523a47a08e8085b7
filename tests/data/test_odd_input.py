"""Odd images and archives: each image is used, or named with its reason, and the rest of the set is used.

test_decode.py tests the pixels, test_archives.py each member of an archive.
"""

import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from helpers import images
from helpers.archives import zipped
from vi_simsiam.data.names import NO_IMAGES
from vi_simsiam.data.published import find_source
from vi_simsiam.data.reader import ImageReader

DRAW = np.random.default_rng(0)
PHOTO = Image.fromarray(DRAW.integers(0, 256, (40, 30, 3), dtype=np.uint8))


def encoded(image=PHOTO, kind="PNG", **options):
    return images.encoded(image, kind, **options)


def text_bomb():
    """A PNG with a compressed note of 100 MB."""
    notes = PngImagePlugin.PngInfo()
    notes.add(b"zTXt", b"note\0\0" + zlib.compress(bytes(100_000_000)))
    return encoded(pnginfo=notes)


GREY16 = Image.fromarray(DRAW.integers(0, 65536, (20, 20), dtype=np.uint16))
PALETTE = PHOTO.quantize(16)
FRAMES = [PHOTO, PHOTO.rotate(180)]
# Name -> contents, and the beginning of the reason why it is left out (None: it is used).
IMAGES: dict[str, tuple[bytes, str | None]] = {
    "baseline.jpg": (encoded(kind="JPEG"), None),
    "progressive.jpg": (encoded(kind="JPEG", progressive=True), None),
    "on its side.jpg": (encoded(kind="JPEG", exif=images.orientation(6)), None),
    "orientation that does not exist.jpg": (encoded(kind="JPEG", exif=images.orientation(99)), None),
    "notes that are no notes.jpg": (encoded(kind="JPEG", exif=b"Exif\0\0" + bytes(range(40))), None),
    "cmyk.jpg": (encoded(PHOTO.convert("CMYK"), "JPEG"), None),
    "more after its end.jpg": (encoded(kind="JPEG") + b"x" * 1000, None),
    "a png by its contents.jpg": (encoded(), None),
    "A JPEG IN CAPITALS.PNG": (encoded(kind="JPEG"), None),
    "transparent.png": (encoded(PHOTO.convert("RGBA").rotate(30)), None),
    "grey and transparent.png": (encoded(PHOTO.convert("LA")), None),
    "palette.png": (encoded(PALETTE), None),
    "palette with a hole.png": (encoded(PALETTE, transparency=3), None),
    "sixteen bits.png": (encoded(GREY16), None),
    "black and white.png": (encoded(PHOTO.convert("1")), None),
    "animated.png": (encoded(save_all=True, append_images=FRAMES[1:]), None),
    "animated.gif": (encoded(FRAMES[0].quantize(8), "GIF", save_all=True, append_images=[FRAMES[1].quantize(8)]), None),
    "lossy.webp": (encoded(kind="WEBP"), None),
    "pages.tif": (encoded(kind="TIFF", save_all=True, append_images=FRAMES[1:]), None),
    "plain.bmp": (encoded(kind="BMP"), None),
    "plain.ppm": (encoded(kind="PPM"), None),
    "one pixel.png": (encoded(PHOTO.crop((0, 0, 1, 1))), None),
    "a line.png": (encoded(PHOTO.resize((5000, 1))), None),
    "a column.png": (encoded(PHOTO.resize((1, 5000))), None),
    "ü 图 é.png": (encoded(), None),
    "$(touch pwned); `touch pwned` 'x' \"y\" & | {z} %s.png": (encoded(), None),
    "new\nline.png": (encoded(), None),
    "--help.png": (encoded(), None),
    "empty.jpg": (b"", "not readable as an image"),
    "cut.jpg": (encoded(kind="JPEG")[:400], "not readable as an image"),
    "cut.png": (encoded()[:200], "not readable as an image"),
    "a broken chunk.png": (encoded()[:60] + b"xxxx" + encoded()[64:], "not readable as an image"),
    "text.jpg": (b"no image at all", "not readable as an image"),
    "a page.jpg": (b"<!DOCTYPE html><html></html>", "not readable as an image"),
    "a drawing.png": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not readable as an image"),
    "postscript.png": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not readable as an image"),
    "thirty-two bits.tif": (encoded(Image.new("I", (9, 9)), "TIFF"), "32-bit pixels"),
    "real numbers.tif": (encoded(Image.new("F", (9, 9)), "TIFF"), "32-bit pixels"),
    "no pixels.png": (images.promising(0, 0), "not readable as an image"),
    "more pixels than there are.png": (images.promising(9500, 9500), "9500 x 9500 pixels, more than"),
    "far more pixels.png": (images.promising(50_000, 50_000), "more than 89478485 pixels"),
    "a note that unpacks to much.png": (text_bomb(), None),
}
USED = sorted(name for name, (_, problem) in IMAGES.items() if problem is None)


def folder_of_all(path: Path) -> Path:
    path.mkdir()
    for name, (data, _) in IMAGES.items():
        (path / name).write_bytes(data)
    return path


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_odd_images_in_a_folder_and_in_an_archive(tmp_path):
    """Scoring reads the folder, training the archive: both use the same images and give the same reasons."""
    folder = folder_of_all(tmp_path / "odd images")
    read = list(ImageReader([folder], 8, 3))
    seen = {Path(image.path).name: image.content for image in read if image.problem is None}
    named = {Path(image.path).name: image.problem for image in read if image.problem is not None}
    assert sorted(seen) == USED and all(pixels.shape == (8, 8, 3) for pixels in seen.values())
    assert named.keys() == IMAGES.keys() - seen.keys()
    for name, problem in named.items():
        assert problem.startswith(IMAGES[name][1]), f"{name}: {problem}"

    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        for name, (data, _) in IMAGES.items():
            archive.writestr(f"all/{name}", data)
    stored = find_source("files").read(tmp_path, 8, threads=2)
    rows = np.arange(len(USED))
    assert [Path(path).name for path in stored.train.paths(rows)] == USED
    np.testing.assert_array_equal(stored.train.pixels(rows), [seen[name] for name in USED])
    assert {Path(path).name: problem for path, problem in stored.report.left_out} == named
    assert {path.name for path in tmp_path.iterdir()} == {"odd images", "images.zip"}, "a name was obeyed"


# --- archives -------------------------------------------------------------------------------------------------


def overlapping(path, members=1000):
    """A thousand members that are all the same bytes of the file: a bomb whose members are each harmless."""
    zipped(path, [("good.png", encoded()), ("many.png", encoded(PHOTO.resize((900, 900))))])
    data = path.read_bytes()
    start, end = data.find(b"PK\1\2"), data.rfind(b"PK\5\6")
    second = data.rfind(b"PK\1\2")
    names = (f"{i:04}.png".encode() for i in range(members))
    directory = data[start:second] + b"".join(data[second:end].replace(b"many.png", name) for name in names)
    tail = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, members + 1, members + 1, len(directory), start, 0)
    path.write_bytes(data[:start] + directory + tail)


def test_an_odd_archive(tmp_path):
    """Scoring and training use the same members, give the same reasons, and write nothing anywhere."""
    path = tmp_path / "images.zip"
    overlapping(path)
    before = path.read_bytes()
    pictures = [(image.path.removeprefix(f"{path}/"), image.problem) for image in ImageReader([path], 8, 3)]
    named = {name: problem for name, problem in pictures if problem is not None}
    assert [name for name, problem in pictures if problem is None] == ["good.png"]
    assert sorted(named) == [f"{i:04}.png" for i in range(1000)]
    assert all(problem.startswith("damaged in the archive") for problem in named.values()), named
    stored = find_source("files").read(tmp_path, 8)
    assert stored.train.paths(np.arange(1)) == ["good.png"] and dict(stored.report.left_out) == named
    assert list(tmp_path.rglob("*")) == [path] and path.read_bytes() == before


@pytest.mark.slow
def test_many_names_in_the_directory_of_a_zip(tmp_path):
    path = tmp_path / "images.zip"
    zipped(path, [("0000000.txt", b""), ("good.png", encoded())])
    data = path.read_bytes()
    start, second, end = data.find(b"PK\1\2"), data.rfind(b"PK\1\2"), data.rfind(b"PK\5\6")
    before, after = data[start:second].split(b"0000000")
    n = 200_000
    directory = b"".join(before + b"%07d" % i + after for i in range(n)) + data[second:end]
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, n + 1, n + 1, len(directory), start)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, start + len(directory), 1)
    tail = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path.write_bytes(data[:start] + directory + end64 + locator + tail)
    stream = ImageReader([path], 8, 3)
    assert [image.path for image in stream] == [f"{path}/good.png"]
    assert stream.ignored == {NO_IMAGES: (n, tuple(f"{i:07}.txt" for i in range(10)))}
    path.unlink()  # 11 MB
