"""Temporary files of ended processes are removed, those of processes that may live are not."""

import os
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import save_file

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


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_a_file_has_the_permissions_of_any_new_file(tmp_path, umask, mode):
    """safetensors lets only the owner read its files, so that a group could not use a shared model."""
    before = os.umask(umask)
    try:
        with files.replacing(tmp_path / "a.safetensors") as temporary:
            save_file({"x": np.zeros(1)}, temporary)
        files.write_json(tmp_path / "a.json", 1)
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {mode}


def test_of_another_machine_or_container(tmp_path, gone):
    """The number says nothing on this machine."""
    other = tmp_path / f".a.{gone}-0123abcd.tmp.json"
    other.touch()
    files.write_json(tmp_path / "a.json", 1)
    assert other.exists()
    os.utime(other, (0, 0))
    files.write_json(tmp_path / "a.json", 1)
    assert not other.exists()
