"""The descriptions of the pipeline agree with each other and with the code, and bad input stops before any job."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import jobs
import pipeline
import step as command
from helpers.project import ROOT, copy_project
from vi_simsiam.config import loading
from vi_simsiam.core import processes
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import write_json
from vi_simsiam.evaluation import scores
from vi_simsiam.report import claim_rows
from vi_simsiam.report.claim_rows import Claim

STAGES = pipeline.stages()
PARAMS = loading.load(ROOT / "params.yaml")


def test_one_name_per_step():
    assert tuple(STAGES) == loading.STEPS
    for step in STAGES:
        assert (ROOT / f"src/{step}.py").is_file()
        assert (ROOT / f"workflow/rules/{step}.smk").is_file()
        assert pipeline.outputs(step).name == step


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


def test_same_graph(unrun):
    snakemake = edges(unrun("snakemake", "--rulegraph", "dot", "--forceall"))
    assert len(snakemake) >= 5
    assert snakemake == edges(unrun("dvc", "dag", "--dot"))


# Targets that no rule may make, each wrong in one wildcard.
NO_RESULTS = [
    "results/pretrain/digits/simclear/seed0/run.json",
    "results/pretrain/digits/base/seed0/run.json",  # a module of methods, and no method
    "results/probe/digits/vi_simsiam/seed07/run.json",
    "results/probe/digits/vi_simsiam/seed-1/run.json",
    "results/pretrain/digts/vi_simsiam/seed0/run.json",
    "data/download/digts/run.json",
    "data/cache_views/digits/vi_simsiam/run.json",
]
RESULT = "results/probe/digits/vi_simsiam/seed7/run.json"
# Prints what Snakemake has read from the Snakefile.
LOOK = f"""
include: "Snakefile"
import json
print("FACTS", json.dumps({{
    "made": [name for name in {[*NO_RESULTS, RESULT]} if any(rule.is_producer(name) for rule in workflow.rules)],
    "outputs": {{rule.name: list(map(str, rule.output)) for rule in workflow.rules}},
    "targets": {{rule.name: list(map(str, rule.input)) for rule in workflow.rules if rule.name.startswith("step_")}},
}}))
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """One dry run of a sweep that compares digits with another data set: its facts (see LOOK) and its text."""
    repo = copy_project(tmp_path_factory.mktemp("seen") / "project")
    (repo.path / "look.smk").write_text(LOOK)
    compared = "recipes={digits: {uncertainty: {ood: [digits_b]}}}"
    said = repo.snakemake("-s", "look.smk", "-n", "-p", "--config", compared, "--", "all")
    return json.loads(re.search(r"^FACTS (.*)$", said, re.MULTILINE)[1]), said


def test_outputs_lie_in_their_stage_folder(seen):
    for step in STAGES:
        outputs = seen[0]["outputs"][step]
        assert outputs and all(Path(file).is_relative_to(pipeline.outputs(step)) for file in outputs), outputs


def test_targets_that_are_no_results_are_made_by_no_rule(seen):
    assert seen[0]["made"] == [RESULT]


def test_data_sets_to_compare_with_are_downloaded_and_stored_by_their_own_stages(seen):
    """Nothing is trained on them, and the list that names them is a parameter of the stages that DVC must then run."""
    facts, said = seen
    planned = dict(re.findall(r"^(\w+) +(\d+)$", said, re.MULTILINE))
    expected = {"download": 2, "cache_views": 2, "pretrain": 2, "probe": 2, "uncertainty": 2, "plot": 1}
    assert {step: int(planned[step]) for step in STAGES} == expected
    for step in STAGES:
        asked = any("digits_b" in file for file in facts["targets"][f"step_{step}"])
        assert asked == (step in ("download", "cache_views"))
        assert not asked or {"uncertainty.ood", "recipes"} <= set(STAGES[step]["params"])
    assert "--ood data/cache_views/digits_b --out" in said


