"""The descriptions of the pipeline agree with each other and with the code, and bad input stops before any job."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image

import pipeline
from helpers.project import ROOT, copy_project
from vi_simsiam.config import jobs, loading

STAGES = pipeline.stages()
PARAMS = loading.load(ROOT / "params.yaml")


def test_one_name_per_step():
    assert tuple(STAGES) == loading.STEPS
    for step in STAGES:
        assert (ROOT / f"src/{step}.py").is_file()
        assert (ROOT / f"workflow/rules/{step}.smk").is_file()
        assert pipeline.outputs(step).name == step


def test_snakefile_stays_short():
    assert len((ROOT / "Snakefile").read_text().splitlines()) <= 40


def test_every_parameter_is_declared_by_a_stage():
    declared = {key.split(".")[0] for stage in STAGES.values() for key in stage["params"]}
    assert declared == set(PARAMS)
    for step, stage in STAGES.items():
        assert step in stage["params"]
        assert ("recipes" in stage["params"]) == (step != "plot")
        assert {"datasets"} <= set(stage["params"])


def test_job_config_is_canonical_and_free_of_the_sweep():
    config = jobs.as_json("pretrain", PARAMS, "digits", "vae")
    other = dict(reversed(PARAMS.items())) | {"seeds": [7], "methods": ["vae"], "datasets": ["fashion_mnist"]}
    assert jobs.as_json("pretrain", other, "digits", "vae") == config
    assert json.loads(config)["vae"] == PARAMS["pretrain"]["vae"]
    assert "vi_simsiam" not in json.loads(config)


def edges(dot):
    label = dict(re.findall(r'(\d+)\[label = "(\w+)', dot))
    pairs = {(label.get(a, a), label.get(b, b)) for a, b in re.findall(r'"?(\w+)"? -> "?(\w+)"?', dot)}
    return {(a, b) for a, b in pairs if a in STAGES and b in STAGES}


def test_same_graph(blank):
    snakemake = edges(blank("snakemake", "--rulegraph", "dot", "--forceall"))
    assert len(snakemake) >= 5
    assert snakemake == edges(blank("dvc", "dag", "--dot"))


def test_outputs_lie_in_their_stage_folder(blank):
    lines = [line.split("\t") for line in blank("snakemake", "--summary").splitlines()]
    rows = [(fields[0], fields[2]) for fields in lines if len(fields) > 5 and fields[2] in STAGES]
    assert {rule for _, rule in rows} == set(STAGES)
    for file, rule in rows:
        folder = pipeline.outputs(rule)
        assert Path(file).is_relative_to(folder), f"{file} (rule {rule}) is outside {folder}"


def test_lint(blank):
    """`snakemake --lint`, but for software environments: there is one for all rules, requirements.lock."""
    found = re.findall(r"^ +\* (.*)$", blank("snakemake", "--lint", ok=False), re.MULTILINE)
    assert set(found) == {"Specify a conda environment or container for each rule.:"}


def test_data_sets_to_compare_with_are_downloaded_and_stored_by_their_own_stages(blank):
    """Nothing is trained on them, and what names them is a parameter of the stages that must then run in DVC."""
    blank.set("recipes.digits.uncertainty", {"ood": ["digits_b"]})
    planned = blank.snakemake("-n")
    for step, count in {
        "download": 2,
        "cache_views": 2,
        "pretrain": 2,
        "probe": 2,
        "uncertainty": 2,
        "plot": 1,
    }.items():
        assert re.search(rf"^{step} +{count}$", planned, re.MULTILINE), planned
    for step in ("download", "cache_views"):
        assert "digits_b" in blank.snakemake("-n", "--", f"step_{step}")
        assert {"uncertainty.ood", "recipes"} <= set(STAGES[step]["params"])
    assert "digits_b" not in blank.snakemake("-n", "--", "step_pretrain")
    shell = blank.snakemake("-n", "--printshellcmds", "--", "step_uncertainty")
    assert "--ood data/cache_views/digits_b --out" in shell


def test_stored_data_sets():
    params = json.loads(json.dumps(PARAMS)) | {"datasets": ["digits"]}
    assert jobs.all_datasets(params) == ["digits"]
    params["recipes"]["digits"]["uncertainty"] = {"ood": ["fashion_mnist"]}
    params["recipes"]["fashion_mnist"]["uncertainty"] = {"ood": ["digits"]}
    assert jobs.all_datasets(params) == ["digits", "fashion_mnist"]
    params["datasets"] = ["fashion_mnist"]
    assert jobs.all_datasets(params) == ["fashion_mnist", "digits"]


# --- bad input: one clear sentence, before anything runs --------------------------------------------------


def refused(blank, *command):
    said = blank(*command, ok=False)
    assert not (blank.path / "logs").exists() and blank.ran() == {}, "a job ran"
    assert "Traceback" not in said, said
    return said


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("probe.neighbours", 3, ["probe.neighbours", "unknown"]),
        ("pretrain.epochs", "ten", ["pretrain.epochs", "ten", "integer"]),
        ("pretrain.lr", -0.1, ["pretrain.lr", "-0.1", "greater than 0"]),
        ("recipes.digits.pretrain.epochs", 0, ["recipes.digits.pretrain.epochs", "0", "1"]),
        ("methods", ["simsiam", "simclear"], ["methods", "simclear", "vi_simsiam"]),
        ("datasets", ["imagenet"], ["datasets", "imagenet", "digits"]),
        ("seeds", [], ["seeds", "list"]),
    ],
)
def test_bad_parameter(blank, key, value, words):
    blank.set(key, value)
    for command in (["snakemake", "--cores", "1"], ["dvc", "repro"]):
        said = refused(blank, *command)
        assert all(word in said for word in ["params.yaml", *words]), said


def test_params_that_are_not_yaml(blank):
    blank.append("params.yaml", "\nseeds: [0, 1\n")
    for command in (["snakemake", "--cores", "1"], ["dvc", "repro"]):
        assert "params.yaml" in refused(blank, *command)


def test_config_on_the_command_line(blank):
    assert "digits_b" in blank("snakemake", "-n", "--config", "datasets=[digits_b]")
    planned = blank("snakemake", "-n", "--config", "seeds=[0,7]", "probe={C: 0.25}")  # numbers in lists and mappings
    assert "vi_simsiam/seed7" in planned and '"C": 0.25' in blank(
        "snakemake", "-n", "--printshellcmds", "--config", "probe={C: 0.25}"
    )
    said = refused(blank, "snakemake", "--cores", "1", "--config", "datasets=[fashion]")
    assert all(word in said for word in ["--config", "fashion", "digits, digits_b"]), said
    said = refused(blank, "snakemake", "--cores", "1", "--config", "epochs=3")
    assert "epochs" in said and "unknown" in said


def test_texts_in_quotes_mean_the_same_in_every_place(blank, tmp_path):
    """Of --configfile and --config too, whose values Snakemake reads in a way of its own."""
    for folder in ("photos #1", "photos"):
        (tmp_path / folder / "a").mkdir(parents=True)
        Image.new("L", (8, 8)).save(tmp_path / folder / "a" / f"{folder[-1]}.png")
    recipes = {"2024": {"like": "digits", "download": {"path": str(tmp_path / "photos #1")}}}
    text = f"datasets: ['2024']\nrecipes: {json.dumps(recipes)}\n"
    (blank.path / "more.yaml").write_text(text)
    options = ["datasets=['2024']", f"recipes={json.dumps(recipes)}"]
    for arguments in (["--configfile", "more.yaml"], ["--config", *options]):
        planned = blank("snakemake", "-n", "-p", *arguments, "--", "step_download")
        assert json.dumps(str(tmp_path / "photos #1")) in planned and "--dataset 2024" in planned
    said = refused(blank, "snakemake", "--cores", "1", "--config", "datasets=[on]")
    assert "datasets = on: " in said and "write true or 'on'" in said
    blank("snakemake", "--cores", "1", "--configfile", "more.yaml", "--", "step_download")
    done = blank.read("data/download/2024/run.json")
    assert done["dataset"] == "2024" and done["params"]["path"] == str(tmp_path / "photos #1")


def everything(folder):
    paths = [path for path in folder.rglob("*") if "__pycache__" not in path.parts and ".git" not in path.parts]
    return {path: path.stat().st_mtime_ns for path in paths}


def without_rights(command):
    """Root may write everywhere; this takes that away from a command."""
    if os.getuid() != 0:
        return command
    if shutil.which("setpriv") is None:
        pytest.skip("root without setpriv")
    rights = "-dac_override,-dac_read_search"
    return ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}", "--", *command]


def test_a_dry_run_writes_nothing_and_needs_no_right_to(blank):
    before = everything(blank.path)
    # Python's own cache of compiled modules would be new in each folder that it imports from.
    assert "This was a dry-run" in blank.snakemake("-n", PYTHONDONTWRITEBYTECODE="1")
    assert everything(blank.path) == before
    folders = [blank.path, *(path for path in blank.path.rglob("*") if path.is_dir())]
    try:
        for folder in folders:
            folder.chmod(0o555)
        assert "This was a dry-run" in blank(*without_rights(["snakemake", "--cores", "1", "-n"]))
        said = blank(*without_rights(["snakemake", "--cores", "1"]), ok=False)
        assert "cannot be written" in said and "Traceback" not in said
    finally:
        for folder in folders:
            folder.chmod(0o755)


def test_another_folder_for_the_results(blank, tmp_path):
    said = refused(blank, "snakemake", "--cores", "1", "--directory", str(tmp_path))
    assert "without --directory" in said and str(blank.path) in said


def test_braces_in_the_path(tmp_path):
    """DVC fails on them with a message that says nothing."""
    said = refused(copy_project(tmp_path / "{braces}"), "dvc", "repro")
    assert "DVC cannot work in" in said


def test_missing_environment_is_a_sentence(blank):
    done = subprocess.run(
        [sys.executable, "-I", "-S", blank.path / "workflow/step.py", "probe"], capture_output=True, text=True
    )
    assert done.returncode == 1 and "has no snakemake" in done.stderr


def test_params_of_the_tests_are_the_real_ones(blank):
    """The tiny run overlays params.yaml: no key of its own."""
    assert set(yaml.safe_load((blank.path / "params.yaml").read_text())) == set(PARAMS)


def test_weights_that_do_not_exist(blank):
    blank.set("recipes.digits.pretrain.backbone.weights", "w.pth")
    said = refused(blank, "snakemake", "--cores", "1")
    assert all(word in said for word in ["digits: pretrain.backbone.weights = w.pth does not exist", "checkpoint"]), (
        said
    )


def test_soft_labels_that_do_not_exist(blank):
    blank.set("recipes.digits.uncertainty", {"soft_labels": "data/people.npy"})
    said = refused(blank, "snakemake", "--cores", "1")
    assert all(word in said for word in ["soft_labels = data/people.npy", "digits", "does not exist", "null"]), said


@pytest.mark.parametrize(
    "target",
    [
        "results/pretrain/digits/simclear/seed0/run.json",
        "results/pretrain/digits/base/seed0/run.json",  # a module of methods, and no method
        "results/probe/digits/vi_simsiam/seed07/run.json",
        "results/probe/digits/vi_simsiam/seed-1/run.json",
        "results/pretrain/digts/vi_simsiam/seed0/run.json",
        "data/download/digts/run.json",
        "data/cache_views/digits/vi_simsiam/run.json",
    ],
)
def test_targets_that_are_no_results(blank, target):
    said = refused(blank, "snakemake", "--cores", "1", "--", target)
    assert f"No rule to produce {target}" in said or f"MissingRuleException:\n{target}" in said, said


def test_a_reader_that_goes_away_does_not_end_a_run(blank):
    run = "snakemake --cores 2 -- step_download 2>&1 | head -1"
    blank("bash", "-o", "pipefail", "-c", run, PYTHONIOENCODING="ascii")
    assert blank.ran() == {"download": 1}


def test_what_dvc_is_told_to_force_is_forced(blank):
    blank.repro("-s", "download")
    assert blank.ran() == {"download": 1}
    for arguments in (["-f"], ["--force"], ["-sf"]):
        blank.repro("-s", *arguments, "download")
        assert blank.ran() == {"download": 1}, arguments
    blank.repro("-s", "download")
    assert blank.ran() == {}
