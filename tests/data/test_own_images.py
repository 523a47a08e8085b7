"""Folders of users: every file that looks like an image is used or named, in any order of the file system."""

import json
import os
import random
import shutil
import unicodedata
import warnings
import zipfile

import pytest
from PIL import Image, PngImagePlugin

from helpers.images import encoded
from vi_simsiam.core.errors import Problem
from vi_simsiam.data import own_images
from vi_simsiam.data.left_out import write_report
from vi_simsiam.data.names import RAW
from vi_simsiam.data.published import find_source
from vi_simsiam.data.reader import ImageReader


def picture(kind="PNG", value=0):
    return encoded(Image.new("RGB", (9, 9), (value, 0, 0)), kind)


def folder(top, files):
    """Files below `top`: contents, a picture (None), or a link to what a text names."""
    for name, content in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            (top / name).symlink_to(content)
        else:
            (top / name).write_bytes(picture() if content is None else content)
    return top


def brought(top, out):
    """The images' paths, the files that were left out, and those that were ignored."""
    own_images.bring(top, out)
    images = find_source("files").read(out, 9)
    return images.train.paths(range(len(images.train.labels))), dict(images.report.left_out), images.report.ignored


def test_images_by_other_names_are_used_or_listed_in_training_and_in_scoring(tmp_path, capsys):
    files = {f"{name}/1{ending}": None for name in "ab" for ending in (".png", ".JPG", ".jfif", ".JPE", "", ".dat")}
    files |= {"a/2.AVIF": picture("AVIF"), "a/2.jp2": picture("JPEG2000"), "a/2": picture("WEBP")}
    files |= {"b/3.svg": b"<svg/>", "b/3.jxl": b"x", "b/3.CR2": picture("TIFF"), "b/3": b"8BPS", "b/39.jpg": b"text"}
    files |= {"a/notes.txt": b"text", "a/film.mp4": b"\0\0\0\x18ftypmp42", "a/@eaDir/1.png/SYNO_THUMB.jpg": None}
    top = folder(tmp_path / "pets", files)
    used, left_out, ignored = brought(top, tmp_path / "raw")
    others = ("b/3", "a/notes", "a/film", "a/@")
    assert used == sorted(name for name in files if not name.startswith(others))
    assert left_out.keys() == {name for name in files if name.startswith("b/3")} and left_out["b/3.CR2"] == RAW
    assert left_out["b/3"] == "Photoshop, which is not read here: save it as PNG, TIFF or JPEG"
    assert {kind: number for kind, (number, _) in ignored.items()} == {
        "files that are no images": 2, "hidden files and those of operating systems": 1,
    }  # fmt: skip
    for inputs, start in ((top, f"{top}/"), (tmp_path / "raw/images.zip", f"{tmp_path}/raw/images.zip/")):
        stream = ImageReader([inputs], 8, 3)
        pictures = {picture.path.removeprefix(start): picture.problem for picture in stream}
        assert {name for name, problem in pictures.items() if problem is None} == set(used)
        not_packed = () if inputs == top else ("b/3.CR2", "b/3.svg")
        packed = {name: problem for name, problem in left_out.items() if name not in not_packed}
        assert {name: problem for name, problem in pictures.items() if problem is not None} == packed


