import hashlib
import os
import random

import pytest

from helpers.file_server import FileServer
from vi_simsiam.core.errors import Problem
from vi_simsiam.data import fetch as module
from vi_simsiam.data.fetch import RemoteFile, fetch

BODY = random.Random(0).randbytes(1_000_000)
NAME = "numbers.bin"


def checksum(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(module, "_PAUSE", 0.0)
    monkeypatch.setattr(module, "_TIMEOUT", 5.0)


@pytest.fixture
def get(capsys):
    """Fetches `BODY`. Returns: the path, and the lines printed."""

    def get(folder, *bases, retries=3):
        path = fetch(RemoteFile(NAME, (checksum(BODY),)), folder, bases, retries)
        return path, capsys.readouterr().out.splitlines()

    return get


def left(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("folder", ["plain", "with space", "percent %20 & #hash?", "ümläut"])
def test_from_a_folder(get, tmp_path, folder):
    source = tmp_path / folder
    source.mkdir()
    (source / NAME).write_bytes(BODY)
    for i, base in enumerate([source.as_uri(), source.as_uri() + "/", source.as_uri().replace("://", "://localhost")]):
        path, _ = get(tmp_path / str(i), base)
        assert path.read_bytes() == BODY


def test_unescaped_spaces_in_a_folder_address(get, tmp_path):
    (tmp_path / "my data").mkdir()
    (tmp_path / "my data" / NAME).write_bytes(BODY)
    path, _ = get(tmp_path / "out", f"file://{tmp_path}/my data")
    assert path.read_bytes() == BODY


def test_a_folder_that_cannot_be_made_is_named(get, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(Problem, match="out/digits cannot be written: Not a directory"):
        get(tmp_path / "out/digits", tmp_path.as_uri())


def test_a_right_file_is_not_fetched(get, tmp_path):
    (tmp_path / NAME).write_bytes(BODY)
    path, lines = get(tmp_path)  # no address needed
    assert path == tmp_path / NAME and "already there" in lines[0]


def test_a_damaged_file_is_fetched_again(get, tmp_path):
    (tmp_path / NAME).write_bytes(BODY[:-1] + b"x")
    with FileServer({NAME: BODY}) as server:
        path, _ = get(tmp_path, server.base)
    assert path.read_bytes() == BODY


def test_mirrors_are_tried_in_order(get, tmp_path):
    wrong = BODY[:-1] + bytes([BODY[-1] ^ 1])
    with FileServer({NAME: wrong}) as corrupt, FileServer({}) as empty, FileServer({NAME: BODY}) as good:
        path, lines = get(tmp_path, (tmp_path / "none").as_uri(), corrupt.base, empty.base, good.base)
        assert [len(server.requests) for server in (corrupt, empty, good)] == [1, 1, 1]  # none is worth a retry
    assert path.read_bytes() == BODY
    assert [reason in line for reason, line in zip(["No such file", "wrong checksum", "404", "checksum right"], lines,
                                                   strict=True)] == [True] * 4  # fmt: skip


def test_every_address_fails(get, tmp_path):
    short, closed = FileServer({NAME: BODY[:-5]}), FileServer({NAME: BODY}, {NAME: [("status", 403)]})
    with short, closed, pytest.raises(Problem) as caught:
        get(tmp_path, short.base, closed.base, "http://127.0.0.1:9/", retries=1)
    message = str(caught.value)
    assert f"{short.base}{NAME}: wrong checksum (SHA-256 is {checksum(BODY[:-5])}" in message
    assert f"{closed.base}{NAME}: HTTP 403" in message
    assert "http://127.0.0.1:9/numbers.bin: ConnectionRefusedError" in message
    assert "download.mirrors: [file:///" in message
    assert NAME not in left(tmp_path)


def test_no_address_at_all(get, tmp_path):
    with pytest.raises(Problem, match="no address is known"):
        get(tmp_path)


def test_a_broken_connection_is_resumed(get, tmp_path):
    with FileServer({NAME: BODY}, {NAME: [("cut", 400_000), ("cut", 300_000), ("status", 503)]}) as server:
        path, lines = get(tmp_path, server.base)
    assert path.read_bytes() == BODY and left(tmp_path) == [NAME]
    assert server.requests == [(NAME, None), (NAME, "bytes=400000-"), (NAME, "bytes=700000-"), (NAME, "bytes=700000-")]
    assert "connection closed after 400000 of 1000000 bytes" in lines[0] and "HTTP 503" in lines[2]


def test_a_server_that_cannot_resume(get, tmp_path):
    with FileServer({NAME: BODY}, {NAME: [("cut", 400_000)]}, ranges=False) as server:
        path, _ = get(tmp_path, server.base)
    assert path.read_bytes() == BODY


def test_retries_are_counted(get, tmp_path):
    with FileServer({NAME: BODY}, {NAME: [("status", 500)] * 9}) as server:
        with pytest.raises(Problem, match="HTTP 500"):
            get(tmp_path, server.base, retries=2)
        assert len(server.requests) == 3
        with pytest.raises(Problem, match="HTTP 500"):
            get(tmp_path, server.base, retries=0)
        assert len(server.requests) == 4


def test_a_stalled_connection_times_out(get, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_TIMEOUT", 0.2)
    with FileServer({NAME: BODY}, {NAME: [("stall",)]}) as server:
        path, lines = get(tmp_path, server.base)
    assert path.read_bytes() == BODY and "timed out" in lines[0]


def test_an_interrupted_run_is_resumed_by_the_next(get, tmp_path):
    with FileServer({NAME: BODY}, {NAME: [("cut", 250_000)]}) as server:
        with pytest.raises(Problem, match="250000 of 1000000"):
            get(tmp_path, server.base, retries=0)
        assert NAME not in left(tmp_path)  # never a part under the file's name
        path, _ = get(tmp_path, server.base)
        assert server.requests[-1] == (NAME, "bytes=250000-")
    assert path.read_bytes() == BODY


@pytest.mark.parametrize("rest", [b"something else", BODY[:10], BODY + b"more", BODY[:-1] + b"x"])
def test_a_part_that_does_not_fit_is_removed(get, tmp_path, rest):
    """A part may come from another mirror's wrong file, be longer than the file, or as long."""
    (tmp_path / f".{NAME}.part").write_bytes(rest)
    with FileServer({NAME: BODY}) as server:
        path, _ = get(tmp_path, server.base, retries=0)
    assert path.read_bytes() == BODY and left(tmp_path) == [NAME]


def test_a_full_disk_is_no_fault_of_the_address(get, tmp_path, monkeypatch):
    def full(number):
        raise OSError(28, "No space left on device")

    with FileServer({NAME: BODY}) as server:
        (tmp_path / f".{NAME}.part").mkdir()  # cannot be opened for writing
        with pytest.raises(Problem, match="cannot be written"):
            get(tmp_path, server.base)
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(Problem, match=r"No space left on device\. Make room"):
            get(tmp_path / "new", server.base)


def test_any_of_several_checksums(tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / NAME).write_bytes(BODY)
    file = RemoteFile(NAME, ("0" * 64, checksum(BODY)))
    assert fetch(file, tmp_path / "out", [(tmp_path / "source").as_uri()]).read_bytes() == BODY


def test_an_md5_where_nothing_better_is_published(tmp_path):
    file = RemoteFile(NAME, (hashlib.md5(BODY).hexdigest(),))
    with FileServer({NAME: BODY}, {NAME: [("cut", 400_000)]}) as server:
        assert fetch(file, tmp_path, [server.base]).read_bytes() == BODY
    with FileServer({NAME: BODY[:-1]}) as server, pytest.raises(Problem, match=r"wrong checksum \(MD5 is"):
        fetch(file, tmp_path / "new", [server.base])
