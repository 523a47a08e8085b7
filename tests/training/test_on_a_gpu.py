"""Training on a GPU: the numbers of the CPU, and nothing that waits.

Each test runs on a pretended GPU (tests/helpers/pretended_gpu.py), to the bit, and by `make gpu-check` on a real one,
with tolerances.
"""

import itertools

import pytest
import torch

from helpers.pretended_gpu import GPU
from helpers.small import pretrain_params, views_of
from helpers.stores import params, pictures
from vi_simsiam.config.schema import METHODS
from vi_simsiam.core.errors import Problem
from vi_simsiam.data.store import Store
from vi_simsiam.data.store_writer import build
from vi_simsiam.methods import Method
from vi_simsiam.methods.simsiam import SimSiam
from vi_simsiam.training import batches, devices, graphed, trainer
from vi_simsiam.training.batches import ViewBatches

CPU = torch.device("cpu")
TRAINED = [name for name in METHODS if name != "untrained"]
# Where an epoch may wait: at its end, when its row of the history is read off the GPU.
END_OF_EPOCH = {"Means.values", "kappa_columns"}
# A frozen encoder whose views are fresh: whether float16 holds its features must be known before they are used.
FROZEN = {"Method.encode"}


@pytest.fixture(autouse=True)
def recorded_soon(monkeypatch):
    """Epochs are short here: all of their steps but the first are recorded, or replayed."""
    monkeypatch.setattr(graphed, "_WARM_UP", 1)


def made(folder, **changes):
    """64 training images of 16 px in colour, of 4 classes."""
    build(folder / "store", "pictures", pictures(n=64, test=8), params(**changes))
    return Store.open(folder / "store")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return made(tmp_path_factory.mktemp("cached"), per_image=3)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    return made(tmp_path_factory.mktemp("fresh"), per_image=0, augmentation={"noise": 0.5})


def training(method, job, store, device):
    device = devices.join(job, torch.device(device))
    views = ViewBatches(store, views_of(store), job.batch_size, 0, device)
    return trainer.Training(device, trainer._initialised(method, job, store, 0), views, job, 0)


def compare(gpu, method, job, store, monkeypatch):
    """Train on the CPU and on the GPU: the results are the same. Returns where epochs have waited."""
    on_cpu = training(method, job, store, "cpu")
    rows, weights = [on_cpu.epoch(1), on_cpu.epoch(2)], on_cpu.model.state_dict()
    if not gpu.pretended:  # a real GPU draws other noise
        if method == "mcinfonce":
            pytest.skip("a GPU draws other samples of a Dirichlet distribution")
        job = job.model_copy(update={"cuda_graph": method != "vae"})  # into which the CPU's noise cannot go
        draw = torch.randn
        monkeypatch.setattr(
            torch, "randn", lambda *shape, device=None: draw(*shape).pin_memory().to(device, non_blocking=True)
        )
    with gpu.use() as seen:
        run = training(method, job, store, "cuda")
        seen.clear()
        found = [run.epoch(1), run.epoch(2)]
        waits = {(wait.where, wait.function) for wait in seen.waits}
        found_weights = {name: tensor.cpu() for name, tensor in run.model.state_dict().items()}
    loose = 5e-3 if job.precision == 32 else 5e-2
    gpu.assert_same(found, rows, rtol=loose, atol=loose)
    if gpu.pretended or job.precision == 32:
        gpu.assert_same(found_weights, weights, rtol=1e-2, atol=2e-3)
    return waits


def several(*methods):
    """The first of some methods; the others wait for `make test-slow`."""
    return [methods[0], *(pytest.param(method, marks=pytest.mark.slow) for method in methods[1:])]


VARIANTS = [(method, {"precision": precision}) for method in TRAINED for precision in (32, "bf16")]
VARIANTS += [("vi_simsiam", {"vi_simsiam": {"objective": name}}) for name in ("likelihood", "beta", "warmup")]
VARIANTS += [("vi_simsiam", {"vi_simsiam": {"kappa_input": "projection", "kappa_detach": True}})]
VARIANTS += [("dino", {"backbone": {"lr_factor": 0.5}})]
SOON = [("vi_simsiam", {"precision": "bf16"}), VARIANTS[-1]]  # the others wait for `make test-slow`
VARIANTS = SOON + [pytest.param(*variant, marks=pytest.mark.slow) for variant in VARIANTS if variant not in SOON]