# First bytes, as in the descriptions of the formats.
SCIENTIFIC = {
    "plain.dcm": (b"II*\0", "a DICOM image", "pydicom"),
    "IM000001": (b"II*\0" + bytes(124) + b"DICM\2\0", "a DICOM image", "pydicom"),
    "cell.czi": (b"ZISRAWFILE" + bytes(6), "a Zeiss CZI image", "czifile"),
    "a.svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a drawing (SVG)", "cairosvg"),
    "a.LIF": (b"\x70\0\0\0\x10\0\0\0\x2a\4", "a Leica LIF image", "readlif"),
    "a.nd2": (b"\xda\xce\xbe\x0a", "a Nikon ND2 image", "nd2"),
    "older.nd2": (b"\0\0\0\x0cjP  \r\n\x87\n", "a Nikon ND2 image", "nd2"),
    "a.oib": (b"\xd0\xcf\x11\xe0", "an Olympus image", "Bio-Formats"),
    "slide.mrxs": (picture("JPEG"), "a whole-slide image", "openslide-python"),
    "brain.nii.gz": (b"\x1f\x8b", "a NIfTI volume", "nibabel"),
    "sky": (b"SIMPLE  =                    T", "a FITS image", "astropy"),
    "virus": (bytes(208) + b"MAP \x44\x44\0\0", "an electron microscope's image", "mrcfile"),
    "cube.ims": (b"\x89HDF\r\n\x1a\n", "an Imaris image", "h5py"),
}


def test_scientific_images_are_named(tmp_path):
    """Also those whose first bytes are of a TIFF or JPEG: that is a preview, which would be taken for the image."""
    files = {name: data for name, (data, *_) in SCIENTIFIC.items()} | {"a/1.png": None}
    files |= {"m.npy": b"\x93NUMPY\1\0", "w.h5": b"\x89HDF\r\n\x1a\n", "weights": b"\x89HDF\r\n\x1a\n"}
    files |= {"s.zarr/0/0.0": picture("TIFF"), "s.zarr/zarr.json": b"{}", "s.zarr/.zgroup": b"{}"}
    top = folder(tmp_path / "x", files)
    stream = ImageReader([top], 8, 3)
    read = {os.path.relpath(image.path, top): image.problem for image in stream}
    assert read.pop("a/1.png") is None and read.keys() == SCIENTIFIC.keys()
    for name, (_, kind, reader) in SCIENTIFIC.items():
        problem = f"{kind}, which is not read here: convert it to PNG or TIFF, for example with "
        assert read[name].startswith(problem) and reader in read[name], name
    assert stream.ignored["arrays of NumPy, HDF5 or Zarr"] == (
        5, ("m.npy", "w.h5", "weights", "s.zarr/zarr.json", "s.zarr/0/0.0"),
    )  # fmt: skip
    for arrays in (top / "s.zarr", top / "m.npy"):  # named, not found in a folder
        stream = ImageReader([arrays], 8, 3)
        problems = [image.problem for image in stream]
        named = ["NumPy array, which is not read here: save it as PNG, TIFF or JPEG"] * arrays.is_file()
        assert problems == named and sum(number for number, _ in stream.ignored.values()) == 3 * arrays.is_dir()
    images = {image.path: image.problem for image in ImageReader([top / "slide.mrxs", top / "IM000001"], 8, 3)}
    assert [problem[:9] for problem in images.values()] == ["a whole-s", "a DICOM i"]


