"""Snakemake and DVC must agree on what is done, and redo exactly what a change affects."""

import json
import os
import re
import shutil
import signal
import subprocess

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file

import pipeline
from helpers.fault_matrix import Started, living
from helpers.living import wait_for
from helpers.project import ROOT

pytestmark = pytest.mark.slow


def run(repo, engine):
    (repo.repro if engine == "dvc" else repo.snakemake)()


def test_fresh_clone_needs_nothing_after_dvc_pull(finished, tmp_path):
    subprocess.run(["git", "clone", "-q", finished.path, tmp_path / "clone"], check=True)
    clone = type(finished)(tmp_path / "clone")
    clone("dvc", "pull", "-q")
    clone.ran()
    clone.agree()
    clone.snakemake()
    clone.repro()
    assert clone.ran() == {}


@pytest.mark.parametrize("step", pipeline.stages())
def test_code_of_a_job_is_what_it_imports(finished, step):
    """The imports of the finished run, as Python printed them to the logs."""
    for log in finished.path.glob(f"logs/{step}*"):
        for file in [log] if log.is_file() else log.rglob("*.log"):
            job = file.relative_to(finished.path / "logs").with_suffix("")  # step, data set, method, seed
            modules = set(re.findall(r"^import time:.*\| +(vi_simsiam\S*)$", file.read_text(), re.MULTILINE))
            # Modules that check parameters: the job's parameters and weights are compared themselves.
            modules -= {f"vi_simsiam.config.{name}" for name in ("schema", "encoders")}
            paths = [ROOT / "src" / name.replace(".", "/") for name in modules]
            files = [path / "__init__.py" if path.is_dir() else path.with_suffix(".py") for path in paths]
            assert len(files) > 3, f"{file} does not hold the imports"
            top = "data" if step in ("download", "cache_views") else "results"
            code = {name for name in finished.read(f"{top}/{job}/run.json")["code"] if name.endswith(".py")}
            assert {f"{step}.py", *(file.relative_to(ROOT / "src").as_posix() for file in files)} <= code
            methods = {name for name in code if name.startswith("vi_simsiam/methods/")}
            if step == "pretrain":
                assert methods.isdisjoint({"vi_simsiam/methods/vae.py", "vi_simsiam/methods/dino.py"})
                assert "vi_simsiam/evaluation/scores.py" not in code


# A change of one entry of params.yaml, and the jobs of the tiny run that it affects.
CHANGES = [
    ("probe.C", 2.0, {"probe": 2, "uncertainty": 2, "plot": 1}),
    ("pretrain.lr", 0.1, {"pretrain": 1, "probe": 1, "uncertainty": 1, "plot": 1}),  # not of `untrained`
    ("seeds", [0, 1], {"pretrain": 2, "probe": 2, "uncertainty": 2, "plot": 1}),
    ("methods", ["vi_simsiam"], {"plot": 1}),
    ("uncertainty.bootstrap", 120, {"uncertainty": 2, "plot": 1}),
    ("plot.quantiles", 3, {"plot": 1}),
    ("recipes.digits.uncertainty", {"bootstrap": 120}, {"uncertainty": 2, "plot": 1}),
    ("pretrain.vae.sigma", 0.2, {}),  # a method that is not run
    ("recipes.digits_b.pretrain.epochs", 3, {}),  # a data set that is not run
]


def test_a_change_of_a_parameter_plans_only_the_affected(repo):
    params = repo.read("params.yaml")
    for key, value, expected in CHANGES:
        repo.set(key, value)
        assert repo.planned() == expected, key
        repo.write_params(params)
    for key, value, _ in CHANGES:
        repo.set(key, value)
    status = repo("dvc", "status")  # DVC looks at whole sections
    for section in {key.split(".")[0] for key, _, expected in CHANGES if expected}:
        assert re.search(rf"^\s+(modified|new): +{section}$", status, re.MULTILINE), status


def test_changes_are_made_by_the_one_engine_and_seen_by_the_other(quick):
    """A chain in one copy: each run makes what is planned, and leaves nothing to the other engine."""
    changes = {key: (value, expected) for key, value, expected in CHANGES}
    for first, key in (("snakemake", "pretrain.lr"), ("dvc", "pretrain.vae.sigma"), ("dvc", "probe.C")):
        value, expected = changes[key]
        quick.set(key, value)
        run(quick, first)
        assert quick.ran() == expected, key
        run(quick, "dvc" if first == "snakemake" else "snakemake")
        assert quick.ran() == {}, key
    quick.agree()


