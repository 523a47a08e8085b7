"""Archives: sound members are read, others are refused by name, and nothing is unpacked."""

import errno
import gzip
import os
import resource
import stat
import struct
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest

from helpers.archives import tarred, zipped
from vi_simsiam.core.errors import Problem
from vi_simsiam.data import archives
from vi_simsiam.data.archives import Unreadable, open_archive, suffix

ODD_NAMES = ["a/ü 图 é.jpg", "a/$(touch pwned); `x` 'y' \"z\" & | *.jpg", "a/new\nline.jpg", "-rf/--x.jpg"]


def problems(archive):
    return {member.name: member.problem for member in archive.members}


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz", "x.tgz", "x.tar.bz2", "x.tar.xz", "X.ZIP"])
def test_contents_of_every_kind_are_read_in_the_order_of_names(tmp_path, name):
    entries = [(odd, odd.encode() * 99) for odd in [*ODD_NAMES, "b/2", "b/10", "./c"]]
    if name.lower().endswith(".zip"):
        path = zipped(tmp_path / name, entries)
    else:
        path = tarred(tmp_path / name, entries, {"tar": "w", "tgz": "w:gz"}.get(name[2:], f"w:{name[6:]}"))
    archive = open_archive(path)
    assert [member.name for member in archive.members] == sorted([*ODD_NAMES, "b/2", "b/10", "c"])
    for member in archive.members:
        assert member.problem is None and archive.read(member) == dict(entries + [("c", b"./c" * 99)])[member.name]
    assert [file.name for file in tmp_path.iterdir()] == [name]  # nothing was unpacked, `touch` was not run


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_of_a_zip_that_are_refused(tmp_path):
    link = zipfile.ZipInfo("link.jpg")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    windows = zipfile.ZipInfo("x")
    windows.filename, windows.create_system = "cat\\1.jpg", 0
    entries = [("good.jpg", b"1"), ("/etc/abs.jpg", b"2"), ("a/../../up.jpg", b"3"), ("C:/win.jpg", b"4")]
    entries += [(link, b"/etc/passwd"), ("twice.jpg", b"first"), ("twice.jpg", b"second"), (windows, b"5")]
    entries += [("folder/", b""), ("bomb.jpg", bytes(30_000_000)), ("small drawing.bmp", bytes(1_000_000))]
    archive = open_archive(zipped(tmp_path / "x.zip", entries))
    said = [(member.name, member.problem) for member in archive.members]
    out = "its name leads out of the archive"
    assert [entry for entry in said if entry[0] != "bomb.jpg"] == [
        ("/etc/abs.jpg", out),
        ("C:/win.jpg", out),
        ("a/../../up.jpg", out),
        ("cat/1.jpg", None),
        ("good.jpg", None),
        ("link.jpg", "a link or special file, not a plain one"),
        ("small drawing.bmp", None),
        ("twice.jpg", None),
        ("twice.jpg", "a second file of this name"),
    ]
    assert "to 30000000 bytes" in dict(said)["bomb.jpg"]
    assert [archive.read(m) for m in archive.members if m.name == "twice.jpg" and m.problem is None] == [b"first"]


def test_an_encrypted_member(tmp_path):
    path = zipped(tmp_path / "x.zip", [("secret.jpg", b"1"), ("z.jpg", b"2")])
    data = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):  # flags of the member, where it is and in the directory
        data[data.find(mark) + offset] |= 1
    path.write_bytes(data)
    assert problems(open_archive(path)) == {"secret.jpg": "encrypted", "z.jpg": None}


