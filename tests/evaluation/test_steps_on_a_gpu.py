"""The steps of a run and the scoring of new images on a GPU give what they give on the CPU.

On a pretended GPU (tests/helpers/pretended_gpu.py) to the bit; by `make gpu-check` on a real one with tolerances, of a
model that the CPU has trained.
"""

import json
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import vi_simsiam
from helpers.models import scorer
from helpers.pretended_gpu import GPU
from helpers.small import SHIPPED, digits_store, merged, pretrain_params
from vi_simsiam.config.loading import resolve
from vi_simsiam.config.schema import METHODS, parse
from vi_simsiam.evaluation import graded
from vi_simsiam.evaluation.classify import classify
from vi_simsiam.evaluation.features import batches
from vi_simsiam.methods import ImageSpec, build

# numpy asks torch's modes for an array in a way that torch does not know yet.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
TABLES = ("images", "crops", "graded", "views", "ood", "corrupted", "train_images")
ENCODER = {"name": "resnet10", "width": 4, "stem": "3x3/2"}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return digits_store(tmp_path_factory.mktemp("store"), train_images=64, test_images=24, per_image=3)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory, store):
    folder = tmp_path_factory.mktemp("pictures")
    for i, image in enumerate(store.images("test")[:6]):
        Image.fromarray(image[..., 0]).save(folder / f"{i}.png")
    return folder


def jobs(method, **backbone):
    job = {step: resolve(SHIPPED, step, "digits", method) for step in ("pretrain", "probe", "uncertainty")}
    if method == "untrained":
        job["pretrain"] = merged(job["pretrain"], {"backbone": ENCODER})
    else:
        params = pretrain_params(method, knn_every=1, backbone=backbone)
        job["pretrain"] = params.model_dump(exclude_none=True)
    graded = {name: strengths[-1:] for name, strengths in job["uncertainty"]["graded"].items()}
    job["probe"] |= {"C": 1e-3}  # a short search
    job["uncertainty"] |= {"crop_areas": [0.3, 1.0], "bootstrap": 100, "graded": graded}
    job["uncertainty"]["corruptions"] = {"names": ["gaussian_noise", "fog"], "severities": [5], "images": 8}
    return job


def steps(script, method, job, store, pictures, top: Path, model: Path | None = None):
    """Run the steps below `top`; results, also of scoring pictures. `model`: what to go on with after `pretrain`."""
    model = model or top / "pretrain"
    inputs = {"pretrain": {}, "probe": {"model": model}, "uncertainty": {"model": model, "probe": top / "probe"}}
    for step, folders in inputs.items():
        words = ["--dataset", "digits", "--method", method, "--seed", 0, "--params", json.dumps(job[step])]
        folders |= {"store": store.folder, "out": top / step, "scratch": top / "scratch"}
        words += [word for name, folder in folders.items() for word in (f"--{name}", folder)]
        status, said = script(step, *words, *(["--ood", store.folder] if step == "uncertainty" else []))
        assert status == 0, said

    def read(file):
        return json.loads((top / file).read_text())

    trained = vi_simsiam.load(model)
    device = next(trained.network.parameters()).device.type
    return SimpleNamespace(
        devices=[*(read(f"{step}/run.json")["device"] for step in inputs), device],
        history=(top / "pretrain/history.csv").read_text(),
        probe=read("probe/probe.json"),
        metrics=read("uncertainty/metrics.json"),
        tables=[
            *(pd.read_parquet(top / "uncertainty" / f"{name}.parquet") for name in TABLES),
            *([trained.score([pictures])] if trained.network.certainty_scores else []),
        ],
        features=[np.load(top / "probe/features_test.npy"), trained.embed([pictures])],
    )


def compare(gpu, script, method, job, store, pictures, folder):
    with mock.patch("torch.cuda.is_available", lambda: False):
        expected = steps(script, method, job, store, pictures, folder / "cpu")
    with gpu.use():
        model = None if gpu.pretended else folder / "cpu/pretrain"
        found = steps(script, method, job, store, pictures, folder / "gpu", model)
    assert expected.devices == ["cpu"] * 4
    assert found.devices == ["cpu" if method == "untrained" else "cuda", "cuda", "cuda", "cuda"]
    gpu.assert_same(found.features, expected.features)
    for ours, theirs in zip(found.tables, expected.tables, strict=True):
        assert list(ours) == list(theirs) and len(ours) == len(theirs) > 0
        measured = [name for name in ours.select_dtypes("float") if name != "percentile"]  # that one jumps
        gpu.assert_same(ours[measured].to_numpy(copy=True), theirs[measured].to_numpy(copy=True), rtol=2e-2, atol=1e-2)
        if gpu.pretended:
            pd.testing.assert_frame_equal(ours, theirs, check_exact=True)
    if gpu.pretended:
        assert (found.history, found.probe, found.metrics) == (expected.history, expected.probe, expected.metrics)