def test_another_data_set_to_compare_with_and_soft_labels(repo, quick):
    """The other data set is stored, nothing is trained on it; other labels are seen, by the jobs that use them."""
    labels = np.load(repo.path / "data/cache_views/digits/labels_test.npy")
    people = 1 + 9 * np.eye(10)[labels] + np.arange(len(labels))[:, None]
    for copy in (repo, quick):
        np.save(copy.path / "people.npy", people)
        copy.set("recipes.digits.uncertainty", {"ood": ["digits_b"], "soft_labels": "people.npy"})
    folder = "results/uncertainty/digits/vi_simsiam/seed0"
    repo.snakemake("--", f"{folder}/metrics.json")
    assert repo.ran() == {"download": 1, "cache_views": 1, "uncertainty": 1}
    measures = repo.read(f"{folder}/metrics.json")
    # digits_b holds the same images: nothing tells the two apart
    assert measures["ood_auroc_digits_b/kappa"]["estimate"] == pytest.approx(0.5, abs=0.01)
    assert measures["ood_auroc_digits_b/kappa"]["n"] == 96
    assert {"spearman_label_entropy/kappa", "r_auroc/kappa", "spearman_blur/kappa"} <= set(measures)
    graded = pd.read_parquet(repo.path / folder / "graded.parquet")
    steps = graded[["augmentation", "strength"]].drop_duplicates().to_numpy().tolist()
    assert steps == [["blur", 0], ["blur", 1], ["occlusion", 0], ["occlusion", 0.5]]
    assert len(pd.read_parquet(repo.path / folder / "ood.parquet")) == 48
    quick.repro()
    assert quick.ran() == {"download": 1, "cache_views": 1, "uncertainty": 2, "plot": 1}
    quick.agree()
    np.save(quick.path / "people.npy", people[:, ::-1])
    quick.snakemake()
    assert quick.ran() == {"uncertainty": 2, "plot": 1}


def test_trainings_that_begin_with_weights(repo, quick):
    """Other contents of their file are seen, by the jobs that begin with it."""
    trained = "results/pretrain/digits/untrained/seed0/model.safetensors"
    tensors = load_file(repo.path / trained)
    weights = {name.removeprefix("backbone."): tensor for name, tensor in tensors.items()}
    for copy in (repo, quick):
        weights["bn1.bias"] += 0.5
        save_file(weights, copy.path / "w.safetensors")
        copy.set("recipes.digits.pretrain.backbone.weights", "w.safetensors")
    quick.repro()
    steps = {"pretrain": 2, "probe": 2, "uncertainty": 2, "plot": 1}
    assert quick.ran() == steps
    quick.agree()
    weights["bn1.bias"] -= 0.5
    save_file(weights, quick.path / "w.safetensors")
    quick.snakemake()
    assert quick.ran() == steps
    repo.snakemake("--", trained)
    again = load_file(repo.path / trained)
    assert all((again[f"backbone.{name}"] == tensor).all() for name, tensor in weights.items())


def test_a_changed_training_reruns_those_that_begin_with_it_in_the_same_run(repo):
    trained, wanted = (f"results/pretrain/{name}/vi_simsiam/seed0" for name in ("digits", "twin"))
    twin = {"like": "digits", "pretrain": {"epochs": 1, "backbone": {"weights": trained}}}
    repo.set("recipes.twin", twin)
    repo.set("datasets", ["digits", "twin"])
    repo.snakemake("--", f"{wanted}/run.json")
    repo.ran()
    repo.set("recipes.digits.pretrain.epochs", 3)
    repo.snakemake("--", f"{wanted}/run.json")
    assert repo.ran() == {"pretrain": 2}
    said = repo.snakemake("-n", "--", f"{wanted}/run.json")
    assert "Nothing to be done" in said, said


def test_a_change_of_code_plans_only_the_affected(repo):
    """Also code that is older than the results: `git pull` brings it, and `dvc pull` dates the results after it."""
    for file, expected in {
        "src/pretrain.py": {"pretrain": 2, "probe": 2, "uncertainty": 2, "plot": 1},
        "src/vi_simsiam/methods/vi_simsiam.py": {"pretrain": 1, "probe": 1, "uncertainty": 1, "plot": 1},
        "src/vi_simsiam/methods/vae.py": {},
        "src/vi_simsiam/report/tables.py": {"plot": 1},
        "src/vi_simsiam/config/schema.py": {},  # what a job is given is compared itself
    }.items():
        text = (repo.path / file).read_text()
        repo.append(file, "\n# a comment\n")
        os.utime(repo.path / file, (0, 0))
        assert repo.planned() == expected, file
        (repo.path / file).write_text(text)


