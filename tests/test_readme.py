"""The README is executed, and its figures are those of the run whose results are in the repository."""

import csv
import re
import shutil
import sys
from pathlib import Path

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "workflow"))
import pipeline

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
# What the test of the README cannot do inside itself: install gigabytes again, and run the tests.
ELSEWHERE = {"python3 -m venv .venv", ".venv/bin/pip install -r requirements.lock"}


@pytest.fixture
def checkout(repo):
    """The finished tiny run with this environment as its .venv, so that `make` finds nothing to install."""
    for name in ("Makefile", "requirements.lock", "requirements-test.lock"):
        shutil.copy(ROOT / name, repo.path / name)
    venv = repo.path / ".venv"
    venv.mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (venv / name).symlink_to(Path(sys.prefix) / name)
    for stamp in ("run.stamp", "test.stamp"):
        (venv / stamp).touch()
    repo.commit("make")
    return repo


@pytest.mark.slow
def test_commands(checkout):
    """Every command of every block, in order, on the tiny parameters; downloads are only planned."""
    done = []
    for line in "".join(BLOCKS).splitlines():
        if line in ELSEWHERE:
            continue
        if line == "make test":
            assert "pytest" in checkout("make", "-n", "test")
            continue
        planned = " -n" if "fashion_mnist" in line else ""
        if planned:
            params = checkout.read("params.yaml")
            params["recipes"]["fashion_mnist"] = params["recipes"]["digits"]
            checkout.write_params(params)
        said = checkout("bash", "-ec", "source .venv/bin/activate\n" + line + planned)
        done.append(line)
        if line == "snakemake -n":  # after the change of probe.C
            jobs = dict(re.findall(r"^(\w+) +(\d+)$", said, re.MULTILINE))
            assert set(jobs) - {"all", "total"} == {"probe", "uncertainty", "plot"}
        if line == "dvc repro":
            assert checkout.ran() == {"probe": 2, "uncertainty": 2, "plot": 1}
            checkout.agree()
        if line == "dvc metrics show":
            assert "knn_top1" in said
    assert len(done) >= 10 and not ELSEWHERE - set("".join(BLOCKS).splitlines())


def test_summary_is_what_the_committed_run_printed(monkeypatch, capsys):
    monkeypatch.setattr(pipeline, "STARTED", 0)
    monkeypatch.chdir(ROOT)
    pipeline.print_summary()
    shown = re.search(r"<!-- summary -->\n```text\n(.*?)```", README, re.DOTALL).group(1)
    assert shown.strip() == capsys.readouterr().out.strip()


def test_results_table_is_that_of_the_committed_run():
    """Each cell `estimate [low, high]` of the table stands in measures.csv, for the method and measure it is under."""
    with open(ROOT / "results/plot/measures.csv", newline="") as file:
        rows = {(r["dataset"], r["method"], r["measure"]): r for r in csv.DictReader(file)}
    table = re.search(r"<!-- results -->\n(.*?)\n\n", README, re.DOTALL).group(1).splitlines()
    header = [cell.strip(" `") for cell in table[0].strip("|").split("|")]
    checked = 0
    for line in table[2:]:
        cells = [cell.strip(" `") for cell in line.strip("|").split("|")]
        for method, cell in zip(header[1:], cells[1:], strict=True):
            if cell == "-":
                assert ("digits", method, cells[0]) not in rows
                continue
            row = rows["digits", method, cells[0]]
            assert cell == "{:.3f} [{:.3f}, {:.3f}]".format(*(float(row[k]) for k in ("estimate", "ci_low", "ci_high")))
            checked += 1
    assert checked >= 12


def test_links_and_files_exist():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
    tree = re.search(r"## What is where\n\n```text\n(.*?)```", README, re.DOTALL).group(1)
    for line in tree.splitlines():
        for name in re.split(r",? +", line.split("  ")[0].strip()):
            path = name.replace("<step>", "probe")
            assert (ROOT / path).exists() or path == "data/", name


def test_documents_link_to_what_exists():
    for page in (ROOT / "docs").glob("*.md"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
