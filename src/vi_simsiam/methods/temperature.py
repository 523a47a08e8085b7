"""Temperature as uncertainty: Zhang, Wu and Goodman (2021), arXiv 2110.04403."""

import math

import torch
from torch import Tensor

from vi_simsiam.config.schema import TemperatureTraining
from vi_simsiam.methods.base import CertaintyBounds, ImageSpec, Losses
from vi_simsiam.methods.simclr import Contrastive
from vi_simsiam.nn.heads import ScalarHead


class Temperature(Contrastive):
    """SimCLR in which the cosines of an image with all others are divided by its temperature tau(x).

    1/tau(x) = sigmoid(r) / lowest is the concentration of p(z | x), as in the authors' code. It is bounded, because it
    would grow without bound for an image whose other view is always found. The normaliser of p(z | x_i) is the same for
    all views that z_i is compared with, so it cancels. When training begins, tau is twice the lowest for every image.
    """

    certainty_scores = ("inverse_temperature",)
    certainty_bounds = CertaintyBounds(
        what="1 / tau",
        low=0.01,
        high=math.inf,
        flat="all images of a batch look alike to every image, and none is told apart",
        sure="",
        way_out="Lower pretrain.temperature.gain or pretrain.lr, or check that cache_views.augmentation leaves the "
        "images recognisable.",
    )

    def __init__(self, params: TemperatureTraining, images: ImageSpec):
        lowest = params.temperature.lowest
        super().__init__(params, images, kappa=1 / (2 * lowest))  # that of all images when training begins
        self.lowest = lowest
        self.temperature_head = ScalarHead(self.backbone.dim, params.temperature.hidden, params.temperature.gain)

    def inverse_temperature(self, features: Tensor) -> Tensor:
        """1 / tau(x), (B,) in (0, 1 / lowest)."""
        return torch.sigmoid(self.temperature_head(features)) / self.lowest

    def certainty(self, features: Tensor) -> dict[str, Tensor]:
        return {"inverse_temperature": self.inverse_temperature(features)}

    def losses(self, features: list[Tensor], z: list[Tensor]) -> Losses:
        kappa = torch.cat([self.inverse_temperature(f) for f in features])
        losses = self.nt_xent(z, kappa.unsqueeze(1))
        return losses._replace(monitors=losses.monitors | {"kappa": kappa.detach()})


METHOD = Temperature