def test_lint(unrun):
    """`snakemake --lint`, but for software environments: there is one for all rules, requirements.lock."""
    found = re.findall(r"^ +\* (.*)$", unrun("snakemake", "--lint", ok=False), re.MULTILINE)
    assert set(found) == {"Specify a conda environment or container for each rule.:"}


# --- bad input: one clear sentence, before anything runs (faults of parameters: tests/config) -----------------


def refused(repo, *command):
    said = repo(*command, ok=False)
    assert not (repo.path / "logs").exists() and repo.ran() == {}, "a job ran"
    assert "Traceback" not in said, said
    return said


def test_a_bad_parameter_stops_either_engine(blank):
    blank.set("recipes.digits.pretrain.epochs", 0)
    for engine in (["snakemake", "--cores", "1"], ["dvc", "repro"]):
        said = refused(blank, *engine)
        assert "params.yaml" in said and "recipes.digits.pretrain.epochs = 0" in said


def test_config_on_the_command_line_and_in_files(unrun, tmp_path):
    """Both together, with a text, a name and numbers that Snakemake would change when it reads them."""
    photos = tmp_path / "photos #1"
    (photos / "a").mkdir(parents=True)
    Image.new("L", (8, 8)).save(photos / "a/1.png")
    more = tmp_path / "more.yaml"
    more.write_text(f"recipes: {json.dumps({'2024': {'like': 'digits', 'download': {'path': str(photos)}}})}\n")
    options = ["datasets=['2024']", "seeds=[0,7]", "probe={C: 0.25}"]
    planned = unrun.snakemake("-n", "-p", "--configfile", str(more), "--config", *options)
    for words in ("--dataset 2024", "2024/vi_simsiam/seed7", '"C": 0.25', json.dumps(str(photos))):
        assert words in planned
    said = refused(unrun, "snakemake", "--cores", "1", "--config", "datasets=[fashion]")
    assert "--config" in said and "= 'fashion'" in said


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
    folders = [blank.path, *(path for path in blank.path.rglob("*") if path.is_dir())]
    try:
        for folder in folders:
            folder.chmod(0o555)
        assert "This was a dry-run" in blank(*without_rights(["snakemake", "--cores", "1", "-n"]))
        assert everything(blank.path) == before
        said = blank(*without_rights(["snakemake", "--cores", "1"]), ok=False)
        assert "cannot be written" in said and "Traceback" not in said
    finally:
        for folder in folders:
            folder.chmod(0o755)


def test_files_of_snakemake_that_belong_to_another_user(quick):
    files = [path for path in (quick.path / ".snakemake").rglob("*") if path.is_file()]
    for path in files:
        path.chmod(0o444)
    said = quick(*without_rights(["snakemake", "--cores", "1"]), ok=False)
    assert f"error: {quick.path}/.snakemake/run.lock cannot be written: Permission denied." in said
    assert "Traceback" not in said
    quick(*without_rights(["snakemake", "--report", "report.html"]))
    assert not (quick.path / ".snakemake/captions").exists()


def test_another_folder_for_the_results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Problem, match="without --directory") as caught:
        pipeline.begin(None)
    assert str(ROOT) in str(caught.value)


