"""Training in two processes on the CPU equals training in one, and the end of one process ends all."""

import os
import signal
import subprocess
import time
from unittest import mock

import pandas as pd
import psutil
import pytest
import torch
from torch import nn

from helpers.living import alive, wait_for
from helpers.small import pretrain_params, training_command, views_of
from vi_simsiam.config.schema import METHODS
from vi_simsiam.core import distributed
from vi_simsiam.core.errors import Problem
from vi_simsiam.methods import ImageSpec, build
from vi_simsiam.models import reference, saved
from vi_simsiam.training import devices, launch, trainer
from vi_simsiam.training.batches import ViewBatches

TRAINED = [name for name in METHODS if name != "untrained"]
CPU = torch.device("cpu")
ONE_EPOCH = {"epochs": 1, "batch_size": 48, "knn_every": 1}
TWO = {"devices": 2}
pytestmark = pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="two processes need two cores")


def in_processes(n, function, *args):
    """`launch.start`, after which this process has its signal handlers again."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        launch.start(n, function, *args)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


_initialised = trainer._initialised


def initialised_with_halved_norms(*args):
    """`trainer._initialised`, whose batch norms treat each half of a batch alone, as two processes do."""
    model = _initialised(*args)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            _halve(module)
    return model


def _halve(norm):
    """Let a batch norm treat each half of a batch alone, and average its statistics of them."""

    def forward(x):
        if not norm.training:
            return type(norm).forward(norm, x)
        halves = x.chunk(2)
        for name, found in (
            ("running_mean", [h.transpose(0, 1).flatten(1).mean(1) for h in halves]),
            ("running_var", [h.transpose(0, 1).flatten(1).var(1) for h in halves]),
        ):
            getattr(norm, name).lerp_(torch.stack(found).mean(0).detach(), norm.momentum)
        norm.num_batches_tracked += 1
        parts = [nn.functional.batch_norm(h, None, None, norm.weight, norm.bias, True, eps=norm.eps) for h in halves]
        return torch.cat(parts)

    norm.forward = forward


def job(method, store, **changes):
    return method, pretrain_params(method, **changes), store, views_of(store), 0


def train_all(jobs, folder):
    """Train in each process; the first writes the results. The process group stays until the last training."""
    with launch.distributed_worker() as first:
        with mock.patch.object(trainer.distributed, "leave"):
            results = [trainer.pretrain(*arguments) for arguments in jobs]
        distributed.leave()
        for (method, *_), (model, history) in zip(jobs, results, strict=True):
            if first:
                torch.save((model.state_dict(), history), folder / method)


@pytest.mark.slow
def test_two_processes_train_as_one_with_two_halves(store, tmp_path, monkeypatch):
    """Every method's weights, batch statistics and history: loss, gradients, negatives, centre, noise, monitors."""
    in_processes(2, train_all, [job(m, store, **ONE_EPOCH, devices=2) for m in TRAINED], tmp_path)
    for method in TRAINED:
        with monkeypatch.context() as patch:
            patch.setattr(trainer, "_initialised", initialised_with_halved_norms)
            expected = trainer.pretrain(*job(method, store, **ONE_EPOCH))
        compare(method, store, torch.load(tmp_path / method), expected)


class OwnBatchNorm(nn.BatchNorm2d):
    pass


def test_batch_norms_that_are_synchronised():
    params = pretrain_params("simsiam")
    model = build("simsiam", params, ImageSpec(12, 1, (0.5,), (0.25,)))
    model.backbone.own = OwnBatchNorm(3)
    names = list(model.state_dict())
    with pytest.raises(
        Problem, match=r"sync_batchnorm: the encoder's OwnBatchNorm cannot be synchronised\. Set it to false"
    ):
        devices.synchronise_batch_norm(model)
    model.frozen = True
    devices.synchronise_batch_norm(model)
    kinds = {name: type(module) for name, module in model.named_modules() if "BatchNorm" in type(module).__name__}
    assert kinds.pop("backbone.own") is OwnBatchNorm
    for name, kind in kinds.items():
        assert (kind is nn.SyncBatchNorm) == (not name.startswith("backbone.")), name
    assert nn.SyncBatchNorm in kinds.values() and list(model.state_dict()) == names
    model = build("simsiam", params, ImageSpec(12, 1, (0.5,), (0.25,)))
    devices.synchronise_batch_norm(model)
    assert not [module for module in model.modules() if type(module) in (nn.BatchNorm1d, nn.BatchNorm2d)]


def compare(method, store, found, expected):
    """Two processes have trained what one process trains."""
    start = trainer._initialised(method, pretrain_params(method), store, 0)
    together, history = found
    alone, rows = expected
    distance = error = 0.0
    for name, t in alone.state_dict().items():
        torch.testing.assert_close(together[name], t, rtol=1e-3, atol=1e-4, msg=f"{method} {name}")
        distance += float((t - start.state_dict()[name]).double().square().sum())
        error += float((t - together[name]).double().square().sum())
    assert error < 1e-6 * distance, f"{method}: relative to the way the weights have gone"
    for key, value in rows[0].items():
        # Tiny rounding may turn a near neighbour.
        tolerance = {"knn_top1": 0.03}.get(key, 0.1 if key.startswith("certainty_") else 1e-4)
        found = history[0][key]
        assert found == value or found == pytest.approx(value, rel=tolerance, abs=tolerance), (method, key)