@pytest.mark.parametrize(("method", "changes"), VARIANTS, ids=str)
def test_a_training_is_the_cpus_and_no_step_waits(method, changes, store, gpu, monkeypatch):
    waits = compare(gpu, method, pretrain_params(method, **changes), store, monkeypatch)
    assert {function for _, function in waits} - END_OF_EPOCH == set(), waits
    assert "Means.values" in {function for _, function in waits}, "what does wait is seen"


@pytest.mark.parametrize("method", several("vi_simsiam", "vae", "dino", "mcinfonce"))
def test_a_recorded_step_is_the_same_step(method, store, gpu):
    """Also with noise that the GPU draws; only the first step of each phase is run kernel by kernel."""
    changes = {"vi_simsiam": {"objective": "warmup", "warmup": 0.5}} if method == "vi_simsiam" else {}
    with gpu.use():
        found = {}
        for recorded in (False, True):
            job = pretrain_params(method, epochs=4, cuda_graph=recorded, **changes)
            run = training(method, job, store, "cuda")
            rows = [run.epoch(epoch) for epoch in range(1, 5)]
            found[recorded] = rows, {name: tensor.cpu() for name, tensor in run.model.state_dict().items()}
            assert (run.graphed is None) is not recorded
        assert run.graphed.calls == (4 if changes else 8)
    gpu.assert_same(found[True], found[False], rtol=5e-3, atol=5e-3)


@pytest.fixture(params=["on the GPU", "read for each batch"])
def place(request, monkeypatch):
    """Where batches are taken from."""
    monkeypatch.setattr(batches, "_ON_GPU", 1 << 30 if request.param == "on the GPU" else 0)
    return request.param


@pytest.mark.parametrize("per_image", [0, 3])
def test_batches_are_the_cpus_and_do_not_wait(per_image, place, store, fresh, gpu):
    store = store if per_image else fresh
    expected = list(ViewBatches(store, views_of(store), 32, 0, CPU).epoch(3))
    with gpu.use() as seen:
        views = ViewBatches(store, views_of(store), 32, 0, GPU)
        assert (views._on_gpu is None) == (place == "read for each batch")
        seen.clear()
        found = list(views.epoch(3))
        assert not seen.waits
        found = [tuple(view.cpu() for view in pair) for pair in found]
    assert not torch.equal(*found[0])
    # The CPU's fresh views are rounded otherwise.
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 if per_image == 0 or not gpu.pretended else 0)


@pytest.mark.parametrize("method", several("vi_simsiam", "dino"))
def test_a_frozen_encoder(method, store, gpu, monkeypatch):
    job = pretrain_params(method)
    # By random weights, which parameters do not allow.
    job = job.model_copy(update={"backbone": job.backbone.model_copy(update={"frozen": True})})
    waits = compare(gpu, method, job, store, monkeypatch)
    assert {function for _, function in waits} - END_OF_EPOCH == FROZEN, waits


def test_what_a_recording_cannot_repeat_is_found(store, gpu, monkeypatch):
    """Here another number in every step."""
    steps, align = itertools.count(1), SimSiam.align
    monkeypatch.setattr(SimSiam, "align", lambda self, *given: align(self, *given) * next(steps))
    with pytest.raises(AssertionError, match=r"Scalars are not close|not equal|Mismatch"):
        compare(gpu, "simsiam", pretrain_params("simsiam"), store, monkeypatch)


def test_a_step_that_cannot_be_recorded_says_so(store, gpu, monkeypatch):
    """A number comes from the CPU."""
    made = Method.standardised
    monkeypatch.setattr(Method, "standardised", lambda self, images: made(self, images) * images.new_tensor(1.0))
    with gpu.use(), pytest.raises(Problem, match=r"pretrain\.cuda_graph: .*captur.*Set it to false"):
        training("simsiam", pretrain_params("simsiam"), store, "cuda").epoch(1)