def test_a_change_of_code_that_changes_no_result(quick):
    quick.append("src/pretrain.py", "\n# a comment\n")
    quick.repro()
    assert quick.ran() == {"pretrain": 2}  # the same bytes come out: nothing downstream
    quick.agree()


@pytest.mark.nightly
@pytest.mark.parametrize(("engine", "end"), [("snakemake", signal.SIGTERM), ("dvc", signal.SIGKILL)])
def test_a_result_stays_until_the_new_one_is_whole(quick, engine, end):
    """A changed comment makes the training stale; its earlier model stays until the new training has ended."""
    folder = quick.path / "results/pretrain/digits/vi_simsiam/seed0"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    script = quick.path / "src/pretrain.py"
    text = script.read_text()
    wait = "    Path('written').touch(); __import__('time').sleep(60)\n"
    script.write_text(text.replace("    made.write(", f"{wait}    made.write("))
    command = {"snakemake": ["snakemake", "--cores", "2"], "dvc": ["dvc", "repro"]}[engine]
    begun = Started(quick, command)
    begun.wait_for((quick.path / "written").exists)
    os.killpg(begun.process.pid, end)
    begun.process.wait(60)
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
    script.write_text(text)
    quick.agree()  # the code is that of the result again, so nothing is to do
    quick.append("src/pretrain.py", "\n# a comment\n")
    run(quick, engine)
    assert quick.ran()["pretrain"] == 2
    assert not (folder / ".unfinished").exists()


def test_unfinished_files_of_an_ended_job_are_no_result(quick):
    """An unfinished download has gigabytes, which DVC would store and push."""
    for left in (
        "data/download/digits/.a.1-0123abcd.tmp.zip",
        "data/download/digits/.a.1-0123abcd.tmp",
        "data/download/cifar10/.cifar-10.tar.gz.part",  # of a data set that is no longer wanted
        "results/plot/.unfinished/claims.csv",
    ):
        (quick.path / left).parent.mkdir(exist_ok=True)
        (quick.path / left).write_text("half")
    quick.agree()


def test_switching_revisions(quick):
    quick.set("probe.C", 2.0)
    quick.snakemake()
    quick.repro()
    quick.commit("run 2")
    for revision in ("main~1", "main", "main~1"):
        quick("git", "checkout", "-q", revision)
        quick("dvc", "checkout", "-q")
        quick.agree()


def test_metrics_and_plots(repo, quick):
    assert "knn_top1" in repo("dvc", "metrics", "show", "--json")
    repo("dvc", "plots", "show", "-o", "page")  # of the default run; this one has a part of it
    page = (repo.path / "page/index.html").read_text()
    assert "Training loss" in page and "Quantiles of kappa" in page and "kappa_q50" in page
    quick.set("probe.k", 1)
    quick.repro()
    assert "knn_top1" in quick("dvc", "metrics", "diff")
    assert "probe.k" in quick("dvc", "params", "diff")


def test_report(repo):
    repo.snakemake("--report", "report.html")
    page = (repo.path / "report.html").read_text()
    assert "training_curves.svg" in page and "summary.csv" in page


def test_dates_do_not_hide_a_changed_input(quick):
    quick.set("pretrain.lr", 0.1)
    quick.repro("pretrain")
    assert quick.ran() == {"pretrain": 1}
    for path in (quick.path / "results/probe").rglob("*"):
        os.utime(path)  # what `dvc unprotect` or a partial checkout does
    quick.repro()
    assert quick.ran() == {"probe": 1, "uncertainty": 1, "plot": 1}
    quick.agree()


def test_results_of_methods_that_are_not_listed_stay(quick):
    quick.set("methods", ["untrained"])
    quick.set("pretrain.lr", 0.1)
    quick.repro()
    assert quick.ran() == {"plot": 1}
    quick.set("methods", ["untrained", "vi_simsiam"])
    quick.repro()
    assert quick.ran() == {"pretrain": 1, "probe": 1, "uncertainty": 1, "plot": 1}
    quick.agree()


def checkpoints(repo):
    return [path for path in (repo.path / "scratch").rglob("*") if path.is_file() and not path.name.startswith(".")]