def test_braces_in_the_path(monkeypatch):
    """DVC fails on them with a message that says nothing."""
    monkeypatch.setattr(pipeline, "ROOT", Path("/a {braces}"))
    monkeypatch.setattr(sys, "argv", ["step.py", "plot"])
    with pytest.raises(Problem, match="DVC cannot work in"):
        command.main()


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("params.yaml", "  quantiles: ", "  quantiles: 1", "plot in params.yaml"),
        ("params.yaml", "  C: 1.0", "  C: 0.1", None),  # of another step
        ("src/vi_simsiam/report/tables.py", "import numpy", "import  numpy", "src/vi_simsiam/report/tables.py"),
        ("src/vi_simsiam/nn/sphere.py", "import torch", "import torch  # edited", None),  # not imported by the step
    ],
)
def test_what_is_edited_while_a_stage_runs_is_not_recorded_by_dvc(file, old, new, said, tmp_path, monkeypatch):
    """DVC looks at parameters and sources when the command has ended."""
    copy_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pipeline, "SRC", tmp_path / "src")
    monkeypatch.setattr(sys, "argv", ["step.py", "plot"])
    made = {"step": "plot", "params": {}, "outputs": {}, "inputs": {}, "code": {"vi_simsiam/report/tables.py": ""}}
    write_json("results/plot/run.json", made)

    def run(arguments):
        text = Path(file).read_text(encoding="utf-8")
        assert old in text
        Path(file).write_text(text.replace(old, new, 1), encoding="utf-8")
        sys.exit(0)

    monkeypatch.setattr("snakemake.cli.main", run)
    monkeypatch.setattr(processes, "end_with_parent", lambda: None)
    with contextlib.nullcontext() if said is None else pytest.raises(Problem, match=f"^{said} changed while step plot"):
        command.main()


def test_missing_environment_is_a_sentence(unrun):
    done = subprocess.run(
        [sys.executable, "-I", "-S", unrun.path / "workflow/step.py", "probe"], capture_output=True, text=True
    )
    assert done.returncode == 1 and "has no snakemake" in done.stderr


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("recipes={digits: {pretrain: {backbone: {weights: w.pth}}}}", "digits: pretrain.backbone.weights = w.pth"),
        ("recipes={digits: {uncertainty: {soft_labels: no.npy}}}", "soft_labels = no.npy"),
        ("recipes={digits: {download: {path: no_folder}}}", "download.path = no_folder"),
    ],
)
def test_files_that_parameters_name_and_that_do_not_exist(option, said, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(Problem) as caught:
        pipeline.planned(options=[option])
    assert said in str(caught.value)


def test_faults_of_the_tables_of_claims_and_scores_end_a_run_before_it_begins(monkeypatch):
    monkeypatch.chdir(ROOT)
    pipeline.planned()
    with monkeypatch.context() as patch, pytest.raises(Problem, match=r"'accurate' .*'r_auroq' \(did you mean r_auroc"):
        patch.setattr(claim_rows, "OUTCOMES", ((Claim("accurate", "probability", 0.5), "r_auroq/kappa"),))
        pipeline.planned()
    with monkeypatch.context() as patch, pytest.raises(Problem, match=r"'target_cosine' is a text, not a tuple"):
        patch.setattr(scores, "stated", lambda method: "target_cosine")
        pipeline.planned()
    with (
        monkeypatch.context() as patch,
        pytest.raises(Problem, match=r"'vi_simsam' is no method \(did you mean vi_sims"),
    ):
        patch.setattr(scores, "_ROWS", (*scores._ROWS, scores.Score("new", "a toy", "[0, 1]", method="vi_simsam")))
        pipeline.planned()


def test_a_reader_that_goes_away_does_not_end_a_run(blank):
    run = "snakemake --cores 2 -- step_download 2>&1 | head -1"
    blank("bash", "-o", "pipefail", "-c", run, PYTHONIOENCODING="ascii")
    assert blank.ran() == {"download": 1}


def test_force_of_dvc_is_recognised():
    for words in (["-f"], ["--force"], ["-sf"], ["-s", "-f", "download"]):
        assert command.forced([["bash"], ["python", "/bin/dvc", "repro", *words]]), words
    assert not command.forced([["python", "/bin/dvc", "repro", "-s", "download"], ["rm", "-f"], ["make", "--force"]])


@pytest.mark.slow
def test_what_dvc_is_told_to_force_is_forced(blank):
    blank.forked = False  # the step looks for `dvc` among its parents
    for arguments, expected in (([], {"download": 1}), ([], {}), (["-f"], {"download": 1})):
        blank.repro("-s", *arguments, "download")
        assert blank.ran() == expected, arguments
