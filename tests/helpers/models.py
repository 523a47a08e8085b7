"""Folders of tiny untrained models."""

from pathlib import Path

import torch

from helpers.small import SHIPPED
from vi_simsiam.config.encoder_params import BackboneParams
from vi_simsiam.config.loading import merged, resolve
from vi_simsiam.config.schema import UntrainedParams, parse
from vi_simsiam.core.record import RunRecord
from vi_simsiam.data.store import Store
from vi_simsiam.evaluation.linear import LinearProbe, no_classes
from vi_simsiam.evaluation.scorer import Scorer
from vi_simsiam.methods import ImageSpec, Method, build
from vi_simsiam.models import reference, saved
from vi_simsiam.training.trainer import image_spec

BACKBONE = {"name": "resnet10", "width": 4, "stem": "3x3/2"}
IN_SMALL = BackboneParams(**BACKBONE)
COLOUR = ImageSpec(16, 3, (0.5,) * 3, (0.3,) * 3)


def encoder(folder: Path, images: ImageSpec = COLOUR) -> Path:
    """An encoder alone, whose batch norms have statistics of random images."""
    torch.manual_seed(7)
    model = build("untrained", UntrainedParams(backbone=IN_SMALL), images).train()
    for _ in range(20):
        model.features(torch.rand(16, images.channels, images.size, images.size))
    saved.save(folder, model.eval(), saved.describe("untrained", {"backbone": BACKBONE}, images))
    RunRecord("pretrain", {}, dataset="digits").write(folder)
    return folder


def scorer(
    model: Method,
    features: torch.Tensor,
    labels: torch.Tensor | None = None,
    probe: LinearProbe | None = None,
    losses: torch.Tensor | None = None,
    k: int = 5,
) -> Scorer:
    """A scorer by the features of training images, which have no labels and a loss of 1 by default."""
    labels = torch.full((len(features),), -1) if labels is None else labels
    losses = torch.ones(len(features)) if losses is None else losses
    return Scorer(model, probe or no_classes(features.shape[1]), features, labels, k, 0.1, losses)


def untaught(folder: Path, store: Store, method: str = "vi_simsiam") -> Path:
    """A model of a method, as a training on the store would leave it, with a score that differs from image to image."""
    torch.manual_seed(0)
    params = merged(resolve(SHIPPED, "pretrain", "digits", method), {"backbone": BACKBONE})
    parsed = parse("pretrain", params, method)
    model = build(method, parsed, image_spec(store, parsed.backbone)).eval()
    for parameter in model.parameters():
        if parameter.dim() == 2 and not parameter.any():  # the zeros of a new head: every image has the same kappa
            torch.nn.init.normal_(parameter)
    saved.save(folder, model, saved.describe(method, params, model.images, dataset="digits"))
    reference.write(folder, model, store)
    RunRecord("pretrain", params).write(folder)
    return folder
