"""Temporary files: those of a process that is gone are removed, those of one that may live are not."""

import os
import subprocess
import sys

import pytest

from vi_simsiam.core import files


@pytest.fixture
def gone():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_of_a_process_that_has_ended_here(tmp_path, gone):
    left = tmp_path / f".a.{gone}-{files._place()}.tmp.json"
    lives = tmp_path / f".a.{os.getppid()}-{files._place()}.tmp.json"
    for path in (left, lives):
        path.touch()
    files.write_json(tmp_path / "a.json", 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([lives.name, "a.json"])


def test_of_another_machine_or_container(tmp_path, gone):
    """The number says nothing there."""
    other = tmp_path / f".a.{gone}-0123abcd.tmp.json"
    other.touch()
    files.write_json(tmp_path / "a.json", 1)
    assert other.exists()
    os.utime(other, (0, 0))
    files.write_json(tmp_path / "a.json", 1)
    assert not other.exists()