def test_members_of_a_tar_that_are_refused(tmp_path):
    link, hard, device = (tarfile.TarInfo(f"{name}.jpg") for name in ("link", "hard", "device"))
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    hard.type, hard.linkname = tarfile.LNKTYPE, "good.jpg"
    device.type = tarfile.CHRTYPE
    folder = tarfile.TarInfo("folder")
    folder.type = tarfile.DIRTYPE
    entries = [
        ("good.jpg", b"1"),
        ("/abs.jpg", b"2"),
        ("../up.jpg", b"3"),
        ("good.jpg", b"second"),
        ("\udcff.jpg", b"4"),
    ]
    path = tarred(tmp_path / "x.tar", [*entries, *((info, b"") for info in (link, hard, device, folder))])
    archive = open_archive(path)
    special, out = "a link or special file, not a plain one", "its name leads out of the archive"
    assert [(member.name, member.problem) for member in archive.members] == [
        ("../up.jpg", out), ("/abs.jpg", out), ("\\xff.jpg", None), ("device.jpg", special), ("good.jpg", None),
        ("good.jpg", "a second file of this name"), ("hard.jpg", special), ("link.jpg", special),
    ]  # fmt: skip
    assert archive.read(archive.members[4]) == b"1"


def test_a_tar_that_unpacks_to_too_much(tmp_path):
    path = tmp_path / "x.tar.gz"
    path.write_bytes(gzip.compress(bytes(40_000_000)))
    with pytest.raises(Problem, match=r"x.tar.gz unpacks to more than 200 times its size"):
        open_archive(path)
    assert [file.name for file in tmp_path.iterdir()] == ["x.tar.gz"]


def test_a_compressed_tar_in_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    """As on a read-only disk, which only an administrator can mount: only the folders in `writable` can be written."""
    (tmp_path / "shared").mkdir()
    path = tarred(tmp_path / "shared/x.tar.gz", [("a", b"1"), ("b", b"2" * 3_000_000)], "w:gz")
    made, writable, temporary = [], {tmp_path}, tempfile.TemporaryFile

    def only_some(dir=None, **options):
        folder = Path(tempfile.gettempdir() if dir is None else dir)
        made.append(folder)
        if folder not in writable:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(folder))
        return temporary(dir=dir, **options)

    monkeypatch.setattr(tempfile, "TemporaryFile", only_some)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    archive = open_archive(path)
    assert [archive.read(member) for member in archive.members] == [b"1", b"2" * 3_000_000]
    assert made == [path.parent, tmp_path]
    writable.clear()
    with pytest.raises(Problem, match=r"shared cannot be written \(Read-only file system\), and no other .* TMPDIR"):
        open_archive(path)


def test_a_compressed_tar_that_fills_the_disk(tmp_path):
    path = tarred(tmp_path / "x.tar.gz", [("a", bytes(8_000_000))], "w:gz")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (5_000_000, before[1]))
        with pytest.raises(Problem, match=rf"{path}, unpacked in {tmp_path}, cannot be written: .* Make room"):
            open_archive(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_member_too_large_for_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MOST_BYTES", 1000)
    path = zipped(tmp_path / "x.zip", [("a", bytes(1000)), ("b", bytes(1001))])
    assert problems(open_archive(path)) == {"a": None, "b": "1001 bytes, more than 1000"}


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz", "x.tar.xz", "x.tar.bz2"])
@pytest.mark.parametrize("cut", [0, 7, 0.5])
def test_damaged_as_a_whole(tmp_path, name, cut):
    entries = [(f"{i}.jpg", bytes(range(256)) * 50) for i in range(20)]
    mode = "w" if name == "x.tar" else f"w:{name[6:]}"
    path = zipped(tmp_path / name, entries) if name == "x.zip" else tarred(tmp_path / name, entries, mode)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * cut) if cut < 1 else cut])
    with pytest.raises(Problem, match=rf"{name} cannot be read as an archive"):
        open_archive(path)


def test_a_tar_damaged_in_the_middle_is_not_taken_for_a_short_one(tmp_path):
    path = tarred(tmp_path / "x.tar", [("a", b"1"), ("b", b"2"), ("c", b"3")])
    data = bytearray(path.read_bytes())
    data[1024 + 10] ^= 0xFF  # in the header of b
    path.write_bytes(data)
    with pytest.raises(Problem, match=r"x.tar cannot be read as an archive: damaged at byte 1024"):
        open_archive(path)


