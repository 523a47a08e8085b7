"""Processes that torchrun or srun has started train together: two agents on this machine stand for two machines."""

import json
import os
import socket
import subprocess
import sys
import time

import pandas as pd
import psutil
import pytest
import torch
from safetensors import safe_open

from helpers.small import pretrain_params, training_command, views_of
from vi_simsiam.core import processes
from vi_simsiam.core.errors import Problem
from vi_simsiam.models import saved
from vi_simsiam.training import launch, trainer

NODES = {"nodes": 2, "batch_size": 48, "knn_every": 1}
OF_LAUNCHERS = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
TORCHRUN, SRUN = "TORCHELASTIC_RUN_ID", "SLURM_STEP_NUM_TASKS"
two_cores = pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="two processes need two cores")


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch):
    for name in (*OF_LAUNCHERS, TORCHRUN, SRUN):
        monkeypatch.setenv(name, "")  # so that what the code sets is taken away afterwards
        monkeypatch.delenv(name)


def test_a_shell_that_srun_has_started_is_no_training(monkeypatch):
    monkeypatch.setenv(SRUN, "4")
    for name in (processes.STARTED_BY, "SLURM_PTY_PORT"):  # a job of a run, and a command such as `vi-simsiam rank`
        with monkeypatch.context() as patch:
            patch.setenv(name, "1")
            assert launch.started() == 1


def in_one_process(store, checkpoint=None, **changes):
    params = pretrain_params("vi_simsiam", **changes)
    return trainer.pretrain("vi_simsiam", params, store, views_of(store), 0, checkpoint)


def agents(store, folder, **changes):
    """Two torchruns of a process each, as on two machines, and their logs."""
    script = [str(word) for word in training_command(store, folder, **changes)[1:]]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = []
    for node in range(2):
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1"]
        torchrun += [f"--node-rank={node}", "--master-addr=127.0.0.1", f"--master-port={port}"]
        with open(folder / f"log{node}", "w") as log:
            environment = os.environ | {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
            running.append(subprocess.Popen([*torchrun, *script], stdout=log, stderr=log, env=environment))
    return running, [folder / "log0", folder / "log1"]


@pytest.mark.slow
@two_cores
def test_two_nodes_train_as_two_processes_of_one(store, tmp_path):
    running, logs = agents(store, tmp_path, **NODES)
    assert [agent.wait(300) for agent in running] == [0, 0], [log.read_text() for log in logs]
    spoke = ["epoch" in log.read_text() for log in logs]
    assert spoke == [True, False], "the first process alone speaks"
    found, description = saved.load(tmp_path / "out")
    assert description["params"]["nodes"] == 2
    on_one = NODES | {"nodes": 1, "devices": 2}
    subprocess.run(training_command(store, tmp_path / "one", **on_one), check=True, capture_output=True)
    expected, _ = saved.load(tmp_path / "one/out")
    torch.testing.assert_close(found.state_dict(), expected.state_dict())
    tables = [pd.read_csv(folder / "out/history.csv") for folder in (tmp_path, tmp_path / "one")]
    pd.testing.assert_frame_equal(*tables)


@pytest.mark.nightly
@two_cores
def test_what_ends_one_node_ends_both_and_one_process_goes_on(store, tmp_path):
    running, logs = agents(store, tmp_path, **NODES | {"epochs": 400, "knn_every": 0})
    deadline = time.monotonic() + 240
    while not list(tmp_path.glob("scratch/*/[!.]*.safetensors")):
        assert all(agent.poll() is None for agent in running) and time.monotonic() < deadline, logs[0].read_text()
        time.sleep(0.05)
    trainings = [psutil.Process(agent.pid).children() for agent in running]
    assert [len(children) for children in trainings] == [1, 1]
    trainings[1][0].kill()
    assert all(agent.wait(90) != 0 for agent in running)
    assert not any(psutil.pid_exists(children[0].pid) for children in trainings) and not (tmp_path / "out").exists()
    (checkpoint,) = tmp_path.glob("scratch/*/[!.]*.safetensors")
    with safe_open(checkpoint, "pt") as file:
        done = len(json.loads(file.metadata()["progress"])["history"])
    changes = NODES | {"nodes": 1, "epochs": done + 1, "knn_every": 0}
    history = in_one_process(store, checkpoint, **changes)[1]
    assert [row["epoch"] for row in history] == list(range(1, done + 2))


def test_too_few_or_too_many_processes_are_a_sentence(store, monkeypatch):
    with pytest.raises(
        Problem, match=r"nodes = 2: the training must be started on each .*--nnodes 2 --nproc-per-node 1"
    ):
        in_one_process(store, **NODES)
    monkeypatch.setenv(TORCHRUN, "1")
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(Problem, match=r"3 processes were started .*devices = 1 x pretrain.nodes = 2 are 2: start so"):
        in_one_process(store, **NODES)
    monkeypatch.delenv(TORCHRUN)
    with pytest.raises(Problem, match=r"batch_size = 33 .* multiple of pretrain.devices = 1 x pretrain.nodes = 2, of"):
        in_one_process(store, **NODES | {"batch_size": 33})


@pytest.mark.parametrize("size", ["2", ""])
def test_a_world_size_that_no_launcher_has_set_does_not_count(size, monkeypatch):
    """As some clusters leave it in a pod or a shell."""
    monkeypatch.setenv("WORLD_SIZE", size)
    monkeypatch.setenv(SRUN, "")
    assert launch.started() == 1
    with launch.distributed_worker() as first:
        assert first


@pytest.mark.parametrize(
    ("nodes", "first"),
    [("n1", "n1"), ("n3,n4", "n3"), ("gpu[1,3-5]", "gpu1"), ("a[10-12]-ib,b2", "a10-ib"), ("r[2-3]n[07,9]", "r2n07")],
)
def test_srun_starts_processes_as_torchrun_does(nodes, first, monkeypatch):
    """Variables of a step of 4 tasks on 2 machines, in its last task."""
    job = {"JOB_ID": "1234567", "STEP_NUM_TASKS": "4", "PROCID": "3", "LOCALID": "1", "STEP_NODELIST": nodes}
    for name, value in job.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    assert launch.started() == 4
    assert [os.environ[name] for name in OF_LAUNCHERS] == ["3", "4", "1", first, "19567"]
    monkeypatch.setenv(SRUN, "1")
    assert launch.started() == 1, "a training that is one task of SLURM starts its processes itself"


def test_the_first_process_says_what_is_wrong_for_all(monkeypatch, capsys):
    ended, slept = [], []
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(launch, "started", lambda: 2)
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        with launch.distributed_worker() as first:
            assert first == (rank == "0")
            raise Problem("the data are not there.")
    assert capsys.readouterr().err == 2 * "error: the data are not there.\n"
    assert ended == [1, 1] and slept == [0, 3], "the second would be ended by its launcher before it speaks"


def test_checkpoints_that_differ_are_a_sentence(store, monkeypatch):
    monkeypatch.setattr(trainer.distributed, "agree", lambda number, device: False)
    with pytest.raises(
        Problem, match="different checkpoints: the folder of --scratch must be one that all machines see"
    ):
        in_one_process(store)
