"""Printed parameters are those of the jobs, each with its origin."""

import os
import subprocess
import sys

import pytest
import yaml

from helpers.project import ROOT
from vi_simsiam.__main__ import main
from vi_simsiam.config import loading
from vi_simsiam.config.schema import METHODS

SHIPPED = loading.load(ROOT / "params.yaml")
LR = SHIPPED["recipes"]["digits"]["pretrain"]["lr"]


def printed(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main(["params", "--params", str(ROOT / "params.yaml"), *arguments])
    out, err = capsys.readouterr()
    return (out, err) if end.value.code else out


@pytest.mark.parametrize(
    ("dataset", "method"),
    [*((dataset, None) for dataset in SHIPPED["recipes"]), *(("digits", method) for method in METHODS)],
)
def test_what_is_printed_is_what_the_jobs_get(capsys, dataset, method):
    lines = printed(capsys, dataset, *[method] * (method is not None))
    jobs = {step: loading.resolve(SHIPPED, step, None if step == "plot" else dataset, method) for step in loading.STEPS}
    assert yaml.safe_load(lines) == jobs
    assert all("  # " in line for line in lines.splitlines() if not line.endswith(":"))


def test_each_value_has_its_origin(capsys):
    lines = printed(capsys, "digits", "vi_simsiam").splitlines()
    for line in (
        "  source: digits  # name of recipes.digits",
        f"  lr: {LR}  # recipes.digits",
        "  momentum: 0.9  # section",
    ):
        assert line in lines
    assert "    hidden: 256  # recipes.digits" in lines and "    layers: 2  # section" in lines
    lines = printed(capsys, "cifar100").splitlines()
    assert "  batch_size: 512  # recipes.cifar10 (like)" in lines and "  epochs: 1000  # recipes.cifar100" in lines
    assert "  source: cifar100  # recipes.cifar100" in lines
    assert "  source: files  # because path is set" in printed(capsys, "cifar10_200").splitlines()


def test_unknown_names(capsys):
    assert "digts: no such recipe (did you mean digits?)" in printed(capsys, "digts")[1]
    assert "vea: no such method (did you mean vae?)" in printed(capsys, "digits", "vea")[1]


def test_params_are_printed_without_waiting_for_pytorch():
    script = "import runpy, sys\nsys.argv[1:] = ['params', 'digits']\n"
    script += "try: runpy.run_module('vi_simsiam', run_name='__main__')\n"
    script += "finally: print({'torch', 'pandas', 'PIL'} & set(sys.modules), file=sys.stderr)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "set()\n")
