"""Cached features: equal to the images' features in every bit, computed once, continued, and never damaged."""

import errno
import threading

import numpy as np
import pytest
import torch

from helpers.small import pretrain_params, views_of
from vi_simsiam.config.schema import METHODS
from vi_simsiam.core import processes
from vi_simsiam.core.errors import Problem
from vi_simsiam.data import append_store
from vi_simsiam.evaluation import feature_cache
from vi_simsiam.evaluation.feature_cache import FeatureCache
from vi_simsiam.evaluation.features import batches, extract
from vi_simsiam.methods import Method
from vi_simsiam.training import trainer

VIEWS = 96 * 3


def job(method, weights, **changes):
    return pretrain_params(method, backbone={"weights": str(weights), "frozen": True}, **changes)


def frozen(cached, weights):
    return trainer._initialised("simsiam", job("simsiam", weights), cached, seed=0)


def pretrain(method, cached, weights, features=None, seed=0):
    return trainer.pretrain(method, job(method, weights), cached, views_of(cached), seed, None, features)


@pytest.fixture
def encoded(monkeypatch):
    """How many images have been encoded for a cache."""
    counts = []
    encode = FeatureCache._encoded
    monkeypatch.setattr(FeatureCache, "_encoded", lambda cache, new: counts.append(len(new)) or encode(cache, new))
    monkeypatch.setattr(feature_cache, "_PIECE", 50)
    return counts


def of_views(model, cached, folder):
    return FeatureCache(model, folder).of_views(cached.views("train"))


def test_they_are_the_features_of_the_views(cached, weights, tmp_path, encoded):
    model = frozen(cached, weights)
    found = of_views(model, cached, tmp_path)
    assert found.dtype == np.float16 and found.shape == (96, 3, 32)
    pixels = torch.from_numpy(np.array(cached.views("train"))).flatten(0, 1).permute(0, 3, 1, 2).float() / 255
    exact = model.backbone(model.standardised(pixels)).detach().view(96, 3, 32)
    torch.testing.assert_close(torch.from_numpy(found[:]).float(), exact, rtol=2**-11, atol=1e-6)
    rows, views = np.array([5, 90, 5]), np.array([2, 0, 1])
    assert np.array_equal(found[rows, views], found[:][rows, views])
    assert sum(encoded) == VIEWS


def test_cached_features_are_those_of_the_encoder_in_any_batch(cached, weights, tmp_path, encoded):
    model, images = frozen(cached, weights).eval(), torch.rand(150, 1, 12, 12)
    straight = [model.features(images[:n]) for n in (150, 70, 1)]
    assert all(torch.equal(straight[0][: len(part)], part) for part in straight)
    assert torch.equal(straight[0], straight[0].half().float())
    assert feature_cache.use(model, tmp_path) is not None
    assert torch.equal(model.features(images[40:41]), straight[0][40:41])
    assert torch.equal(model.features(images), straight[0])
    assert torch.equal(model.features(images.flip(0)), straight[0].flip(0))
    assert sum(encoded) == 150
    assert torch.equal(model.train().features(images + 1), model.encode(images + 1)) and sum(encoded) == 150


def test_all_cores_encode_for_a_job_that_has_one(cached, weights, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "cores", lambda: 3)
    threads, encode, before = [], Method.encode, torch.get_num_threads()
    monkeypatch.setattr(Method, "encode", lambda *x: threads.append(torch.get_num_threads()) or encode(*x))
    torch.set_num_threads(1)
    FeatureCache(frozen(cached, weights), tmp_path).rows(torch.rand(20, 1, 12, 12))
    assert threads == [3] and torch.get_num_threads() == 1
    torch.set_num_threads(before)


def test_equal_images_are_encoded_once(cached, weights, tmp_path, encoded):
    cache = FeatureCache(frozen(cached, weights), tmp_path)
    assert len(set(cache.rows(torch.ones(40, 1, 12, 12)))) == 1 and sum(encoded) == 1


def test_an_encoder_that_learns_has_no_cache(cached, weights, tmp_path):
    params = pretrain_params("simsiam", backbone={"weights": str(weights)})
    model = trainer._initialised("simsiam", params, cached, seed=0)
    assert feature_cache.use(model, tmp_path) is None and model.feature_cache is None and not list(tmp_path.iterdir())


@pytest.mark.parametrize("method", [name for name in METHODS if name != "untrained"])
def test_training_on_them_is_training_on_the_views(method, cached, weights, tmp_path):
    straight, expected = pretrain(method, cached, weights)
    model, history = pretrain(method, cached, weights, tmp_path)
    assert len(list(tmp_path.glob("*/features.bin"))) == 1
    for row, other in zip(history, expected, strict=True):
        assert row["loss"] == pytest.approx(other["loss"], rel=1e-4, abs=1e-6)  # processors round differently
    images = torch.rand(20, 1, 12, 12)
    a, b = (m.embedding(m.features(images)) for m in (model, straight))
    torch.testing.assert_close(a, b, rtol=0, atol=1e-3)


def test_methods_seeds_and_steps_share_them(cached, weights, tmp_path, monkeypatch):
    encoded, encode = [], Method.encode
    monkeypatch.setattr(Method, "encode", lambda model, images: encoded.append(len(images)) or encode(model, images))
    for method, seed in [("simsiam", 0), ("dino", 1), ("vi_simsiam", 2), ("vae", 0)]:  # the last reads pixels too
        pretrain(method, cached, weights, tmp_path, seed)
    assert sum(encoded) == VIEWS
    model = frozen(cached, weights)
    feature_cache.use(model, tmp_path)
    for batch_size in (7, 64):
        extract(model, batches(cached.images("train"), batch_size))
    assert sum(encoded) == VIEWS + len(cached.images("train"))


def test_two_at_once_encode_each_image_once(cached, weights, tmp_path, encoded):
    caches = [FeatureCache(frozen(cached, weights), tmp_path) for _ in range(2)]
    results = {}

    def ask(number):
        results[number] = caches[number].of_views(cached.views("train"))[:]

    threads = [threading.Thread(target=ask, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.array_equal(results[0], results[1]) and sum(encoded) == VIEWS


def test_other_weights_have_another_cache(cached, weights, tmp_path, encoded):
    model = frozen(cached, weights)
    of_views(model, cached, tmp_path)
    with torch.no_grad():
        model.backbone.conv1.weight[0, 0, 0, 0] += 1
    of_views(model, cached, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2 and sum(encoded) == 2 * VIEWS


def test_features_that_say_nothing_are_refused(cached, weights, tmp_path):
    model = frozen(cached, weights)
    last = model.backbone.layer4[-1].bn2
    with torch.no_grad():
        last.bias += 1e6
    with pytest.raises(Problem, match="not finite or beyond 65504"):
        of_views(model, cached, tmp_path)
    with torch.no_grad():
        model.backbone.conv1.weight.zero_()
        last.bias.zero_()
    with pytest.raises(Problem, match="the same features to all images"):
        of_views(model, cached, tmp_path)


def test_a_full_disk_is_named_and_stored_features_are_used(cached, weights, tmp_path, monkeypatch, encoded):
    model = frozen(cached, weights)
    cache = FeatureCache(model, tmp_path)
    written = []

    def full(number):
        written.append(number)
        if len(written) == 7:  # three files a piece
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(append_store.os, "fsync", full)
    with pytest.raises(Problem, match=r"cannot be written: No space left.*make room"):
        cache.of_views(cached.views("train"))
    encoded.clear()
    of_views(model, cached, tmp_path)
    assert sum(encoded) == VIEWS - 100
