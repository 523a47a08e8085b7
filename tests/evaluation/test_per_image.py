"""The tables of the step: which rows they have, and that each row has the scores of what it says."""

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.models import scorer
from helpers.small import SHIPPED, merged, pretrain_params
from vi_simsiam.config.loading import resolve
from vi_simsiam.config.schema import UntrainedParams, parse
from vi_simsiam.evaluation import corruptions, graded, linear
from vi_simsiam.evaluation.features import batches, extract
from vi_simsiam.evaluation.per_image import evaluate, matched, neighbours
from vi_simsiam.methods import ImageSpec, build


def tables(store, **changes):
    torch.manual_seed(0)
    backbone = {"name": "resnet10", "width": 4, "stem": "3x3"}
    model = build("untrained", UntrainedParams(backbone=backbone), ImageSpec(12, 1, (0.5,), (0.3,))).eval()
    bank, labels = (extract(model, batches(store.images("train"), 96))["features"], np.array(store.labels("train")))
    labels = torch.from_numpy(labels)
    read = scorer(model, bank, labels, linear.fit(bank, labels, 10, C=1e-3))
    features = extract(model, batches(store.images("test"), 40))["features"].numpy()
    params = merged(resolve(SHIPPED, "uncertainty", "digits"), {"crop_areas": [0.5, 1.0]} | changes)
    return read, evaluate(read, store, features, [], parse("uncertainty", params))


def same(table, scored):
    for name, values in scored.items():
        np.testing.assert_allclose(table[name], values, rtol=1e-4, err_msg=name)


def test_altered_images(store):
    strengths = {name: [] for name in SHIPPED["uncertainty"]["graded"]} | {"blur": [0.5, 1.0], "noise": [0.2]}
    corrupted = {"names": ["snow", "jpeg_compression"], "severities": [2, 5], "images": 15}
    read, made = tables(store, graded=strengths, corruptions=corrupted)
    pictures = store.images("test")
    rows = made.graded.groupby(["augmentation", "strength"], sort=False)
    assert list(rows.groups) == [("blur", 0), ("blur", 0.5), ("blur", 1), ("noise", 0), ("noise", 0.2)]
    same(rows.get_group(("blur", 0.0)), {"knn_density": made.images["knn_density"]})
    same(rows.get_group(("blur", 1.0)), read.score(graded.Augmentations(pictures, 0).batches("blur", 1.0, 50)))

    index = corruptions.chosen(40, 15, seed=0)
    rows = made.corrupted.groupby(["corruption", "severity"], sort=False)
    assert list(rows.groups) == [(name, severity) for name in corrupted["names"] for severity in (0, 2, 5)]
    for (name, severity), part in rows:
        np.testing.assert_array_equal(part["index"], index)
        np.testing.assert_array_equal(part["label"], store.labels("test")[index])
        np.testing.assert_array_equal(part["correct"], part["predicted"] == part["label"])
        if severity:
            same(part, read.score(corruptions.Corruptions(pictures, index, 0).batches(name, severity, 50)))
        else:
            same(part, {"knn_density": made.images["knn_density"][index]})


def test_no_corruptions_are_an_empty_table_with_all_columns(store):
    nothing = {name: [] for name in SHIPPED["uncertainty"]["graded"]}
    _, made = tables(store, graded=nothing)
    assert len(made.corrupted) == len(made.graded) == 0
    common = [name for name in made.graded if name not in ("augmentation", "strength")]
    assert list(made.corrupted) == [*common[:2], "corruption", "severity", *common[2:]]


def test_neighbours_are_those_of_the_embedding(store):
    torch.manual_seed(0)
    model = build("simsiam", pretrain_params("simsiam"), ImageSpec(12, 1, (0.5,), (0.3,))).eval()
    features = np.random.default_rng(0).normal(size=(30, model.backbone.dim)).astype(np.float32)
    read = scorer(model, torch.from_numpy(features), k=6)
    found = neighbours(read, features)
    with torch.no_grad():
        cosine = (z := model.embedding(torch.from_numpy(features))) @ z.T
    cosine.fill_diagonal_(-2)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(np.sort(found), np.sort(cosine.argsort(descending=True)[:, :6].numpy()))
    raw = torch.nn.functional.normalize(torch.from_numpy(features), dim=1)
    assert (np.sort(found) != np.sort((raw @ raw.T).fill_diagonal_(-2).topk(6).indices.numpy())).any()
    read.k = 50
    assert neighbours(read, features).shape == (30, 29)


@pytest.mark.parametrize("channels", [1, 3])
def test_grey_becomes_three_equal_channels_and_the_same_form_stays(channels):
    pictures = np.random.default_rng(0).integers(0, 256, (3, 8, 8, channels), dtype=np.uint8)
    np.testing.assert_array_equal(matched(pictures, 8, 3), np.repeat(pictures, 3 // channels, axis=3))


def test_colour_becomes_luma_as_pillows():
    pictures = np.random.default_rng(0).integers(0, 256, (2000, 8, 8, 3), dtype=np.uint8)  # more than a piece
    found = matched(pictures, 8, 1)
    for row in (0, 1500, 1999):
        expected = np.array(Image.fromarray(pictures[row]).convert("L"), int)
        assert np.abs(found[row, :, :, 0] - expected).max() <= 1


@pytest.mark.parametrize("size", [5, 20])
def test_resized_as_pillow(size):
    pictures = np.random.default_rng(0).integers(0, 256, (2, 12, 12, 1), dtype=np.uint8)
    found = matched(pictures, size, 1)
    for row in (0, 1):
        expected = Image.fromarray(pictures[row, :, :, 0]).resize((size, size), Image.Resampling.BILINEAR)
        assert np.abs(found[row, :, :, 0].astype(int) - np.array(expected, int)).max() <= 1