def test_of_a_damaged_member_the_others_are_read(tmp_path):
    path = zipped(tmp_path / "x.zip", [("a", b"a" * 100), ("b", b"b" * 100)], zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"aaa", b"axa", 1))
    archive = open_archive(path)
    with pytest.raises(Unreadable, match="damaged in the archive: Bad CRC-32"):
        archive.read(archive.members[0])
    assert archive.read(archive.members[1]) == b"b" * 100


def test_a_member_with_a_wrong_size(tmp_path):
    """The directory says 100 bytes, and that is all that is ever unpacked."""
    path = zipped(tmp_path / "x.zip", [("a", bytes(1_000_000))])
    data = path.read_bytes()
    path.write_bytes(data.replace(struct.pack("<L", 1_000_000), struct.pack("<L", 100)))
    archive = open_archive(path)
    assert archive.members[0].bytes == 100
    with pytest.raises(Unreadable, match="damaged in the archive"):
        archive.read(archive.members[0])


def test_kinds_by_name():
    names = ("a.zip", "a.b.TAR.GZ", "a.gz", "a.zip.txt", ".zip")
    assert [suffix(Path(name)) for name in names] == [".zip", ".tar.gz", None, None, None]


@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz", "x.tar.xz"])
@pytest.mark.parametrize("between", [b"", bytes(512), bytes(10240)])
def test_tars_joined_by_cat_are_read_to_their_end(tmp_path, name, between):
    mode = {"x.tar": "w"}.get(name, f"w:{name[6:]}")
    parts = [[("a/1", b"one" * 999), ("a/2", b"")], [("b/1", b"two" * 500)], [("a/1", b"again"), ("c", b"three")]]
    data = [tarred(tmp_path / f"{i}{name}", part, mode).read_bytes() for i, part in enumerate(parts)]
    if name == "x.tar":
        data = [part + between for part in data]
    (tmp_path / name).write_bytes(b"".join(data))
    archive = open_archive(tmp_path / name)
    assert problems(archive) == {"a/1": "a second file of this name", "a/2": None, "b/1": None, "c": None}
    good = {member.name: archive.read(member) for member in archive.members if member.problem is None}
    assert good == {"a/1": b"one" * 999, "a/2": b"", "b/1": b"two" * 500, "c": b"three"}
    assert archive.head(archive.members[0], 4) == b"oneo"


def test_other_bytes_after_the_end_of_a_tar_are_ignored(tmp_path):
    path = tarred(tmp_path / "x.tar", [("a", b"1")])
    path.write_bytes(path.read_bytes() + b"a signature" * 100)
    assert problems(open_archive(path)) == {"a": None}
    path.write_bytes(tarred(tmp_path / "y.tar", [("a", b"1" * 9999)]).read_bytes()[:5000])
    with pytest.raises(Problem, match="cannot be read as an archive"):
        open_archive(path)


@pytest.mark.parametrize("comment", [b"", b"a comment"])
def test_zips_joined_by_cat_are_refused(tmp_path, comment):
    one, two = (zipped(tmp_path / f"{i}.zip", [(f"{i}", b"x" * 99)]) for i in "12")
    with zipfile.ZipFile(one, "a") as file:
        file.comment = comment
    (tmp_path / "x.zip").write_bytes(one.read_bytes() + two.read_bytes())
    with pytest.raises(Problem, match="zip files joined end to end"):
        open_archive(tmp_path / "x.zip")
    (tmp_path / "x.zip").write_bytes(b"#!/bin/sh\nPK\5\6" * 9 + two.read_bytes())  # a program before it is none
    assert problems(open_archive(tmp_path / "x.zip")) == {"2": None}