@pytest.mark.parametrize("kill", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.nightly)])
def test_interrupted_training_resumes(repo, kill):
    repo.set("recipes.digits.pretrain.epochs", 150)
    begun = Started(repo, ["dvc", "repro", "pretrain"])
    begun.wait_for(lambda: checkpoints(repo))
    os.killpg(begun.process.pid, kill)
    begun.process.wait(60)
    assert wait_for(lambda: not living(begun.process.pid))
    assert "pretrain" not in repo.ran(), "the training had already finished"
    repo.repro("pretrain")
    assert repo.ran() == {"pretrain": 1}
    assert "resumed after epoch" in (repo.path / "logs/pretrain/digits/vi_simsiam/seed0.log").read_text()
    assert len((repo.path / "results/pretrain/digits/vi_simsiam/seed0/history.csv").read_text().splitlines()) == 151
    assert not checkpoints(repo)
    assert "Nothing to be done" in repo.snakemake("-n", "--", "step_pretrain")


def test_an_experiment_beside_the_workspace(quick):
    """In the workspace: the README's `dvc exp run`, which its test runs."""
    quick("dvc", "exp", "run", "-n", "e", "-S", "plot.quantiles=3", "--temp")
    quick.agree()  # the workspace itself was left alone
    assert quick.ran() == {}
    page = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    (freeing,) = re.findall("`(dvc gc .*?)`", page)  # for a full disk
    quick(*freeing.split(), "--force")
    quick("dvc", "exp", "apply", "e")
    assert quick.ran() == {"plot": 1}
    assert quick.read("params.yaml")["plot"]["quantiles"] == 3
    assert quick.read("results/plot/run.json")["params"]["quantiles"] == 3
    assert "e" in quick("dvc", "exp", "show", "--csv")
    quick.agree()


def test_an_experiment_that_adds_a_data_set_computes_only_its_jobs(quick):
    before = quick.read("results/pretrain/digits/vi_simsiam/seed0/run.json")
    quick("dvc", "exp", "run", "-n", "e", "-S", "datasets=[digits,digits_b]")
    assert quick.ran() == {"download": 1, "cache_views": 1, "pretrain": 2, "probe": 2, "uncertainty": 2, "plot": 1}
    assert quick.read("results/pretrain/digits/vi_simsiam/seed0/run.json") == before
    assert "digits_b" in quick("dvc", "metrics", "show")
    quick.agree()


def test_edit_of_params_while_jobs_wait(quick):
    """Jobs get the parameters with which the run was planned, also if params.yaml has others when they start."""
    planned = quick.read("params.yaml")
    planned["plot"]["quantiles"] = 3
    copy = quick.path / ".snakemake/planned.json"
    copy.write_text(json.dumps(planned))
    target = "results/plot/run.json"
    job = ["--mode", "remote", "--force", "--allowed-rules", "plot", "--nolock", "--", target]  # as a cluster's job
    quick.snakemake(*job, WORKFLOW_PARAMS=str(copy))
    assert quick.read(target)["params"]["quantiles"] == 3
    assert quick.read("params.yaml")["plot"]["quantiles"] == 2
    quick.snakemake(WORKFLOW_PARAMS=str(copy))  # not a job: another run, in the environment of a job
    assert quick.read(target)["params"]["quantiles"] == 2


def test_a_folder_of_images_that_changes_or_is_removed(blank, tmp_path):
    """A change inside the folder is seen; without the folder the copy serves, and without both nothing starts."""
    folder = tmp_path / "my images"
    for i in range(12):
        (folder / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (12, 12), (i, 20 * i, 0)).save(folder / "ab"[i % 2] / f"{i}.png")
    blank.set("recipes.mine", {"like": "digits", "download": {"path": str(folder)}})
    blank.set("recipes.mine.cache_views", {"train_images": None, "test_images": None})
    blank.set("datasets", ["mine"])
    blank.snakemake("step_cache_views")
    assert blank.ran() == {"download": 1, "cache_views": 1}
    assert "Nothing to be done" in blank.snakemake("-n", "step_cache_views")
    for file in folder.rglob("*.png"):
        os.utime(file)
    blank.snakemake("step_cache_views")
    assert blank.ran()["download"] == 1
    store = (blank.path / "data/cache_views/mine/images_train.npy").read_bytes()
    Image.new("RGB", (12, 12), (99, 99, 0)).save(folder / "a/new.png")
    said = blank.snakemake("step_cache_views")
    assert (
        f"{folder} has changed (names, sizes or dates of its images). Where the images differ, results of mine are"
        in said
    )
    assert blank.ran() == {"download": 1, "cache_views": 1}
    assert (blank.path / "data/cache_views/mine/images_train.npy").read_bytes() != store
    shutil.rmtree(folder)
    assert "Nothing to be done" in blank.snakemake("-n", "step_cache_views")
    shutil.rmtree(blank.path / "data/download/mine")
    said = blank.snakemake("step_cache_views", ok=False)
    assert f"error: download.path = {folder}: there is no such file or folder" in said and "Traceback" not in said


