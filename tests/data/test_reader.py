"""Files of users: each image once, without previews and backups; a fault of the machine is not a bad image."""

import errno
import os
import shutil
import struct
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import ImageFile
from PIL.PngImagePlugin import PngImageFile, PngInfo

from helpers.images import encoded
from helpers.photographs import decode
from helpers.tiff import SIGNED, tiff
from vi_simsiam.core.errors import Problem
from vi_simsiam.data import archives, names, reader
from vi_simsiam.data.archives import Unreadable, open_archive
from vi_simsiam.data.decode import Book
from vi_simsiam.data.published import find_source
from vi_simsiam.data.reader import ImageReader

DRAW = np.random.default_rng(0)


def picture(side=9):
    return encoded(DRAW.integers(0, 256, (side, side, 3), dtype=np.uint8))


def write(top, *files, data=None):
    for name in files:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(picture() if data is None else data)
    return top


def read(*inputs):
    """Paths of the images that are used, reasons of those that are not, and the counts of what is ignored."""
    images = ImageReader(inputs, 8, 3)
    found = list(images)
    used = [image.path for image in found if image.problem is None]
    refused = {image.path: image.problem for image in found if image.problem is not None}
    return used, refused, {kind: number for kind, (number, _) in images.ignored.items()}


def test_each_file_once_by_any_path(tmp_path):
    top = write(tmp_path / "photos", "b.png", "c.png", "in/d.png")
    (top / "a.png").symlink_to("b.png")
    (top / "in/link.png").symlink_to("../c.png")
    os.link(top / "c.png", top / "in/hard.png")
    shutil.make_archive(str(tmp_path / "more"), "zip", write(tmp_path / "in", "e.png"))
    archive = tmp_path / "more.zip"
    used, refused, ignored = read(top, f"{top}/", top / "in", top / "a.png", archive, archive)
    assert used == [f"{top}/b.png", f"{top}/c.png", f"{top}/in/d.png", f"{archive}/e.png"] and not refused
    assert ignored == {reader.REPEATED_FILES: 3 + 6 + 3 + 1 + 1}
    assert read(top / "a.png")[0] == [f"{top}/a.png"]  # a link alone is an image like any other


@pytest.mark.parametrize(
    ("original", "others", "kind"),
    [
        ("a.jpg", ["a.jpg_original", "a.JPG~", "a.jpg.bak"], names.BACKUPS),
        ("a.jpg", ["a.CR2", "a.nef", "a.psd"], names.BESIDE_A_COPY),
        ("L.photoslibrary/originals/0/a.jpg", ["L.photoslibrary/resources/derivatives/0/a.jpg"], names.PREVIEWS),
        ("X.aplibrary/Masters/2010/a.jpg", ["X.aplibrary/Previews/2010/a.jpg"], names.PREVIEWS),
        ("a.jpg", ["Lightroom Previews.lrdata/0/a.jpg"], names.PREVIEWS),
    ],
)
def test_copies_that_programs_leave_beside_images(tmp_path, original, others, kind):
    top = write(tmp_path / "x", original, *others)
    assert read(top) == ([f"{top}/{original}"], {}, {kind: len(others)})
    shutil.make_archive(str(tmp_path / "x"), "zip", top)
    assert read(tmp_path / "x.zip")[2] == {kind: len(others)}
    shutil.copy(tmp_path / "x.zip", tmp_path / "images.zip")
    images = find_source("files").read(tmp_path, 8)
    assert images.train.paths([0]) == [original] and images.report.ignored[kind][0] == len(others)


@pytest.mark.parametrize("packed", [False, True])
def test_masks_beside_their_images_are_no_images_unless_their_folder_is_named(tmp_path, packed):
    files = [f"{split}/{folder}/1.png" for split in ("test", "train") for folder in ("images", "masks")]
    top = write(tmp_path / "set", *files, "train/masks/deep/2.png", data=picture())
    write(top, "train/notes/3.txt", data=b"of a person")
    if packed:
        shutil.make_archive(str(tmp_path / "packed"), "zip", top)
    used = [f"{top}/test/images/1.png", f"{top}/train/images/1.png"]
    whole = tmp_path / "packed.zip" if packed else top
    expected = [str(whole) + name.removeprefix(str(top)) for name in used]
    assert read(whole) == (expected, {}, {names.MASKS: 3, names.NO_IMAGES: 1})
    masks = [f"{top}/train/masks/1.png", f"{top}/train/masks/deep/2.png"]
    assert read(top / "train/masks") == (masks, {}, {})
    assert read(top, top / "train/masks") == (used + masks, {}, {names.MASKS: 1, names.NO_IMAGES: 1})
    assert read(top / "train/masks", top)[0] == masks + used
    (top / "train/photos/4.png").parent.mkdir()
    shutil.copy(top / "train/masks/1.png", top / "train/photos/4.png")  # these folders are no pair
    assert len(read(top)[0]) == 2 + 3 and read(top)[2][names.MASKS] == 1


