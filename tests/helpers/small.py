"""Small data sets and parameters for tests of training and of whole steps."""

import json
import sys
from pathlib import Path

from helpers.project import ROOT
from vi_simsiam.config.loading import load, merged, resolve
from vi_simsiam.config.schema import AugmentationParams, CacheViewsParams, PretrainParams, parse
from vi_simsiam.core.record import RunRecord
from vi_simsiam.data.published import find_source
from vi_simsiam.data.store import Store
from vi_simsiam.data.store_writer import build
from vi_simsiam.transforms.views import Views

SHIPPED = load(ROOT / "params.yaml")


def digits_store(folder: Path, **changes) -> Store:
    """A store of digits with the shipped recipe, 12 px and 96 + 40 images unless `changes` say otherwise."""
    small = {"size": 12, "train_images": 96, "test_images": 40, "test_per_image": 2}
    params: CacheViewsParams = parse("cache_views", merged(resolve(SHIPPED, "cache_views", "digits"), small | changes))
    raw = folder / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    source = find_source("digits")
    source.download(raw, [], 0)
    build(folder / "store", "digits", source.read(raw, params.size), params)
    RunRecord("cache_views", params.model_dump(), dataset="digits").write(folder / "store")
    return Store.open(folder / "store")


def views_of(store: Store, **augmentation) -> Views:
    """Views of the images of a store; `augmentation` changes parameters of the store's."""
    return Views(AugmentationParams(**store.augmentation | augmentation), store.size, store.channels)


def pretrain_params(method: str, **changes) -> PretrainParams:
    """The digits recipe with a tiny network, 2 epochs and a lower rate unless `changes` say otherwise."""
    tiny = {
        "epochs": 2, "batch_size": 32, "lr": 0.3, "warmup_epochs": 0, "knn_every": 0,
        "backbone": {"name": "resnet10", "width": 4, "stem": "3x3/2"},
    }  # fmt: skip
    job = merged(resolve(SHIPPED, "pretrain", "digits", method), tiny)
    return parse("pretrain", merged(job, changes), method)


def training_command(store: Store, folder: Path, **changes) -> list:
    """Command line of the step `pretrain` of VI-SimSiam, which writes below the folder."""
    params = pretrain_params("vi_simsiam", **changes).model_dump()
    job = {"dataset": "digits", "method": "vi_simsiam", "seed": 0, "params": json.dumps(params), "store": store.folder}
    paths = {"out": folder / "out", "scratch": folder / "scratch"}
    return [sys.executable, ROOT / "src/pretrain.py", *(f"--{key}={value}" for key, value in (job | paths).items())]
