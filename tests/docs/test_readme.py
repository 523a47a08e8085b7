"""The README is executed, and its figures are those of the run whose results are in the repository."""

import csv
import re
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

import record
import tables
from helpers.project import ROOT
from vi_simsiam.config.schema import METHODS
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.record import RunRecord

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
# What the test of the README cannot do inside itself: install gigabytes again, and run the tests.
ELSEWHERE = {
    "python3 -m venv .venv",
    ".venv/bin/pip install -r requirements.lock",
    ".venv/bin/pip install --no-deps --editable .",
    "pip install --quiet --editable '.[lite]'",
}


def checked_out(repo):
    """Give a finished run this environment as its .venv, so that `make` finds nothing to install, and photos."""
    for name in ("Makefile", "requirements.lock", "requirements-test.lock"):
        shutil.copy(ROOT / name, repo.path / name)
    venv = repo.path / ".venv"
    venv.mkdir()
    for name in ("bin", "lib"):
        (venv / name).symlink_to(Path(sys.prefix) / name)
    lines = (Path(sys.prefix) / "pyvenv.cfg").read_text(encoding="utf-8").splitlines(keepends=True)
    # `make` refuses an environment that was made for another folder.
    (venv / "pyvenv.cfg").write_text(
        "".join(line for line in lines if not line.startswith("command")), encoding="utf-8"
    )
    for stamp in ("run.stamp", "test.stamp"):
        (venv / stamp).touch()
    (repo.path / "photos").mkdir()
    for i in range(3):
        Image.new("RGB", (30, 20), (80 * i, 0, 255)).save(repo.path / f"photos/{i}.png")
    repo.commit("make")
    return repo


@pytest.mark.slow
def test_commands(repo, quick):
    """Every command of every block, in order, on the tiny parameters.

    The run's jobs are stand-ins; a model is scored with, and curves are drawn, in a true run.
    """
    true, checkout = checked_out(repo), checked_out(quick)
    done = []
    for line in "".join(BLOCKS).splitlines():
        if line in ELSEWHERE:
            continue
        if line.startswith("dvc exp run"):
            checkout.ran()
        if line == "make test":
            assert "pytest" in checkout("make", "-n", "test")
            continue
        where = true if line.startswith("vi-simsiam") or line == "dvc plots show" else checkout
        said = where("bash", "-ec", "source .venv/bin/activate\n" + line)
        done.append(line)
        if line == "snakemake -n":  # after the change of probe.C
            jobs = dict(re.findall(r"^(\w+) +(\d+)$", said, re.MULTILINE))
            assert set(jobs) - {"all", "total"} == {"probe", "uncertainty", "plot"}
        if line == "dvc repro":
            assert checkout.ran() == {"probe": 2, "uncertainty": 2, "plot": 1}
            checkout.agree()
        if line == "dvc exp run -S probe.C=0.5":
            assert checkout.ran() == {"probe": 2, "uncertainty": 2, "plot": 1}
            assert checkout.read("params.yaml")["probe"]["C"] == 0.5
            assert checkout.read("results/probe/digits/vi_simsiam/seed0/run.json")["params"]["C"] == 0.5
            checkout.agree()
        if line == "dvc metrics show":
            assert "knn_top1" in said
        if line.startswith("vi-simsiam score"):
            assert "3 images scored" in said and (true.path / "extremes.png").exists()
        if line.startswith("vi-simsiam rank"):
            assert "3 images ranked" in said and (true.path / "ranked/gallery.html").exists()
    assert len(done) >= 10 and not ELSEWHERE - set("".join(BLOCKS).splitlines())


@pytest.mark.parametrize("page", tables.PAGES)
def test_tables_in_pages_are_those_of_the_recorded_runs(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert tables.filled(text) == text, "run `python docs/tables.py`"
    openings = re.findall(r"^<!-- (?!end)\w+ -->", text, re.MULTILINE)
    assert len(openings) == text.count("<!-- end -->") >= 1


def test_linked_tables_are_those_of_the_recorded_runs():
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("*.md"))
    for path, table in tables.files():
        with open(path, newline="", encoding="utf-8") as file:
            assert list(csv.reader(file)) == table, f"{path}: run `python docs/tables.py`"
        assert f"({path.relative_to(ROOT / 'docs')})" in pages, f"no page shows {path}"


def test_a_table_shows_the_files_numbers():
    """One row of a table against measures.csv by hand: the mean over seeds, which no rule of intervals changes."""
    with open(ROOT / "docs/results/digits/measures.csv", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["method"] == "vi_simsiam" and r["measure"] == "crop_knn_top1"]
    mean = sum(float(row["estimate"]) for row in rows) / len(rows)
    head, *lines = tables.by_method(ROOT / "docs/results/digits")
    cells = next(line for line in lines if line[0] == "crop_knn_top1")
    assert cells[head.index("vi_simsiam")].startswith(f"{mean:.3f} [")
    row = next(line for line in README.splitlines() if line.startswith("| `vi_simsiam` | 0."))
    assert f" {mean:.2f} [" in row


def test_only_a_whole_paper_run_is_recorded(tmp_path, monkeypatch):
    """`docs/record.py` copies tables and figures of the paper run, makes the picture, and refuses any other run."""
    plot = tmp_path / "plot"
    (plot / "figures").mkdir(parents=True)
    for name in (*record.TABLES, *(f"figures/{figure}" for figure in record.FIGURES)):
        shutil.copy(ROOT / "docs/results/digits" / Path(name).name, plot / name)
    Image.new("RGB", (1400, 2870)).save(plot / "figures/kappa_grids.png")
    for name, value in {"PLOT": plot, "RECORDED": tmp_path / "docs", "PICTURE": tmp_path / "certain.png"}.items():
        monkeypatch.setattr(record, name, value)
    monkeypatch.setattr(tables, "main", lambda: None)
    runs = [f"digits/{method}/seed{seed}" for method in METHODS[:6] for seed in range(5)]
    made = RunRecord("plot", {})
    made.write(plot, runs=sorted(runs[:-1]))
    with pytest.raises(Problem, match="29 runs, not the 30"):
        record.main()
    assert not (tmp_path / "docs").exists()
    made.write(plot, runs=sorted(runs))
    record.main()
    assert (tmp_path / "docs/claims.csv").read_bytes() == (plot / "claims.csv").read_bytes()
    with Image.open(tmp_path / "certain.png") as made, Image.open(ROOT / "docs/certain.png") as recorded:
        assert (made.size, made.mode) == (recorded.size, recorded.mode)


def test_links_and_files_exist():
    """A reader who begins with the README finds every page and file that is named."""
    seen, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        seen.add(page)
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            linked = (page.parent / target).resolve()
            assert linked.exists(), f"{page.name}: {target}"
            todo += [linked] * (linked.suffix == ".md" and linked not in {*seen, *todo})
    assert {page for page in (ROOT / "docs").glob("*.md")} <= seen
    tree = re.search(r"## What is where\n\n```text\n(.*?)```", README, re.DOTALL).group(1)
    for line in tree.splitlines():
        for name in re.split(r",? +", line.split("  ")[0].strip()):
            path = name.replace("<step>", "probe")
            assert (ROOT / path).exists() or path == "data/", name