def test_outputs_of_the_command_are_not_read(tmp_path, monkeypatch):
    monkeypatch.chdir(write(tmp_path, "set/a.png", "set/r/b.png", "set/r/in/c.png", "set/r2/d.png", "set/grid.png"))
    written = [Path("set/r"), tmp_path / "set/grid.png", Path("other")]
    images = ImageReader(["./set"], 8, 3, written=written)
    assert [image.path for image in images] == ["set/a.png", "set/r2/d.png"] and not images.ignored
    images = ImageReader(["set/r"], 8, 3, written=written)  # which is named itself
    assert [image.path for image in images] == ["set/r/b.png", "set/r/in/c.png"]


def test_a_library_that_is_named_itself_and_copies_without_their_original(tmp_path):
    library = write(tmp_path / "L.photoslibrary", "originals/a.jpg", "resources/derivatives/a.jpg")
    assert read(library)[0] == [f"{library}/originals/a.jpg"]
    assert read(library / "resources")[0] == [f"{library}/resources/derivatives/a.jpg"]
    alone = write(tmp_path / "alone", "a.jpg_original", "b.png~")
    assert len(read(alone)[0]) == 2
    used, refused, _ = read(write(tmp_path / "raw", "c.CR2"))
    assert not used and [*refused.values()] == [names.RAW]


def test_images_that_are_elsewhere_are_named(tmp_path):
    top = write(tmp_path / "x", ".IMG_1.HEIC.icloud", ".notes.txt.icloud", data=b"bplist00")
    write(top, "b.png", data=b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    (top / "c.png").symlink_to(".git/annex/objects/c.png")
    _, refused, ignored = read(top)
    assert refused[f"{top}/.IMG_1.HEIC.icloud"] == names.IN_THE_CLOUD and ignored == {names.HIDDEN: 1}
    assert "git lfs pull" in refused[f"{top}/b.png"] and "git annex get" in refused[f"{top}/c.png"]


@pytest.mark.parametrize(
    "error", [MemoryError(), OSError("out of memory error when reading image file"), OSError("decoder error -9"),
              OSError(errno.EIO, "Input/output error")],
)  # fmt: skip
def test_a_fault_of_the_machine_stops_the_work(tmp_path, monkeypatch, error):
    """In the decoder, in training and in scoring; a fault of the contents leaves the image out."""
    top = write(tmp_path / "x", "a.png", "b.png")
    shutil.make_archive(str(tmp_path / "images"), "zip", top)

    def fail(image):
        raise error

    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
    with pytest.raises(Problem, match=r"a\.png cannot be read: .*then run again"):
        read(top)
    with pytest.raises(Problem, match=r"a\.png cannot be read: .*then run again"):
        find_source("files").read(tmp_path, 8)
    error = OSError("image file is truncated")
    assert len(read(top)[1]) == 2


@pytest.mark.parametrize(("number", "stops"), [(errno.EIO, True), (errno.EMFILE, True), (errno.ESTALE, True),
                                               (errno.EACCES, False), (errno.ENOENT, False)])  # fmt: skip
def test_a_disk_that_fails_stops_the_work_and_a_closed_file_does_not(tmp_path, monkeypatch, number, stops):
    top = write(tmp_path / "x", "a.png")

    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(type(top), "read_bytes", fail)
    if stops:
        with pytest.raises(Problem, match="Repair the disk"):
            read(top)
    else:
        assert read(top)[1] == {f"{top}/a.png": f"cannot be read: {os.strerror(number)}"}
    archive = open_archive(shutil.make_archive(str(tmp_path / "t"), "tar", top) and tmp_path / "t.tar")
    monkeypatch.setattr(os, "pread", fail)
    with pytest.raises(Problem):
        archive.read(archive.members[0])


COLOURS = DRAW.integers(0, 65536, (12, 12, 4)).astype(np.uint16)
BYTES = (COLOURS >> 8).astype(np.uint8)


def test_tiffs_that_are_read():
    for planes in (1, 2):
        assert np.array_equal(decode(tiff(BYTES[..., :3], planes=planes), 12, 3), BYTES[..., :3])
    assert np.array_equal(decode(tiff(COLOURS[..., :3]), 12, 3), BYTES[..., :3])  # the upper 8 bits
    assert np.array_equal(decode(tiff(BYTES[..., :1], 1), 12, 1), BYTES[..., :1])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (tiff(COLOURS[..., :3], planes=2), "uncompressed planes of 16 bits"),
        (tiff(COLOURS, planes=2), "uncompressed planes of 16 bits"),
        (tiff(COLOURS, 5, planes=2), "uncompressed planes of 16 bits"),
        (tiff(BYTES[..., :3], 8), "colours as CIE L*a*b*"),
        (tiff(BYTES[..., :3], 8, planes=2), "colours as CIE L*a*b*"),
        (tiff(BYTES[..., :1].view(np.int8), 1, sample_format=SIGNED), "signed numbers"),
        (tiff(COLOURS[..., :1].view(np.int16), 1, sample_format=SIGNED), "signed numbers"),
    ],
)
def test_tiffs_of_unusual_numbers_are_left_out(data, reason):
    with pytest.raises(Unreadable) as caught:
        decode(data, 12, 3)
    assert str(caught.value).startswith(reason) and "save it as" in str(caught.value)


