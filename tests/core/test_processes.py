"""Processes end with those that started them."""

import os
import subprocess
import sys
import time

import pytest

from helpers.living import alive, wait_for
from vi_simsiam.core import processes

CHILD = """
import time
from vi_simsiam.core import processes
processes.end_with_parent(seconds=0.05)
print(1, flush=True)
time.sleep(60)
"""
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}], stdout=subprocess.PIPE)
child.stdout.read(1)
print(child.pid, flush=True)
sys.stdin.read()
"""


def test_a_process_ends_when_the_one_that_started_it_is_killed():
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)
    child = int(parent.stdout.readline())
    time.sleep(0.2)
    assert alive(child)
    parent.kill()
    parent.wait()
    assert wait_for(lambda: not alive(child), 10), "it goes on"


@pytest.mark.parametrize(
    ("device", "visible", "expected"),
    [
        ("nvidia0", None, True),
        ("dxg", None, True),  # in WSL2
        ("dxg", "0", True),
        ("nvidia0", "", False),
        ("dxg", "-1", False),
        ("nvidiactl", None, False),
    ],
)
def test_a_gpu_is_seen_by_its_device_file(device, visible, expected, tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    (tmp_path / device).touch()
    assert processes.has_gpu(tmp_path) == expected
