"""The SLURM profile on a real SLURM: one node with two GPUs that it only counts (tests/helpers/slurm_one_node.sh)."""

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
import torch
import yaml
from filelock import FileLock

from helpers.project import ROOT

# One SLURM per machine: one process of pytest-xdist runs all of these.
pytestmark = [pytest.mark.nightly, pytest.mark.slurm, pytest.mark.xdist_group("slurm")]

NODE = ROOT / "tests/helpers/slurm_one_node.sh"
PROFILE = "profiles/slurm"
TRAINED = "results/pretrain/digits/vi_simsiam/seed0"


@pytest.fixture(scope="module")
def plugin(tmp_path_factory) -> dict[str, str]:
    """Environment in which Snakemake finds the executor plugin, which the locks leave out: it slows down every call."""
    if importlib.util.find_spec("snakemake_executor_plugin_slurm"):
        return {}
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["slurm"]
    folder = tmp_path_factory.mktemp("plugin")
    # --no-deps: all that these two need, Snakemake needs too
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), *extra]
    done = subprocess.run(install, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"{' '.join(extra)} cannot be installed here: {done.stderr.strip().splitlines()[-1]}")
    return {"PYTHONPATH": str(folder)}


@pytest.fixture(scope="module")
def slurm(tmp_path_factory, plugin):
    """A SLURM of one node, ended with its jobs when the tests are done. Yields: what the environment needs for it."""
    if os.geteuid() != 0:
        pytest.skip("only root can start the daemons of SLURM")
    if not (shutil.which("slurmctld") and shutil.which("munged")):
        pytest.skip("SLURM is not installed: sh tests/helpers/slurm_one_node.sh install")
    with FileLock("/run/lock/vi-simsiam-slurm.lock"):  # of any checkout on this machine
        if Path("/etc/slurm/slurm.conf").exists():
            pytest.skip("this machine already has a SLURM (/etc/slurm/slurm.conf)")
        folder = tmp_path_factory.mktemp("slurm")
        try:
            subprocess.run(["sh", NODE, "up", folder], check=True)
            yield plugin
        finally:
            if Path("/etc/slurm/slurm.conf").exists():
                subprocess.run(["scancel", "--user", "root"], check=False)
                subprocess.run(["sh", NODE, "down", folder], check=True)


@pytest.fixture
def cluster(repo, slurm):
    """The finished tiny run, with this site's settings in the profile."""
    repo.env |= slurm
    repo.forked = False  # the executor is on this environment's path alone
    settings = repo.read(f"{PROFILE}/config.yaml")
    # The tiny jobs end in seconds, so look soon: after 5 s, then 15 s. A failing job fails at once.
    settings |= {"slurm-init-seconds-before-status-checks": 5, "retries": 0, "latency-wait": 5}
    (repo.path / PROFILE / "config.yaml").write_text(yaml.safe_dump(settings))
    return repo


def jobs(repo) -> list[dict[str, str]]:
    """The jobs of this project by SLURM, queued, running or ended, in order."""
    shown = subprocess.run(["scontrol", "show", "job", "--oneliner"], capture_output=True, text=True, check=True).stdout
    table = [dict(field.split("=", 1) for field in line.split() if "=" in field) for line in shown.splitlines()]
    return [job for job in table if job.get("WorkDir") == str(repo.path)]


def seen_gpus(job) -> set[str]:
    """The values of CUDA_VISIBLE_DEVICES that the job's tasks were started with."""
    return set(re.findall(r"^CUDA_VISIBLE_DEVICES=(.*)$", Path(job["StdOut"]).read_text(), re.MULTILINE))


def wait(condition, what: str, process: subprocess.Popen | None = None, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None, f"the run ended before {what}"
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.1)


@contextlib.contextmanager
def held_back():
    """Jobs submitted in here wait in the queue; they start afterwards."""
    node = subprocess.run(["sinfo", "-hN", "-o", "%N"], capture_output=True, text=True, check=True).stdout.strip()
    subprocess.run(["scontrol", "update", f"node={node}", "state=drain", "reason=test"], check=True)
    try:
        yield
    finally:
        subprocess.run(["scontrol", "update", f"node={node}", "state=resume"], check=True)


