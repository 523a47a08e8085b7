"""docs/extending.md is carried out: toy methods with scores, a claim and a figure run through the whole pipeline."""

import json
import os
import re
import shutil
import subprocess
import sys

import pandas as pd
import pytest

from helpers.extending import carry_out
from helpers.pages import blocks
from helpers.project import ROOT

PAGE = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
METHOD = ["src/vi_simsiam/methods/simsiam_weighted.py", "src/vi_simsiam/config/schema.py", "params.yaml"]
SECOND = ["src/vi_simsiam/methods/simsiam_averaged.py"]
SCORE = ["src/vi_simsiam/evaluation/scores.py"]
CLAIM = ["src/vi_simsiam/report/claim_rows.py"]
FIGURE = ["src/vi_simsiam/report/figures/projection.py", "src/vi_simsiam/report/figures/registry.py"]
DATASET = ["src/vi_simsiam/data/published.py"]


@pytest.mark.slow
def test_the_toy_methods_run_and_are_in_the_tables(blank):
    tiny = blank.read("params.yaml")
    (blank.path / "params.yaml").write_text((ROOT / "params.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    assert carry_out(PAGE, blank.path) == [*METHOD, *SECOND, *SCORE, *CLAIM, *FIGURE, *DATASET]
    added = blank.read("params.yaml")
    assert added["recipes"]["kmnist"] == {"like": "fashion_mnist"}
    tiny["pretrain"]["simsiam_weighted"] = added["pretrain"]["simsiam_weighted"]
    blank.write_params(tiny | {"methods": ["simsiam", "simsiam_weighted", "simsiam_averaged"]})
    blank.snakemake()
    assert blank.ran() == {"download": 1, "cache_views": 1, "pretrain": 3, "probe": 3, "uncertainty": 3, "plot": 1}
    summary = pd.read_csv(blank.path / "results/plot/summary.csv").set_index("method")
    assert 0 <= summary.loc["simsiam_weighted", "knn_top1"] <= 1
    measures = pd.read_csv(blank.path / "results/plot/measures.csv").groupby(["method", "measure"])["estimate"].first()
    claims = pd.read_csv(blank.path / "results/plot/claims.csv").set_index(["claim", "method"])
    claim = claims.loc[("accuracy_rises_with_projection_norm", "simsiam_weighted")]
    assert claim["estimate"] == pytest.approx(measures["simsiam_weighted", "auroc_correct/projection_norm"], abs=1e-5)
    assert 0 <= measures["simsiam_averaged", "auroc_correct/target_cosine"] <= 1
    assert "projection norm" in (blank.path / "results/plot/gallery.html").read_text(encoding="utf-8")
    assert (blank.path / "results/plot/figures/projection.svg").stat().st_size > 5000
    history = {
        name: pd.read_csv(blank.path / f"results/pretrain/digits/{name}/seed0/history.csv")
        for name in ("simsiam", "simsiam_weighted")
    }
    # The same first batch and the same first weights: half the loss (a mean over the epoch's batches, so nearly).
    ratio = history["simsiam_weighted"]["loss"][0] / history["simsiam"]["loss"][0]
    assert ratio == pytest.approx(0.5, abs=0.1)
    record = json.loads((blank.path / "results/pretrain/digits/simsiam_weighted/seed0/run.json").read_text())
    assert record["params"]["simsiam_weighted"] == {"weight": 0.5}
    # Only the toy's jobs depend on its parameter.
    blank.set("pretrain.simsiam_weighted.weight", 0.25)
    planned = blank.snakemake("-n")
    assert "pretrain digits/simsiam_weighted/seed0" in planned and "pretrain digits/simsiam/seed0" not in planned


@pytest.mark.slow
def test_a_forgotten_place_is_named_at_the_start(blank):
    tiny = blank.read("params.yaml")
    (blank.path / "params.yaml").write_text((ROOT / "params.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    carry_out(PAGE, blank.path)
    blank.write_params(tiny | {"methods": ["simsiam_weighted"]})  # the section of params.yaml is forgotten
    said = blank.snakemake("-n", ok=False)
    assert "simsiam_weighted" in said and "params.yaml" in said and "Traceback" not in said
    tiny["pretrain"]["simsiam_weighted"] = {"weight": 0.5}
    blank.write_params(tiny | {"methods": ["simsiam_weighted"]})
    (blank.path / METHOD[0]).rename(blank.path / "forgotten.py")
    said = blank.snakemake("-n", ok=False)
    assert "methods/simsiam_weighted.py" in said and "Traceback" not in said
    (blank.path / "forgotten.py").rename(blank.path / METHOD[0])
    (blank.path / SCORE[0]).write_bytes((ROOT / SCORE[0]).read_bytes())
    said = blank.snakemake("-n", ok=False)
    assert "'projection_norm', which has no row" in said and "evaluation/scores.py" in said


@pytest.mark.nightly
def test_the_tiny_run_of_the_page_changes_no_recorded_file(blank):
    (blank.path / "params.yaml").write_text((ROOT / "params.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    carry_out(PAGE, blank.path)
    blank.commit("what the page adds")
    (command,) = blocks(PAGE, "sh")
    blank("bash", "-c", command)  # the tiny run of the page
    assert blank.ran() == {"download": 1, "cache_views": 1, "pretrain": 2, "probe": 2, "uncertainty": 2, "plot": 1}
    assert {path.name for path in (blank.path / "results/pretrain").iterdir()} == {"tiny"}
    assert not blank("git", "status", "--porcelain")


@pytest.mark.nightly
def test_the_tests_over_all_methods_have_those_of_the_page(blank):
    """They find the new methods by themselves, and a method with a second network passes them."""
    shutil.copytree(ROOT / "tests", blank.path / "tests")
    shutil.copytree(ROOT / "docs", blank.path / "docs", ignore=shutil.ignore_patterns("results"))
    (blank.path / "params.yaml").write_text((ROOT / "params.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    carry_out(PAGE, blank.path)
    rooms = [blank.path / "tests" / room for room in ("methods", "training", "evaluation", "models")]
    folders = [str(blank.path / folder) for folder in ("src", "workflow", "tests")]
    new = "simsiam_averaged or simsiam_weighted"
    options = ["-q", "-p", "no:cacheprovider", "-n", "0", "-m", "not gpu", "-k", new]
    found = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *rooms],
        cwd=blank.path, env=os.environ | {"PYTHONPATH": os.pathsep.join(folders)}, capture_output=True, text=True,
    )  # fmt: skip
    assert found.returncode == 0, found.stdout[-3000:]
    assert int(re.search(r"(\d+) passed", found.stdout)[1]) >= 30
