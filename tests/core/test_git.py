"""The commit of the code, whoever owns the checkout."""

import os
import subprocess

import pytest

from vi_simsiam.core import git


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    for command in (["init", "-q"], ["add", "-A"], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "x"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


def test_a_checkout_clean_and_changed(checkout):
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=checkout, capture_output=True, text=True).stdout.strip()
    assert git.commit(checkout, checkout) == head
    (checkout / "a.txt").write_text("b")
    assert git.commit(checkout, checkout) == head + "-dirty"


def test_of_another_user(checkout, monkeypatch):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    refused = subprocess.run(["git", "status"], cwd=checkout, capture_output=True, text=True)
    assert "dubious ownership" in refused.stderr
    assert git.commit(checkout, checkout) is not None


def test_outside_a_checkout_and_without_git(tmp_path, checkout, monkeypatch):
    assert git.commit(os.path.realpath("/"), tmp_path) is None
    monkeypatch.setenv("PATH", "")
    assert git.commit(checkout, checkout) is None


def test_in_a_hook_and_below_another_project(tmp_path, checkout, monkeypatch):
    """git in a hook answers for the hook's repository, and below a checkout for that."""
    here = git.commit(checkout, checkout)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert git.commit(checkout, checkout) == here
    installed = checkout / ".venv/lib/vi_simsiam"
    installed.mkdir(parents=True)
    (installed / "record.py").touch()
    assert git.commit(installed, installed) is None
