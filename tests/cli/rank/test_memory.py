"""The memory of a ranking does not grow with its photographs: neither private memory nor mapped files."""

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.photographs import picture
from helpers.project import ROOT
from vi_simsiam.cli.rank import copies
from vi_simsiam.data.store import RowView

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def mapped() -> float:
    """MiB of files that are in this process's memory."""
    (line,) = (x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith("RssFile"))
    return int(line.split()[1]) / 1024


@linux
@pytest.mark.parametrize("how", ["in order", "here and there", "one by one"])
def test_rows_of_a_map_are_given_back(tmp_path, how):
    count = 30_000  # 150 MiB, which a training of the workflow keeps
    np.memmap(tmp_path / "rows", np.float16, "w+", shape=(count, 2, 1280)).flush()
    rows = RowView(np.memmap(tmp_path / "rows", np.float16, "r", shape=(count, 2, 1280)), np.arange(count))
    order = np.random.default_rng(0).permutation(count)
    before = mapped()
    peak = 0.0
    for start in range(0, count, 100):
        part = slice(start, start + 100)
        if how == "in order":
            rows[part]
        elif how == "here and there":
            rows[order[part], start % 2]
        else:
            [rows[row].copy() for row in order[part]]
        peak = max(peak, mapped() - before)
    assert 0.1 < peak < 40, f"{peak} MiB"


def test_pairs_are_looked_for_a_few_at_a_time():
    """Most photographs are near each other, and none is a copy: of 2,000, millions of pairs."""
    draw = np.random.default_rng(0)
    looks = picture(0, 32).convert("L") + draw.normal(0, 36, (2000, 32, 32))
    tracemalloc.start()
    try:
        group = copies.groups(looks.clip(0, 255).astype(np.uint8), torch.device("cpu"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(set(group)) == 2000
    assert peak < 40e6


_RANK = """
import sys, torch
from pathlib import Path
from vi_simsiam import __main__
from vi_simsiam.cli.rank import head_training
head_training._STEPS, head_training._EPOCHS = 20, 1
torch.set_num_threads(1)
try:
    __main__.main(["rank", *sys.argv[1:], "--threads", "1"])
except SystemExit as ended:
    assert not ended.code, ended.code
# Not getrusage's: that begins with the peak of the process that started this one.
print(*(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")))
"""


@linux
@pytest.mark.nightly
def test_ten_times_the_photographs_take_as_much_memory(tiny, tmp_path):
    peaks = []
    for count in (200, 2000):
        folder = tmp_path / str(count)
        folder.mkdir()
        for number in range(count):
            picture(number, 20).save(folder / f"{number}.png")
        arguments = [folder, "--out", tmp_path / f"out{count}", "--encoder", tiny]
        command = [sys.executable, "-c", _RANK, *map(str, arguments)]
        environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        peaks.append(int(done.stdout.splitlines()[-1]))
    assert peaks[1] < 1.1 * peaks[0], peaks