SOON = ("vi_simsiam",)  # the others wait for `make test-slow`


@pytest.mark.parametrize(
    "method", [pytest.param(name, marks=() if name in SOON else pytest.mark.slow) for name in METHODS]
)
def test_a_run_is_the_cpus(method, store, pictures, gpu, script, tmp_path):
    compare(gpu, script, method, jobs(method), store, pictures, tmp_path)


def test_a_run_with_a_frozen_encoder_is_the_cpus(store, pictures, gpu, script, tmp_path):
    """Its features are stored in files."""
    identity = ("--dataset", "digits", "--method", "untrained", "--seed", 1, "--store", store.folder)
    params = json.dumps(jobs("untrained")["pretrain"])
    assert script("pretrain", *identity, "--params", params, "--out", tmp_path / "w", "--scratch", tmp_path)[0] == 0
    job = jobs("vi_simsiam", weights=str(tmp_path / "w"), frozen=True)
    compare(gpu, script, "vi_simsiam", job, store, pictures, tmp_path)


def test_images_without_labels(gpu):
    """Probe, neighbours and scores where every third image has no label."""
    torch.manual_seed(0)
    labels = torch.arange(60) % 4
    rows = torch.randn(60, 32) + 3 * torch.eye(4, 32)[labels]
    labels[::3] = -1
    model = build("untrained", parse("pretrain", {"backbone": ENCODER}, "untrained"), ImageSpec(12, 1, (0.5,), (0.2,)))
    images = np.random.default_rng(0).integers(0, 256, (10, 12, 12, 1), dtype=np.uint8)
    params = parse("probe", resolve(SHIPPED, "probe", "digits") | {"C": 1e-3})

    def probed(device):
        split = {"train": rows.to(device), "test": rows.to(device)}
        probe, results, losses = classify(split, {name: labels.to(device) for name in split}, 4, params)
        return scorer(model.to(device), rows, labels, probe, losses), losses.nan_to_num(-1.0), results

    read, *expected = probed("cpu")
    scores = read.score(batches(images, 4))
    with gpu.use():
        read, *found = probed(GPU)
        found_scores = read.score(batches(images, 4))
    gpu.assert_same((found, found_scores), (expected, scores), rtol=1e-2, atol=1e-2)
    assert (found[0] < 0).sum() == found[1]["n_test"] - found[1]["n_test_labelled"] == 20


def test_uncertainty_prepares_on_the_gpu(gpu):
    """Images of every kind reach the GPU as bytes, no batch is waited for, and each score is read off once."""
    job = pretrain_params("vi_simsiam")
    images = np.random.default_rng(0).integers(0, 256, (10, 12, 12, 3), dtype=np.uint8)
    torch.manual_seed(0)
    model = build("vi_simsiam", job, ImageSpec(12, 3, (0.5,) * 3, (0.2,) * 3))
    strengths = {name: values[:1] for name, values in resolve(SHIPPED, "uncertainty", "digits")["graded"].items()}

    def scored(device, log):
        read = scorer(model.to(device), torch.randn(20, model.backbone.dim), torch.arange(20) % 3)
        boxes = graded.graded_boxes(len(images), [0.2, 1.0], 12, 0)
        changes = graded.Augmentations(images, 0, read.input_device)
        streams = {"whole": batches(images, 3, read.input_device)}
        streams["crops"] = graded.crop_batches(images, boxes, 3, read.input_device)
        streams |= {name: changes.batches(name, s, 3) for name, s in graded.steps(strengths, 3)}
        found = {}
        for name, stream in streams.items():
            before = len(log)
            found[name] = read.score(stream)
            assert not log or len(log) - before == len(found[name]), (name, log[before:])
        return found

    torch.manual_seed(1)
    expected = scored(torch.device("cpu"), [])
    assert len(expected) == 10
    torch.manual_seed(1)
    with gpu.use() as seen:
        model = model.to(GPU)
        seen.clear()
        found = scored(GPU, seen.waits)
        in_scores = [wait for wait in seen.waits if wait.function != "Scorer.__init__"]
        assert {wait.function for wait in in_scores} == {"_read_off"}
    gpu.assert_same(found, expected, rtol=1e-2, atol=1e-2)