def test_the_last_channel_of_a_tiff_is_remarked_on_where_it_is_transparent(tmp_path, recwarn):
    top = write(tmp_path / "x", "a.tif", data=tiff(BYTES))
    write(top, "b.tif", data=tiff(np.dstack([BYTES[..., :3], np.full((12, 12), 255, np.uint8)])))
    assert len(read(top)[0]) == 2
    assert [str(w.message) for w in recwarn] == [f"{top}/a.tif: its last channel is read as transparency, over white"]


def test_a_png_with_long_texts_is_read():
    texts = PngInfo()
    texts.add_text("workflow", "x" * 2_000_000, zip=True)
    pixels = DRAW.integers(0, 256, (9, 9, 3), dtype=np.uint8)
    for late in (False, True):
        data = encoded(pixels, pnginfo=texts)
        if late:  # the texts after the pixels
            start = data.index(b"zTXt") - 4
            end = start + 12 + int.from_bytes(data[start : start + 4], "big")
            data = data[:start] + data[end:-12] + data[start:end] + data[-12:]
        assert np.array_equal(decode(data, 9, 3), pixels) and Book(data).size() == (9, 9)


def test_names_in_zips_of_other_code_pages(tmp_path):
    """UTF-8 without its mark, as macOS writes it, and a name in Unicode beside another code page's (field 0x7075)."""
    japanese, unmarked = "写真/x.png".encode("cp932"), "é.png".encode()
    unicode_name = "写真/x.png".encode()
    field = struct.pack("<HHBI", 0x7075, 5 + len(unicode_name), 1, zlib.crc32(japanese)) + unicode_name
    stale = struct.pack("<HHBI", 0x7075, 6, 1, 0) + b"?"  # of another name: its checksum does not fit
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        for written, system, extra in ((japanese, 0, field), (unmarked, 3, b""), (b"plain.png", 3, stale)):
            info = zipfile.ZipInfo("Q" * len(written))
            info.create_system, info.extra = system, extra
            packed.writestr(info, b"")
    data = (tmp_path / "x.zip").read_bytes()
    for written in sorted((japanese, unmarked, b"plain.png"), key=len, reverse=True):
        data = data.replace(b"Q" * len(written), written)
    (tmp_path / "x.zip").write_bytes(data)
    assert [member.name for member in open_archive(tmp_path / "x.zip").members] == ["plain.png", "é.png", "写真/x.png"]


def test_an_archive_that_the_disk_does_not_give_is_not_a_damaged_one(tmp_path, monkeypatch):
    shutil.make_archive(str(tmp_path / "x"), "zip", write(tmp_path / "in", "a.png"))

    def fail(path):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(archives.zipfile, "ZipFile", fail)
    with pytest.raises(Problem, match="Repair the disk"):
        read(tmp_path / "x.zip")


def test_threads_decode_no_more_pixels_at_once_than_memory_allows(tmp_path, monkeypatch):
    """Images of 81 pixels where 200 are allowed: two at a time. One that is larger than allowed is decoded alone."""
    for i in range(12):
        write(tmp_path / "photos", f"{i}.png")
    write(tmp_path / "photos", "large.png", data=picture(side=30))
    now, most = [], []
    read = PngImageFile.load

    def counted(image):
        now.append(image.width * image.height)
        most.append(sum(now))
        time.sleep(0.01)
        now.remove(image.width * image.height)
        return read(image)

    monkeypatch.setattr("vi_simsiam.data.decode._AT_ONCE", 200)
    monkeypatch.setattr(PngImageFile, "load", counted)
    images = list(ImageReader([tmp_path / "photos"], 8, 3, threads=8))
    assert [image.problem for image in images] == [None] * 13
    assert max(number for number in most if number < 900) == 162 and max(most) == 900
