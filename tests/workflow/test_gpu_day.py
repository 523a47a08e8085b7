"""`make gpu-day` on the CPU with tiny sizes, without the engines; what it does with the time that it has."""

import importlib
import json
import os
import re
import shlex
import subprocess
import sys
import time

import numpy as np
import pytest

from helpers.archives import zipped
from helpers.images import encoded
from helpers.living import alive, wait_for
from helpers.project import ROOT

# What a GPU machine that was looked at has not; each but lightly is needed by other tests or by the engines alone.
MISSING = ["snakemake", "dvc", "lightly", "kornia", "power_spherical", "selenium", "efficientnet_lite_pytorch"]
TINY = {
    "cache_views": {"test_images": None, "test_per_image": 2},
    "pretrain": {
        "batch_size": 16, "backbone": {"name": "resnet10", "width": 4}, "projector": {"hidden": 8, "out": 8},
        "predictor": {"hidden": 8}, "vi_simsiam": {"kappa_hidden": 8},
    },
    "probe": {"k": 3},
    "uncertainty": {
        "crop_areas": [0.3, 1.0], "bootstrap": 100,
        "graded": {name: [] for name in ("brightness", "contrast", "saturation", "hue", "grey", "noise", "occlusion")},
    },
}  # fmt: skip


@pytest.fixture
def gpu_day(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("gpu_day")


def archive(path):
    """As CIFAR-10's: bright and dark pictures of 32 px, in folders of their class."""
    rng = np.random.default_rng(0)

    def pictures():
        for split, count in (("train", 20), ("test", 8)):
            for label, mean in (("bright", 170), ("dark", 60)):
                for i in range(count):
                    pixels = rng.integers(mean - 50, mean + 50, (32, 32, 3), dtype=np.uint8)
                    yield f"{split}/{label}/{i}.jpg", encoded(pixels, "JPEG")

    return zipped(path, pictures())


@pytest.mark.nightly
def test_a_day_without_a_gpu_and_without_the_engines(tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(
        f"import sys\nfor name in {MISSING}:\n    sys.modules[name] = None  # an ImportError where it is imported\n"
    )
    paths = {"archive": archive(tmp_path / "tiny.zip"), "out": tmp_path / "day"}
    more = {"minutes": 15, "change": json.dumps(TINY)}
    words = ["--quick", *(f"--{name}={value}" for name, value in (paths | more).items())]
    # Several threads on such small tensors wait for each other, minutes where other tests run beside.
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site"), "OMP_NUM_THREADS": "1"}

    def called():
        done = subprocess.run(
            [sys.executable, ROOT / "benchmarks/gpu_day.py", *words], capture_output=True, text=True, env=environment
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    said = called()
    logs = "\n".join(path.read_text() for path in (tmp_path / "day/logs").iterdir())
    summary = (tmp_path / "day/summary.txt").read_text()
    assert said.endswith(summary) and "checks: left out, there is no GPU" in said, logs
    for words_of in ("training step, ", "fresh views: ", "pretrain:", "epochs of 40 images", "probe: ", "kappa: "):
        assert words_of in summary, logs
    state = json.loads((tmp_path / "day/state.json").read_text())
    assert list(state["done"]) == ["step", "download", "cache_views", "pretrain", "probe", "uncertainty"]
    assert 1 <= state["epochs"] <= 200
    for folder in ("pretrain", "probe", "uncertainty"):
        assert (tmp_path / "day/work" / folder / "cifar10_200/vi_simsiam/seed0/run.json").exists()
    again = called()
    assert again.count("done before") == 6 and (tmp_path / "day/summary.txt").read_text() == summary


def test_a_stage_ends_when_the_time_is_up_with_all_that_it_started(gpu_day, tmp_path, capsys):
    day = gpu_day.Day(tmp_path, 4)
    code = (
        "import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        f"open({str(tmp_path / 'child')!r}, 'w').write(str(p.pid)); time.sleep(600)"
    )
    start = time.monotonic()
    assert not day.stage("long", [sys.executable, "-c", code])
    assert time.monotonic() - start < 60 and "time is up" in capsys.readouterr().out
    child = int((tmp_path / "child").read_text())
    assert wait_for(lambda: not alive(child), 10), "it goes on"
    assert not day.stage("next", [sys.executable, "-c", ""]) and "no time left" in capsys.readouterr().out
    another = gpu_day.Day(tmp_path, 60)
    assert another.state["done"] == {}, "what was cut off is done again"
    assert another.stage("next", [sys.executable, "-c", "print('hello')"]) and "hello" in another.log("next")
    assert not another.stage("bad", [sys.executable, "-c", "raise SystemExit(3)"])
    assert list(gpu_day.Day(tmp_path, 60).state["done"]) == ["next"]


def test_epochs_are_those_that_the_speed_allows(gpu_day):
    assert gpu_day.epochs(20_000, 50_000, 300) == 52  # 130 s of training at 2.5 s an epoch
    assert gpu_day.epochs(20_000, 50_000, 10_000) == 200 and gpu_day.epochs(10, 50_000, 60) == 1


def test_the_commands_of_the_page_are_taken():
    """Those of docs/running_large.md; the script itself runs above, with less to do."""
    page = (ROOT / "docs/running_large.md").read_text(encoding="utf-8")
    make, script = re.findall(r"^(?:make gpu-day|python benchmarks/gpu_day\.py) .*$", page, re.MULTILINE)
    said = subprocess.run([*make.split(), "-n"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "benchmarks/gpu_day.py --minutes 60 --archive cifar10-jpeg.zip" in said
    command = [sys.executable, *shlex.split(script, comments=True)[1:], "--help"]
    options = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert all(word in options for word in command if word.startswith("--"))
