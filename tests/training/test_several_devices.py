"""Training in two processes on the CPU: it equals one process, and whatever ends one process ends all."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest
import torch
from torch import nn

from helpers.small import digits_store, pretrain_params, training_command
from vi_simsiam.config.schema import AugmentationParams
from vi_simsiam.core.errors import Problem
from vi_simsiam.models import reference, saved
from vi_simsiam.training import launch, trainer
from vi_simsiam.training.batches import ViewBatches
from vi_simsiam.training.checkpoint import load_checkpoint
from vi_simsiam.transforms.views import Views

RIVALS = ("mcinfonce", "temperature", "concentration", "exponential")
METHODS = ("simsiam", "vi_simsiam", "simclr", "dino", "vae", *RIVALS)
CPU = torch.device("cpu")
ONE_EPOCH = {"epochs": 1, "batch_size": 48, "knn_every": 1}
TWO = {"devices": 2, "sync_batchnorm": False}
pytestmark = pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="two processes need two cores")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return digits_store(tmp_path_factory.mktemp("store"))


def augmentation(store):
    return Views(AugmentationParams(**store.augmentation), store.size, store.channels)


def job(method, store, checkpoint=None, **changes):
    params = pretrain_params(method, **changes)
    return method, params, store, augmentation(store), 0, CPU, checkpoint


def halved(norm):
    """Let a batch norm treat the two halves of a batch apart, and average what it remembers of them."""

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


def train_all(jobs, folder):
    """In each process."""
    folder.mkdir(exist_ok=True)
    for arguments in jobs:
        trainer._train_together(*arguments, folder / f"{arguments[0]}.safetensors")


@pytest.mark.slow
def test_two_processes_train_as_one_with_two_halves(store, tmp_path, monkeypatch):
    """Every method's weights, batch statistics and history: loss, gradients, negatives, centre, noise, monitors."""
    launch.run_together(train_all, 2, [job(m, store, **ONE_EPOCH, **TWO) for m in METHODS], tmp_path)
    initialised = trainer._initialised

    def with_halved_norms(*args):
        model = initialised(*args)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                halved(module)
        return model

    for method in METHODS:
        whole, _, _ = trainer._train(*job(method, store, **ONE_EPOCH))
        monkeypatch.setattr(trainer, "_initialised", with_halved_norms)
        halves = trainer._train(*job(method, store, **ONE_EPOCH))
        monkeypatch.setattr(trainer, "_initialised", initialised)
        compare(method, store, tmp_path / f"{method}.safetensors", halves, whole)


@pytest.mark.slow
def test_two_processes_with_synchronised_batch_norms_train_as_one(store, tmp_path):
    methods = ("vi_simsiam", "dino", "vae")
    launch.run_together(train_all, 2, [job(m, store, **ONE_EPOCH, devices=2) for m in methods], tmp_path / "whole")
    launch.run_together(train_all, 2, [job(m, store, **ONE_EPOCH, **TWO) for m in methods], tmp_path / "halves")
    for method in methods:
        halves = trainer._initialised(method, pretrain_params(method), store, 0)
        load_checkpoint(tmp_path / f"halves/{method}.safetensors", halves)
        one = trainer._train(*job(method, store, **ONE_EPOCH))
        compare(method, store, tmp_path / f"whole/{method}.safetensors", one, halves)


def compare(method, store, trained, expected, other):
    """What processes have left in a file is what one process returns; `other` has the other kind of batch norm."""
    start, together = (trainer._initialised(method, pretrain_params(method), store, 0) for _ in range(2))
    history = load_checkpoint(trained, together)["history"]
    alone, _, rows = expected
    distance = error = of_other = 0.0
    for name, t in alone.state_dict().items():
        torch.testing.assert_close(together.state_dict()[name], t, rtol=1e-3, atol=1e-4, msg=f"{method} {name}")
        distance += float((t - start.state_dict()[name]).double().square().sum())
        error += float((t - together.state_dict()[name]).double().square().sum())
        of_other += float((t - other.state_dict()[name]).double().square().sum())
    assert error < 1e-6 * distance, f"{method}: relative to the way the weights have gone"
    assert of_other > 100 * error, f"{method}: the comparison sees what batch norm does"
    for key, value in rows[0].items():
        # Tiny rounding may turn a near neighbour.
        tolerance = {"knn_top1": 0.03}.get(key, 0.1 if key.startswith("certainty_") else 1e-4)
        found = history[0][key]
        assert found == value or found == pytest.approx(value, rel=tolerance, abs=tolerance), (method, key)


