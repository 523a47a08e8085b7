"""What is imported is declared, what is declared is locked, and the library needs no engine."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest

from helpers.project import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DECLARED = {"library": PROJECT["project"]["dependencies"], **PROJECT["project"]["optional-dependencies"]}
DECLARED["benchmarks"] = re.findall(r"^[\w-].*", (ROOT / "benchmarks/requirements.txt").read_text(), re.MULTILINE)
# Folders, and what must be installed for them.
NEEDS = {
    "src": ["library", "heif", "lite", "timm"],
    "workflow": ["library", "workflow"],
    "docs": ["library", "workflow"],
    "studies": ["library"],
    "benchmarks": ["library", "workflow", "benchmarks"],
    "tests": ["library", "workflow", "test"],
}
LOCKS = {"requirements.lock": ["library", "workflow"], "requirements-test.lock": ["library", "workflow", "test"]}
OWN = {path.stem for folder in NEEDS for path in (ROOT / folder).glob("*.py")} | {"vi_simsiam", "helpers"}


def normal(name):
    """A distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(kinds):
    return {normal(re.match(r"[\w.-]+", entry)[0]) for kind in kinds for entry in DECLARED[kind]}


def imported(folder):
    """Top-level names of other packages that the folder's modules import."""
    names = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(node.module.split(".")[0])
    return names - OWN - sys.stdlib_module_names


@pytest.mark.parametrize("folder", NEEDS)
def test_what_is_imported_is_declared(folder):
    distributions = packages_distributions()
    missing = {
        name
        for name in imported(folder)
        if not {normal(dist) for dist in distributions.get(name, [name])} & declared(NEEDS[folder])
    }
    assert not missing, f"{folder} imports {missing}: declare them in pyproject.toml, then `make lock`"


def test_the_library_needs_no_engine():
    assert not declared(["library"]) & {"dvc", "snakemake", "psutil", "rich"}


@pytest.mark.parametrize("name", LOCKS)
def test_locks_pin_all_that_is_declared(name):
    """Versions with hashes and no addresses, so that every machine gets the same files from any index."""
    entries = re.split(r"\n(?=\S)", (ROOT / name).read_text(encoding="utf-8"))
    entries = [entry for entry in entries if not entry.startswith("#")]
    for entry in entries:
        assert re.match(r"[\w.-]+==[\w.+!]+ (; .*)?\\\n", entry) and "--hash=sha256:" in entry, entry.splitlines()[0]
    assert declared(LOCKS[name]) <= {normal(entry.split("==")[0]) for entry in entries}, "run `make lock`"


def made(folder, *arguments):
    """What `make ARGUMENTS` prints in a folder with a copy of the Makefile."""
    shutil.copy(ROOT / "Makefile", folder)
    done = subprocess.run(["make", "--no-print-directory", *arguments], cwd=folder, capture_output=True, text=True)
    return done.stdout + done.stderr


def test_an_environment_that_cannot_be_used_is_named(tmp_path):
    first, second = tmp_path / "a project", tmp_path / "a copy"
    first.mkdir()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", first / ".venv"], check=True)
    assert "error: .venv has no pip" in made(first, "usable")
    (pip,) = (first / ".venv/lib").glob("python3*/site-packages")
    (pip / "pip").mkdir()
    assert made(first, "usable") == ""
    shutil.copytree(first, second, symlinks=True)
    assert f"error: .venv was made for {first}/.venv, and copied or moved here. Remove it" in made(second, "usable")


def test_text_has_one_kind_of_line_ends_whatever_git_is_set_to(tmp_path):
    """Digests of source files and results in git would differ in a checkout with others."""
    shutil.copy(ROOT / ".gitattributes", tmp_path)
    (tmp_path / "a.py").write_bytes(b"x = 1\n")
    for command in (["init", "-q"], ["config", "core.autocrlf", "true"], ["add", "-A"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    (tmp_path / "a.py").unlink()
    subprocess.run(["git", "checkout", "-q", "a.py"], cwd=tmp_path, check=True)
    assert (tmp_path / "a.py").read_bytes() == b"x = 1\n"