@pytest.mark.parametrize("kind", ["store", "cached"])
def test_processes_take_their_slices_of_the_same_batches(request, kind):
    store = request.getfixturevalue(kind)
    whole = ViewBatches(store, views_of(store), 32, 5, CPU)
    parts = [ViewBatches(store, views_of(store), 32, 5, CPU, rank, 4) for rank in range(4)]
    for batch, *slices in zip(whole.epoch(3), *(part.epoch(3) for part in parts), strict=True):
        for view in range(2):
            assert all(len(s[view]) == 8 for s in slices)
            torch.testing.assert_close(torch.cat([s[view] for s in slices]), batch[view], rtol=0, atol=1e-6)


def test_what_a_machine_cannot_do_is_said_before_training(store, monkeypatch):
    def refused(**changes):
        trainer.pretrain(*job("simsiam", store, **changes))

    monkeypatch.setattr(trainer, "join", lambda *_: pytest.fail("trained"))
    with pytest.raises(Problem, match=r"devices = 1000: this machine has \d+ CPU cores?\. Lower it"):
        refused(devices=1000)
    with pytest.raises(Problem, match="batch_size = 33 is that of all devices together: make it a multiple"):
        refused(**TWO, batch_size=33)
    with pytest.raises(Problem, match="devices = 2: the training must be started by `torchrun --nproc-per-node 2`"):
        refused(**TWO)


def end(how, folder):
    with launch.distributed_worker() as first:
        (folder / str(os.getpid())).touch()
        if first:
            time.sleep(600)
        while len(list(folder.iterdir())) < 2:
            time.sleep(0.05)
        (folder / "end").touch()
        if how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        message = "of the second"
        raise ValueError(message) if how == "error" else Problem(message)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("how", "message"),
    [("killed", ""), ("problem", "error: of the second\n"), ("error", "ValueError: of the second\n")],
)
def test_the_end_of_one_process_is_the_end_of_all(how, message, tmp_path, capfd):
    with pytest.raises(Problem if how == "killed" else SystemExit) as ended:
        in_processes(2, end, how, tmp_path)
    # A launcher that waits for the first process kills it after 30 seconds.
    assert time.time() - (tmp_path / "end").stat().st_mtime < 25
    if how == "killed":
        assert "process 2 of 2 was ended by SIGKILL" in str(ended.value)
    else:
        assert ended.value.code == 1
    said = capfd.readouterr().err
    assert message in said and said.count(": of the second\n") == (how != "killed")
    assert ("Traceback" in said) == (how == "error")
    assert not any(psutil.pid_exists(int(path.name)) for path in tmp_path.iterdir() if path.name != "end")


def together(folder):
    torch.distributed.init_process_group("gloo")
    same = distributed.agree(5, CPU)
    other = distributed.agree(distributed.rank(), CPU)
    (folder / f"{distributed.rank()}").write_text(f"{same} {other}")
    distributed.leave()
    assert distributed.count() == 1


@pytest.mark.slow
def test_processes_tell_each_other_a_number(tmp_path):
    in_processes(2, together, tmp_path)
    assert [(tmp_path / f"{rank}").read_text() for rank in range(2)] == ["True False"] * 2


@pytest.mark.nightly
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_signal_ends_all_processes_and_the_training_goes_on_from_its_checkpoint(number, store, tmp_path):
    command = training_command(store, tmp_path, epochs=60, **TWO)
    # As inside a SLURM job of one task, whose variables must not decide how many processes there are.
    slurm = {"SLURM_NTASKS": "1", "SLURM_JOB_NAME": "train", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}
    with open(tmp_path / "log", "w") as log:
        parent = subprocess.Popen(command, stderr=log, stdout=log, env=os.environ | slurm)
    assert wait_for(lambda: list(tmp_path.glob("scratch/*/[!.]*.safetensors")), 120), (tmp_path / "log").read_text()
    workers = [process.pid for process in psutil.Process(parent.pid).children()]
    assert len(workers) >= 2
    parent.send_signal(number)
    assert parent.wait(30) == (-number if number == signal.SIGKILL else 128 + number)
    assert wait_for(lambda: not any(map(alive, workers))) and not (tmp_path / "out").exists()
    again = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert again.returncode == 0, again
    assert again.stdout.count("resumed after epoch") == 1, "the first process alone speaks"
    assert pd.read_csv(tmp_path / "out/history.csv")["epoch"].tolist() == list(range(1, 61))
    assert not list(tmp_path.glob("scratch/*/[!.]*.safetensors"))
    saved.load(tmp_path / "out")
    assert len(reference.read(tmp_path / "out").values) == 96
