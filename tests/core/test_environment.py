"""The environment that a run obeys is checked when it starts, and recorded."""

import os
import subprocess
import sys
import sysconfig

import pytest
import torch

from helpers.project import ROOT
from vi_simsiam.core import command, environment, record
from vi_simsiam.core.errors import Problem


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for name in (*environment.RECORDED, "BASH_ENV", "ENV"):
        monkeypatch.delenv(name, raising=False)


def test_what_is_set_is_recorded(monkeypatch, tmp_path):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    record.RunRecord("plot", {}).write(tmp_path)
    assert record.read(tmp_path)["environment"] == {"OMP_NUM_THREADS": "3"}


@pytest.mark.parametrize(
    ("name", "exact", "rounds"),
    [("NVIDIA_TF32_OVERRIDE", "0", "1"), ("DNNL_DEFAULT_FPMATH_MODE", "strict", "BF16")],
)
def test_a_variable_that_rounds_float32_is_refused(monkeypatch, capsys, name, exact, rounds):
    for value in ("", exact):
        monkeypatch.setenv(name, value)
        environment.check()
    monkeypatch.setenv(name, rounds)
    with pytest.raises(Problem, match=f"{name}={rounds} rounds float32 in every product: unset it"):
        environment.begin_run()
    with pytest.raises(SystemExit):
        command.run(lambda: pytest.fail("work was begun"))
    assert capsys.readouterr().err.startswith(f"error: {name}={rounds}")


def test_packages_of_pythonpath_are_named(monkeypatch, tmp_path):
    packages = sysconfig.get_path("purelib")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "src"), packages]))
    assert environment.begin_run() == []  # those of this environment
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    first = next(sentence for sentence in environment.begin_run() if sentence.startswith("numpy "))
    assert first == (
        f"numpy is taken from {os.path.realpath(packages)}, which PYTHONPATH names, and not from {tmp_path}: unset "
        "PYTHONPATH unless you want that. run.json records the version."
    )


def test_files_of_shells_do_not_reach_the_jobs(monkeypatch):
    monkeypatch.setenv("BASH_ENV", "x")
    environment.begin_run()
    assert "BASH_ENV" not in os.environ


def python(*arguments):
    env = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, env=env, capture_output=True, text=True)


def test_windows_is_told_at_the_start():
    done = python("-c", "import sys; sys.modules['fcntl'] = None; import vi_simsiam.__main__")
    said = "error: vi-simsiam works on Linux and macOS, not on Windows itself: use it there in WSL2.\n"
    assert (done.returncode, done.stderr) == (1, said)


def test_the_step_of_dvc_finds_its_modules_where_python_does_not_look_beside_scripts():
    done = python("-P", "workflow/step.py", "nothing")
    assert done.stderr.endswith("KeyError: 'nothing'\n"), done.stderr


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        ("CUDA error: no kernel image is available for execution on the device\nCUDA kernel", "the installed torch"),
        ("CUDA error: out of memory\nCUDA kernel errors might be", "the GPU's memory is not"),
        ("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of", "the GPU's memory is not"),
    ],
)
def test_torch_s_errors_about_gpus_are_sentences(capsys, error, sentence):
    def work():
        raise torch.OutOfMemoryError(error)

    with pytest.raises(SystemExit) as ended:
        command.run(work)
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: {sentence}") and said.count("\n") == 1
    assert error.splitlines()[0].partition(" GPU ")[0] in said