def test_heic_says_what_it_needs_and_is_read_with_it(tmp_path, monkeypatch):
    from vi_simsiam.data import decode

    folder(tmp_path / "x", {"1.heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40)})
    monkeypatch.setattr(decode, "_reads_heic", lambda: False)
    (missing,) = ImageReader([tmp_path / "x"], 8, 3)
    assert missing.problem == "HEIC, which needs the package pillow-heif: `pip install pillow-heif`"
    monkeypatch.undo()
    pytest.importorskip("pillow_heif").register_heif_opener()
    folder(tmp_path / "y", {"1.HEIC": picture("HEIF", 200)})
    (image,) = ImageReader([tmp_path / "y"], 8, 3)
    assert image.problem is None and abs(int(image.content[4, 4, 0]) - 200) < 5


LINKED = {
    "z real": ({"z/1.png": None, "a": "z"}, ["z/1.png"], "a -> z"),
    "deep": ({"b/in/1.png": None, "b/0.png": None, "a": "b/in"}, ["b/0.png", "b/in/1.png"], "a -> b/in"),
    "two links": ({"m": "../outside", "c": "../outside", "b/0.png": None}, ["b/0.png", "c/1.png"], "m -> c"),
    "hidden": ({".old": "dog", "dog/1.png": None}, ["dog/1.png"], ""),
    "hidden target": ({".old/1.png": None, "dog": ".old"}, ["dog/1.png"], ""),
    "round": ({"a/1.png": None, "a/up": ".."}, ["a/1.png"], "a/up -> ."),
    "a file": ({"a/0.png": "../../outside/1.png"}, ["a/0.png"], ""),
}  # fmt: skip


@pytest.mark.parametrize("name", LINKED)
def test_a_folder_reached_twice_is_used_once_in_any_order(name, tmp_path, monkeypatch):
    files, used, said = LINKED[name]
    folder(tmp_path / "outside", {"1.png": None})
    top = folder(tmp_path / "top", files)
    states, scandir = set(), os.scandir

    class Shuffled(list):
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    for seed in range(4):

        def shuffled(path, seed=seed):
            with scandir(path) as entries:
                listed = Shuffled(entries)
            random.Random(seed).shuffle(listed)
            return listed

        monkeypatch.setattr(os, "scandir", shuffled)
        own_images.bring(top, tmp_path / str(seed))
        states.add((own_images.state(top), (tmp_path / str(seed) / "images.zip").read_bytes()))
        pictures = [os.path.relpath(picture.path, top) for picture in ImageReader([top], 8, 3)]
        assert pictures == sorted(used), seed
    monkeypatch.undo()
    assert len(states) == 1
    assert zipfile.ZipFile(tmp_path / "0/images.zip").namelist() == used
    ignored = json.loads((tmp_path / "0/packed.json").read_text())["ignored"]
    assert ignored.get("links to folders that are used already", (0, [""]))[1] == [said]


def test_broken_links_and_special_files_are_listed(tmp_path):
    top = folder(tmp_path / "x", {"a/1.png": None, "b/1.png": None, "a/.#notes": "me@host.123", "a/gone.png": "nowhere",
                                  "a/gone.txt": "nowhere", "b/self.jpg": "self.jpg"})  # fmt: skip
    os.mkfifo(top / "a/pipe.png")
    used, left_out, ignored = brought(top, tmp_path / "raw")
    assert used == ["a/1.png", "b/1.png"]
    assert left_out == {
        "a/gone.png": "cannot be read: a link that leads nowhere", "a/pipe.png": "no plain file",
        "b/self.jpg": "cannot be read: Too many levels of symbolic links",
    }  # fmt: skip
    assert sum(number for number, _ in ignored.values()) == 2
    before = own_images.state(top)
    (top / "a/gone.png").unlink()
    assert own_images.state(top) != before


def test_folders_that_cannot_be_listed(tmp_path, monkeypatch):
    """As another user's; the tests may run as root, who may read everything."""
    top = folder(tmp_path / "x", {"a/1.png": None, "b/1.png": None, "lost+found/1.png": None, "secret/1.png": None})
    plain = own_images.state(top)
    scandir = os.scandir

    def refused(path):
        if str(path).endswith(("lost+found", "secret")):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    assert own_images.state(top) not in ("", plain) and own_images.state(top) == own_images.state(top)
    used, left_out, ignored = brought(top, tmp_path / "raw")
    assert used == ["a/1.png", "b/1.png"]
    assert left_out == {"secret": "a folder that cannot be listed: Permission denied"}
    assert ignored == {"hidden files and those of operating systems": (1, ("lost+found",))}
    stream = ImageReader([top], 8, 3)
    assert [picture.problem for picture in stream if picture.problem] == [
        "a folder that cannot be listed: Permission denied"
    ]
    assert stream.ignored == ignored


@pytest.mark.parametrize("path", ["raw", "raw/in", ".", "link", "raw/images.zip"])
def test_images_in_the_folder_that_is_written_to_are_refused(tmp_path, path):
    folder(tmp_path, {"raw/in/a/1.png": None, "raw/images.zip": b"PK", "link": "raw/in"})
    with pytest.raises(Problem, match="Move the images elsewhere"):
        own_images.bring(tmp_path / path, tmp_path / "raw")


def test_a_class_has_one_name_for_both_codes_of_an_accent(tmp_path):
    one, two = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    top = folder(tmp_path / "x", {f"train/{one}/1.png": None, "train/b/1.png": None, f"test/{two}/2.png": None})
    own_images.bring(top, tmp_path / "raw")
    images = find_source("files").read(tmp_path / "raw", 9)
    assert images.classes == ("b", one) and images.test.labels.tolist() == [1]
    (tmp_path / "list.txt").write_text(f"{two}\n", encoding="utf-8-sig")
    assert own_images.find_classes(str(tmp_path / "list.txt")) == (one,)
    own_images.bring(top, tmp_path / "raw", (one,))
    assert len(find_source("files").read(tmp_path / "raw", 9).test.labels) == 1


def test_paths_that_cannot_be_used_are_named(tmp_path, monkeypatch):
    for path in ("~nobody-of-this-name/x", str(tmp_path / "none")):
        with pytest.raises(Problem, match="there is no such file or folder"):
            own_images.find_images(path)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(Problem, match="neither a folder nor"):
        own_images.find_images(str(tmp_path / "notes.txt"))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(Problem, match="you may not read it"):
        own_images.find_images(str(tmp_path))


def test_a_folder_that_has_become_empty_replaces_no_copy(script, tmp_path):
    """As the mount point of a disk that is not mounted: the copy may be all that is left of the images."""
    top, out = folder(tmp_path / "x", {"a/1.png": None, "b/2.png": None}), tmp_path / "pets"
    params = json.dumps({"source": "files", "path": str(top), "classes": None, "mirrors": [], "retries": 0})
    arguments = ["download", "--dataset", "pets", "--params", params, "--out", out]
    assert script(*arguments)[0] == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    shutil.rmtree(top)
    top.mkdir()
    status, said = script(*arguments)
    assert status and "none of its 0 files is an image that can be used. If its disk is not mounted" in said
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_line_counts_the_files_that_are_not_used(tmp_path, capsys):
    top = folder(tmp_path / "x", {f"{name}/{i}.png": None for name in "ab" for i in range(6)} | {"a/7.png": b"no"})
    folder(top, {"README.md": b"text", "a/Thumbs.db": b""})
    own_images.bring(top, tmp_path / "raw")
    write_report(tmp_path / "report.csv", find_source("files").read(tmp_path / "raw", 9).report)
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.startswith("note: 1 images left out (the first: a/7.png: not readable as an image")
    assert "ignored: 1 files that are no images (README.md), 1 hidden files and those of operating systems" in said


def test_warnings_of_pillow_name_the_file(tmp_path, monkeypatch, recwarn):
    top = folder(tmp_path / "x", {f"a/{i}.png": None for i in range(20)})
    plain = PngImagePlugin.PngImageFile.load

    def load(image):
        warnings.warn_explicit("Corrupt EXIF data", UserWarning, "TiffImagePlugin.py", 1, "PIL.TiffImagePlugin")
        return plain(image)

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", load)
    assert len(list(ImageReader([top], 8, 3, threads=4))) == 20
    assert [str(warning.message) for warning in recwarn] == [
        f"{top}/{name}: Corrupt EXIF data" for name in sorted(f"a/{i}.png" for i in range(20))
    ]
    own_images.bring(top, tmp_path / "raw")
    report = find_source("files").read(tmp_path / "raw", 9, threads=4).report
    assert [name for name, _ in report.remarks] == sorted(f"a/{i}.png" for i in range(20))
    write_report(tmp_path / "report.csv", report)
    assert 'a/0.png,"used, but: Corrupt EXIF data"' in (tmp_path / "report.csv").read_text()
    assert len(recwarn) == 20
