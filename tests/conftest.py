"""Fixtures for every test: copies of the project before and after a tiny run."""

import os
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from helpers.project import ROOT, Repo, copy_project
from helpers.stand_ins import stand_in


def pytest_configure(config: pytest.Config) -> None:
    """Before torch is imported: no GPU but for `-m gpu`; one thread for each of pytest-xdist's processes."""
    if config.option.markexpr != "gpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # results are the same to the bit on the CPU alone
    if "PYTEST_XDIST_WORKER" in os.environ:
        import torch

        torch.set_num_threads(1)  # of this process only; commands that tests start choose theirs


@pytest.fixture
def blank(tmp_path: Path) -> Repo:
    """The project before its first run."""
    return copy_project(tmp_path / "project")


@pytest.fixture(scope="session")
def unrun(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """The project before its first run, for tests that plan. Copy it, do not change it."""
    return copy_project(tmp_path_factory.mktemp("unrun") / "project")


def _once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Repo:
    """A run that is made once for all of pytest-xdist's workers."""
    top = tmp_path_factory.getbasetemp()
    folder = (top.parent if "PYTEST_XDIST_WORKER" in os.environ else top) / name
    with FileLock(f"{folder}.lock"):
        if not (folder / "done").exists():
            make(folder)
            (folder / "done").touch()
    return Repo(folder / "project")


def _run(folder: Path) -> None:
    repo = copy_project(folder / "project")
    # Each job is a new Python here, whose log tells what it imports.
    repo.snakemake(PYTHONPROFILEIMPORTTIME="1", WORKFLOW_PRELOAD="")
    assert repo.ran() == {"download": 1, "cache_views": 1, "pretrain": 2, "probe": 2, "uncertainty": 2, "plot": 1}
    repo.repro()
    assert repo.ran() == {}, "dvc repro redid what Snakemake had done"
    repo.agree()
    repo("dvc", "remote", "add", "-q", "-d", "remote", str(folder / "remote"))
    repo.commit("run 1")
    repo("dvc", "push", "-q")


def _run_with_stand_ins(folder: Path) -> None:
    repo = copy_project(folder / "project")
    stand_in(repo)
    repo.commit("stand-ins")  # before the run: records name the commit of the code
    repo.snakemake()
    repo("dvc", "commit", "-q", "-f")
    repo.agree()
    repo.commit("run 1")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """The tiny run: done by Snakemake, recorded by DVC, committed, pushed. Copy it, do not change it."""
    return _once(tmp_path_factory, "finished", _run)


@pytest.fixture(scope="session")
def finished_with_stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """The tiny run with stand-ins for the steps' scripts. Copy it, do not change it."""
    return _once(tmp_path_factory, "stand_ins", _run_with_stand_ins)


@pytest.fixture
def repo(finished: Repo, tmp_path: Path) -> Repo:
    """A copy of the finished tiny run, to change."""
    return finished.copy(tmp_path / "project")


@pytest.fixture
def quick(finished_with_stand_ins: Repo, tmp_path: Path) -> Repo:
    """A copy of the tiny run with stand-ins, to change: for tests of the engines, not of the jobs' results."""
    quick = finished_with_stand_ins.copy(tmp_path / "quick")
    quick.env["WORKFLOW_PRELOAD"] = ""  # stand-ins do not import torch
    return quick


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """A small store of digits, with fresh views. Read it, do not change it."""
    from helpers.small import digits_store  # not at the top: most tests need no torch

    return digits_store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="session")
def cached(tmp_path_factory):
    """The same images with three views of each. Read it, do not change it."""
    from helpers.small import digits_store

    return digits_store(tmp_path_factory.mktemp("cached"), per_image=3)


@pytest.fixture(scope="session")
def weights(tmp_path_factory, store):
    """The folder of an untrained model of the store's images, whose weights trainings start from."""
    from helpers.models import IN_SMALL, encoder
    from vi_simsiam.training.trainer import image_spec

    return encoder(tmp_path_factory.mktemp("weights"), image_spec(store, IN_SMALL))


@pytest.fixture(params=["pretended", pytest.param("real", marks=pytest.mark.gpu)])
def gpu(request):
    """A pretended GPU, on any machine; with `-m gpu` a real one (`helpers.gpus.Gpu`)."""
    import torch  # not at the top: most tests need none

    from helpers import gpus

    if request.param == "pretended":
        return gpus.PRETENDED
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    return gpus.REAL


@pytest.fixture
def script(monkeypatch, capsys):
    """A function that runs a step's script in this process, and returns its exit status and stderr."""
    import torch  # not at the top: most tests need none

    threads = torch.get_num_threads()

    def call(name, *arguments):
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
        try:
            runpy.run_path(str(ROOT / "src" / f"{name}.py"), run_name="__main__")
            status = 0
        except SystemExit as ended:
            status = ended.code
        return status, capsys.readouterr().err

    yield call
    torch.set_num_threads(threads)