@pytest.mark.parametrize("per_image", [0, 3])
def test_processes_take_their_slices_of_the_same_batches(tmp_path, per_image):
    store = digits_store(tmp_path, per_image=per_image)
    whole = ViewBatches(store, augmentation(store), 32, 5, CPU)
    parts = [ViewBatches(store, augmentation(store), 32, 5, CPU, rank, 4) for rank in range(4)]
    for batch, *slices in zip(whole.epoch(3), *(part.epoch(3) for part in parts), strict=True):
        for view in range(2):
            assert all(len(s[view]) == 8 for s in slices)
            torch.testing.assert_close(torch.cat([s[view] for s in slices]), batch[view], rtol=0, atol=1e-6)


@pytest.mark.parametrize("per_image", [0, 3])
def test_prefetched_batches_are_the_same(tmp_path, per_image):
    store = digits_store(tmp_path, per_image=per_image)
    batches = ViewBatches(store, augmentation(store), 32, 5, CPU)
    for a, b in zip(batches.epoch(2), batches.epoch(2, prefetch=True), strict=True):
        assert torch.equal(a[0], b[0]) and torch.equal(a[1], b[1])


def test_what_a_machine_cannot_do_is_said_before_training(store, monkeypatch):
    def refused(**changes):
        method, params, *_ = job("simsiam", store, **changes)
        trainer.pretrain(method, params, store, augmentation(store), 0)

    monkeypatch.setattr(launch, "run_together", lambda *_: pytest.fail("started"))
    with pytest.raises(Problem, match=r"devices = 1000: this machine has \d+ CPU cores?\. Lower it"):
        refused(devices=1000, sync_batchnorm=False)
    with pytest.raises(Problem, match="batch_size = 33 is that of all devices together: make it a multiple"):
        refused(**TWO, batch_size=33)


def end(how):
    if os.environ["LOCAL_RANK"] == "0":
        time.sleep(600)
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "error":
        raise ValueError("of the second")
    raise Problem("of the second")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "kind", "message"),
    [
        ("killed", Problem, "process 2 of 2 was ended by SIGKILL"),
        ("problem", Problem, "^of the second$"),
        ("error", torch.multiprocessing.ProcessRaisedException, "ValueError: of the second"),
    ],
)
def test_the_end_of_one_process_is_the_end_of_all(how, kind, message):
    start = time.monotonic()
    with pytest.raises(kind, match=message):
        launch.run_together(end, 2, how)
    assert time.monotonic() - start < 60
    assert not torch.multiprocessing.active_children()


def running(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.slow
def test_a_stopped_training_leaves_no_process_and_goes_on_from_its_checkpoint(store, tmp_path):
    epochs = 60
    command = training_command(store, tmp_path, epochs=epochs, **TWO)
    log = tmp_path / "log"
    with open(log, "w") as file:
        # As inside a SLURM job of one task, whose variables must not decide how many processes there are.
        slurm = {"SLURM_NTASKS": "1", "SLURM_JOB_NAME": "train", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}
        parent = subprocess.Popen(command, stderr=file, stdout=file, env=os.environ | slurm)
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("scratch/*/[!.]*.safetensors")) and parent.poll() is None:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        workers = psutil.Process(parent.pid).children()
        assert len(workers) >= 2
        parent.send_signal(signal.SIGTERM)
        assert parent.wait(30) != 0
    while any(map(running, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(running, workers)) and not (tmp_path / "out").exists()
    (checkpoint,) = tmp_path.glob("scratch/*/[!.]*.safetensors")

    def in_one_process():
        """One process goes on where two have been stopped: an epoch."""
        copy = Path(shutil.copy(checkpoint, tmp_path / "copy.safetensors"))
        done = len(load_checkpoint(copy, trainer._initialised(*job("vi_simsiam", store)[:3], 0))["history"])
        method, params, *_ = job("vi_simsiam", store, epochs=done + 1)
        return done, trainer.pretrain(method, params, store, augmentation(store), 0, copy)[1]

    done, history = in_one_process()
    assert [row["epoch"] for row in history] == list(range(1, done + 2))
    again = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert again.returncode == 0 and f"resumed after epoch {done} of {epochs}" in again.stdout, again
    assert again.stdout.count("resumed") == 1, "the first process alone speaks"
    table = pd.read_csv(tmp_path / "out/history.csv")
    assert table["epoch"].tolist() == list(range(1, epochs + 1))
    assert table["loss"][:done].to_numpy() == pytest.approx([row["loss"] for row in history[:done]], rel=1e-12)
    assert not checkpoint.exists()
    saved.load(tmp_path / "out")
    assert len(reference.read(tmp_path / "out").values) == 96
