"""Fixtures for every test: copies of the project before and after a tiny run."""

import os
import runpy
import shutil
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from helpers.project import ROOT, Repo, copy_project


def pytest_configure(config: pytest.Config) -> None:
    """Before torch is imported: no GPU but for `-m gpu`; one thread for each of pytest-xdist's processes."""
    if config.option.markexpr != "gpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # results are the same to the bit on the CPU alone
    if "PYTEST_XDIST_WORKER" in os.environ:
        import torch

        torch.set_num_threads(1)  # this process's alone: commands that tests start choose their own


@pytest.fixture
def blank(tmp_path: Path) -> Repo:
    """The project before its first run."""
    return copy_project(tmp_path / "project")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """The tiny run: done by Snakemake, recorded by DVC, committed, pushed. Copy it, do not change it."""
    top = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        top = top.parent  # one run for all workers
    folder = top / "finished"
    with FileLock(f"{folder}.lock"):
        if (folder / "done").exists():
            return Repo(folder / "project")
        repo = copy_project(folder / "project")
        repo.snakemake(PYTHONPROFILEIMPORTTIME="1")  # logs tell what the jobs import
        assert repo.ran() == {"download": 1, "cache_views": 1, "pretrain": 2, "probe": 2, "uncertainty": 2, "plot": 1}
        repo.repro()
        assert repo.ran() == {}, "dvc repro redid what Snakemake had done"
        repo.agree()
        repo("dvc", "remote", "add", "-q", "-d", "remote", str(folder / "remote"))
        repo.commit("run 1")
        repo("dvc", "push", "-q")
        (folder / "done").touch()
        return repo


@pytest.fixture
def repo(finished: Repo, tmp_path: Path) -> Repo:
    """A copy of the finished tiny run, to change."""
    shutil.copytree(finished.path, tmp_path / "project", symlinks=True)
    return Repo(tmp_path / "project")


@pytest.fixture
def script(monkeypatch, capsys):
    """Runs a step's script in this process; gives its exit status and what it said on stderr."""
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