def start(repo, target: str) -> subprocess.Popen:
    """Snakemake on the cluster, in the background."""
    command = ["snakemake", "--profile", PROFILE, "--", target]
    interruptible = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731
    return subprocess.Popen(
        command,
        cwd=repo.path,
        env=repo.env,
        start_new_session=True,
        preexec_fn=interruptible,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_results_are_those_of_the_local_run(cluster):
    """`dvc repro` with the profile: lost results come back through SLURM, on GPUs, side by side, to the byte."""
    local = {}
    for folder in [
        *cluster.path.glob("results/pretrain/*/*/*"),
        cluster.path / "results/probe/digits/vi_simsiam/seed0",
    ]:
        local |= {file: file.read_bytes() for file in folder.glob("*") if file.name != "run.json"}
        shutil.rmtree(folder)
    cluster.ran()
    cluster.repro(SNAKEMAKE_PROFILE=PROFILE)
    assert cluster.ran() == {"pretrain": 2, "probe": 1}
    done = jobs(cluster)
    assert sorted(re.match("rule_([a-z]+)_wildcards", job["Comment"])[1] for job in done) == [
        "pretrain",
        "pretrain",
        "probe",
    ]
    assert {job["JobState"] for job in done} == {"COMPLETED"}
    assert {job["TresPerJob"] for job in done} == {"gres:gpu:1"}
    assert [job["MinMemoryNode"] for job in done] == ["8000M"] * 3
    assert [job["TimeLimit"] for job in done] == ["1-00:00:00", "1-00:00:00", "02:00:00"]
    first, second = done[:2]  # the trainings: at the same time, on different GPUs
    assert max(first["StartTime"], second["StartTime"]) < min(first["EndTime"], second["EndTime"])
    assert sorted(map(seen_gpus, (first, second)), key=str) == [{"0"}, {"1"}]
    if not torch.cuda.is_available():
        assert len(local) == 2 * 5 + 5  # five of each model; classifier, features, losses, k-NN
        for file, content in local.items():
            assert file.read_bytes() == content, f"{file} is not what the local run made"
    cluster.agree()


def test_cancelled_then_resumed_while_params_are_edited(cluster):
    """Ctrl-C ends the jobs; a job that waits in the queue trains with the parameters it was planned with."""
    cluster.set("recipes.digits.pretrain.epochs", 150)
    run = start(cluster, f"{TRAINED}/run.json")
    wait(lambda: any(file.is_file() for file in cluster.path.glob("scratch/**/[!.]*")), "a checkpoint", run)
    os.killpg(run.pid, signal.SIGINT)
    run.communicate(timeout=60)
    assert len(jobs(cluster)) == 1
    wait(lambda: jobs(cluster)[0]["JobState"] == "CANCELLED", "the job's end")
    assert cluster.read(f"{TRAINED}/run.json")["params"]["epochs"] != 150, "the earlier result is replaced"

    with held_back():
        run = start(cluster, f"{TRAINED}/run.json")
        wait(lambda: jobs(cluster)[-1]["JobState"] == "PENDING", "a queued job", run)
        cluster.set("recipes.digits.pretrain.epochs", 3)
    said, _ = run.communicate(timeout=240)
    assert run.returncode == 0, said
    assert len(jobs(cluster)) == 2
    assert cluster.read(f"{TRAINED}/run.json")["params"]["epochs"] == 150
    assert len((cluster.path / TRAINED / "history.csv").read_text().splitlines()) == 151
    assert "resumed after epoch" in (cluster.path / "logs/pretrain/digits/vi_simsiam/seed0.log").read_text()
    # and what is in params.yaml now is not taken for done
    planned = cluster.snakemake("-n", "--", f"{TRAINED}/run.json")
    assert re.search(r"^pretrain +1$", planned, re.MULTILINE), planned


def test_failing_job_shows_its_log_and_leaves_the_earlier_result(cluster):
    folder = cluster.path / "results/uncertainty/digits/vi_simsiam/seed0"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (cluster.path / "src/uncertainty.py").write_text('raise SystemExit("error: out of order")\n')
    run = start(cluster, f"{folder.relative_to(cluster.path)}/metrics.json")
    said, _ = run.communicate(timeout=240)
    assert run.returncode == 1
    assert "error: out of order" in said, said
    (job,) = jobs(cluster)
    assert job["JobState"] == "FAILED" and job["TresPerJob"] == "gres:gpu:1"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