def test_results_of_other_images_are_not_replaced_without_a_word(blank, tmp_path):
    """Of either engine, where a recipe names another folder or a published source; a moved folder is the same."""
    for name, level in (("one", 50), ("two", 200)):
        for i in range(8):
            (tmp_path / name / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (12, 12), (level, i, 0)).save(tmp_path / name / "ab"[i % 2] / f"{i}.png")
    one, two = tmp_path / "one", tmp_path / "two"
    blank.set("recipes.mine", {"like": "digits", "download": {"path": str(one)}})
    blank.set("recipes.mine.cache_views", {"train_images": None, "test_images": None})
    blank.set("datasets", ["mine"])
    assert "replace those of" not in blank.snakemake("step_cache_views")
    blank.set("recipes.mine.download.path", str(two))
    said = blank.snakemake("step_cache_views")
    assert said.count(f"mine was {one} and is {two} now. Where the images differ, results of mine") == 1
    assert f"give {two} a recipe of its own name" in said
    levels = np.load(blank.path / "data/cache_views/mine/images_train.npy")[..., 0]
    assert set(levels.ravel().tolist()) == {200}
    shutil.move(two, tmp_path / "moved")
    blank.set("recipes.mine.download.path", str(tmp_path / "moved"))
    assert "replace those of" not in blank.snakemake("step_cache_views")
    blank.set("recipes.mine.download.path", str(one))
    blank.commit("back")
    assert f"mine was {tmp_path / 'moved'} and is {one} now" in blank.repro("download")
    blank.set("recipes.mine", {"like": "digits", "cache_views": {"train_images": 20, "test_images": 20}})
    assert f"mine was {one} and is digits now" in blank.snakemake("step_download")


def test_images_without_labels_beside_labelled_ones(repo, tmp_path):
    """A run on a folder of images without classes or splits, beside a labelled data set that is done already."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    draw = np.random.default_rng(0)
    for i in range(60):
        Image.fromarray(draw.integers(0, 256, (14, 18, 3), np.uint8)).save(folder / f"{i}.png")
    (folder / "broken.png").write_bytes(b"nothing")
    repo.set("recipes.mine", {"like": "digits", "download": {"path": str(folder)}})
    repo.set("recipes.mine.cache_views", {"train_images": None, "test_images": None, "left_out": 0.1})
    repo.set("recipes.mine.uncertainty", {"ood": ["digits"]})
    repo.set("datasets", ["mine", "digits"])
    repo.set("methods", ["vi_simsiam"])
    said = repo.snakemake()
    assert "mine has no labels: no accuracies. Its images by certainty: results/plot/ranking.csv" in said
    assert repo.ran() == {"download": 1, "cache_views": 1, "pretrain": 1, "probe": 1, "uncertainty": 1, "plot": 1}
    probe = repo.read("results/probe/mine/vi_simsiam/seed0/probe.json")
    held_out = probe["n_test"]
    assert probe["n_train"] + held_out == 60 and probe["n_train_labelled"] == probe["n_test_labelled"] == 0
    assert not {"knn_top1", "probe_top1"} & set(probe)
    measures = repo.read("results/uncertainty/mine/vi_simsiam/seed0/metrics.json")
    expected = {
        "spearman_crop_area/kappa",
        "spearman_blur/kappa",
        "spearman_view_agreement/kappa",
        "ood_auroc_digits/kappa",
    }
    assert expected | {"spearman_gradient_energy/kappa", "crop_below_whole/knn_density"} <= set(measures)
    assert not [name for name in measures if name.startswith(("auroc_", "aurc", "r_auroc", "crop_knn"))]
    ranking = pd.read_csv(repo.path / "results/plot/ranking.csv")
    mine = ranking[ranking["dataset"] == "mine"]
    assert mine["certainty"].is_monotonic_increasing and mine["class"].isna().all()
    for split, file in (("test", "images"), ("train", "train_images")):  # without labels both splits are ranked
        kappa = pd.read_parquet(repo.path / f"results/uncertainty/mine/vi_simsiam/seed0/{file}.parquet")["kappa"]
        assert mine.loc[mine["split"] == split, "index"].tolist() == kappa.argsort(kind="stable").tolist()
    assert set(mine["path"]) == {f"{i}.png" for i in range(60)} and len(mine) == 60
    summary = pd.read_csv(repo.path / "results/plot/summary.csv").set_index("dataset")
    assert np.isnan(summary.loc["mine", "knn_top1"]) and summary.loc["digits", "knn_top1"] > 0
