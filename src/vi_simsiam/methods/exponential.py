"""Exponential distance: SimSiam with a rate for each image, the parameter of its distribution of distances.

The loss is from the code of a thesis, repository NikolaiL96/UASSL, which trains only the rate with it, beside other
losses.
"""

from typing import Any

import torch
from torch import Tensor

from vi_simsiam.config.schema import ExponentialTraining
from vi_simsiam.methods.base import CertaintyBounds, ImageSpec
from vi_simsiam.methods.simsiam import SimSiam
from vi_simsiam.nn.heads import ScalarHead
from vi_simsiam.nn.sphere import OnSphere, VonMisesFisher


class ExponentialDistance(OnSphere):
    """Points z whose distance 1 - mu.z from the mean direction is exponential; the concentration is the rate u.

    `log_density` is the density of the distance, log u - u (1 - mu.z), not of z on the sphere. In three dimensions they
    differ by a constant and by log(1 - exp(-2u)). In more dimensions, a von Mises-Fisher distribution with the same
    mean distance has a larger concentration: about u (d - 1) / 2.
    """

    def log_density(self, cosine: Tensor) -> Tensor:
        rate = self.concentration.double()
        return torch.log(rate) - rate * (1 - cosine.double())


class Exponential(SimSiam):
    """L = 1/2 [u_1 (1 - mu_1.sg(z_2)) - log u_1 + u_2 (1 - mu_2.sg(z_1)) - log u_2], u(x) > 0.

    The best u of an image is one over the mean distance of its views. As in SimSiam, no gradient reaches the target z.
    The gradient of mu is u times SimSiam's. It does not vanish like that of VI-SimSiam's likelihood, because views at
    right angles have u = 1. But for views that never differ, u grows without bound.
    """

    latent = ExponentialDistance
    certainty_scores = ("rate",)
    certainty_bounds = CertaintyBounds(
        what="the rate",
        low=0.1,
        high=1e4,
        flat="the views of an image lie farther apart than opposite points",
        sure="its views are the same",
        way_out="Lower pretrain.exponential.gain, or give cache_views.augmentation more to change.",
    )

    def __init__(self, params: ExponentialTraining, images: ImageSpec):
        super().__init__(params, images)
        self.rate_head = ScalarHead(self.backbone.dim, params.exponential.hidden, params.exponential.gain)

    def rate(self, features: Tensor) -> Tensor:
        """u, (B,) float64 in (0, inf); 1 for every image when training begins, that of views at right angles."""
        return torch.exp(self.rate_head(features).double())

    def certainty(self, features: Tensor) -> dict[str, Tensor]:
        return {"rate": self.rate(features).float()}

    def p(self, features: Tensor, projection: Tensor) -> OnSphere:
        return ExponentialDistance(self.mu(projection), self.rate(features), validate_args=False)

    def align(self, p: OnSphere, z: Tensor, phase: Any = None) -> Tensor:
        """u (1 - mu.z) - log u of each image, (B,)."""
        return -p.log_density((p.loc * z).sum(-1))

    @torch.no_grad()
    def monitors(self, p: list[OnSphere], z: list[Tensor]) -> dict[str, Tensor]:
        """Those of SimSiam, with its constant concentration, and the rates as `kappa`."""
        directions: list[OnSphere] = [VonMisesFisher(each.loc, self.constant_kappa, validate_args=False) for each in p]
        return {**super().monitors(directions, z), "kappa": torch.cat([each.concentration for each in p])}


METHOD = Exponential
