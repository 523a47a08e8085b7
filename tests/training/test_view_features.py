"""Features of cached views: those of the views to float16's rounding, computed once, continued, and never damaged."""

import errno
import json

import numpy as np
import pytest
import torch

from helpers.small import digits_store, pretrain_params
from vi_simsiam.config.encoders import BackboneParams
from vi_simsiam.config.schema import AugmentationParams, UntrainedParams
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.record import RunRecord
from vi_simsiam.inference import saved
from vi_simsiam.methods import ImageSpec, build
from vi_simsiam.training import trainer, view_features
from vi_simsiam.transforms.views import Views

CPU = torch.device("cpu")
ENCODER = {"name": "resnet10", "width": 4, "stem": "3x3/2"}
VIEWS = 96 * 3


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return digits_store(tmp_path_factory.mktemp("store"), per_image=3)


@pytest.fixture(scope="module")
def weights(tmp_path_factory, store):
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(3)
    images = ImageSpec(12, 1, tuple(store.mean), tuple(store.std))
    model = build("untrained", UntrainedParams(backbone=BackboneParams(**ENCODER)), images)
    saved.save(folder, model.eval(), saved.describe("untrained", {"backbone": ENCODER}, images))
    RunRecord("pretrain", {}, dataset="digits").write(folder)
    return folder


def job(method, weights, **changes):
    return pretrain_params(method, backbone={"weights": str(weights), "frozen": True}, **changes)


def frozen(store, weights):
    return trainer._initialised("simsiam", job("simsiam", weights), store, seed=0)


def pretrain(method, store, weights, features=None, seed=0):
    augmentation = Views(AugmentationParams(**store.augmentation), store.size, store.channels)
    return trainer.pretrain(method, job(method, weights), store, augmentation, seed, None, features)


@pytest.fixture
def encoded(monkeypatch):
    """How many views have been encoded for the cache."""
    counts = []
    encode = view_features.encoded
    monkeypatch.setattr(view_features, "encoded", lambda m, pixels: counts.append(len(pixels)) or encode(m, pixels))
    monkeypatch.setattr(view_features, "_PIECE", 50)
    return counts


def test_they_are_the_features_of_the_views(store, weights, tmp_path, encoded):
    model = frozen(store, weights)
    kept = view_features.of_views(model, store, tmp_path, CPU)
    assert kept.dtype == np.float16 and kept.shape == (96, 3, 32) and isinstance(kept, np.memmap)
    pixels = torch.from_numpy(np.array(store.views("train"))).flatten(0, 1).permute(0, 3, 1, 2).float() / 255
    exact = model.eval().features(pixels).view(96, 3, 32)
    torch.testing.assert_close(torch.from_numpy(np.array(kept)).float(), exact, rtol=2**-11, atol=1e-6)
    assert sum(encoded) == VIEWS


@pytest.mark.parametrize("method", ["simsiam", "vi_simsiam", "simclr", "dino"])
def test_training_on_them_is_training_on_the_views(method, store, weights, tmp_path):
    straight, expected = pretrain(method, store, weights)
    model, history = pretrain(method, store, weights, tmp_path)
    assert len(list(tmp_path.glob("*/features.json"))) == 1
    for row, other in zip(history, expected, strict=True):
        assert row["loss"] == pytest.approx(other["loss"], abs=2e-3)
        assert row["mean_cosine"] == pytest.approx(other["mean_cosine"], abs=2e-3)
    images = torch.rand(20, 1, 12, 12)
    assert torch.equal(model.features(images), straight.features(images))
    a, b = (m.embedding(m.features(images)) for m in (model, straight))
    assert (a * b).sum(-1).min() > 0.999


def test_methods_and_seeds_share_them(store, weights, tmp_path, encoded):
    for method, seed in [("simsiam", 0), ("dino", 1), ("vi_simsiam", 2)]:
        pretrain(method, store, weights, tmp_path, seed)
    assert sum(encoded) == VIEWS
    pretrain("vae", store, weights, tmp_path)  # reconstructs pixels
    assert sum(encoded) == VIEWS


def test_a_killed_training_is_continued(store, weights, tmp_path, monkeypatch, encoded):
    model = frozen(store, weights)
    whole = np.array(view_features.of_views(model, store, tmp_path / "whole", CPU))
    counted = view_features.encoded
    encoded.clear()

    def die(*arguments):
        if sum(encoded) >= 150:
            raise KeyboardInterrupt
        return counted(*arguments)

    monkeypatch.setattr(view_features, "encoded", die)
    with pytest.raises(KeyboardInterrupt):
        view_features.of_views(model, store, tmp_path / "killed", CPU)
    (file,) = (tmp_path / "killed").glob("*/features.npy")
    with open(file, "ab") as out:
        out.write(b"half a row")
    encoded.clear()
    monkeypatch.setattr(view_features, "encoded", counted)
    assert np.array_equal(view_features.of_views(model, store, tmp_path / "killed", CPU), whole)
    assert sum(encoded) == VIEWS - 100  # the last of the three pieces is not trusted


@pytest.mark.parametrize("damage", ["bit", "cut", "record"])
def test_damage_is_seen(store, weights, tmp_path, encoded, capsys, damage):
    model = frozen(store, weights)
    whole = np.array(view_features.of_views(model, store, tmp_path, CPU))
    (file,) = tmp_path.glob("*/features.npy")
    data = bytearray(file.read_bytes())
    if damage == "record":
        file.with_suffix(".json").write_text("{")
    elif damage == "cut":
        file.write_bytes(data[:-7])
    else:
        data[-1] ^= 1
        file.write_bytes(data)
    encoded.clear()
    assert np.array_equal(view_features.of_views(model, store, tmp_path, CPU), whole)
    assert sum(encoded) == VIEWS and "is damaged" in capsys.readouterr().out


def test_other_weights_and_other_views_have_their_own(store, weights, tmp_path):
    model = frozen(store, weights)
    view_features.of_views(model, store, tmp_path, CPU)
    with torch.no_grad():
        model.backbone.conv1.weight[0, 0, 0, 0] += 1
    view_features.of_views(model, store, tmp_path, CPU)
    view_features.of_views(model, digits_store(tmp_path / "other", per_image=2), tmp_path, CPU)
    records = [json.loads(file.read_text()) for file in tmp_path.glob("*/features.json")]
    assert len({record["encoder"] for record in records}) == 2 and len({record["views"] for record in records}) == 2
    assert len(records) == 3


def test_features_that_say_nothing_are_refused(store, weights, tmp_path):
    model = frozen(store, weights)
    last = model.backbone.layer4[-1].bn2
    with torch.no_grad():
        last.bias += 1e6
    with pytest.raises(Problem, match="not finite or beyond 65504"):
        view_features.of_views(model, store, tmp_path, CPU)
    with torch.no_grad():
        model.backbone.conv1.weight.zero_()
        last.bias.zero_()
    with pytest.raises(Problem, match="the same features for all images"):
        view_features.of_views(model, store, tmp_path, CPU)
    assert not list(tmp_path.glob("*/features.json"))


def test_a_full_disk_is_told_and_what_is_there_is_used(store, weights, tmp_path, monkeypatch, encoded):
    model = frozen(store, weights)
    written = []

    def full(number):
        written.append(number)
        if len(written) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(view_features.os, "fsync", full)
    with pytest.raises(Problem, match=r"cannot be kept in .*: No space left.*0 MB; make room and run again"):
        view_features.of_views(model, store, tmp_path, CPU)
    encoded.clear()
    view_features.of_views(model, store, tmp_path, CPU)
    assert sum(encoded) == VIEWS - 100
