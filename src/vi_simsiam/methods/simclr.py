"""SimCLR: Chen et al., "A Simple Framework for Contrastive Learning" (2020), arXiv 2002.05709."""

import math
from typing import Any, ClassVar

import torch
from torch import Tensor

from vi_simsiam.config.schema import ProjectedTraining, SimClrTraining
from vi_simsiam.core import distributed
from vi_simsiam.methods.base import ImageSpec, Losses, Method
from vi_simsiam.nn import elbo_terms
from vi_simsiam.nn.backbones import mlp
from vi_simsiam.nn.sphere import HypersphericalUniform, PointMass, VonMisesFisher, dot_products


class Contrastive(Method):
    """Pick the other view of an image among all views in the batch; SimCLR and its descendants.

    Read as variational inference, p(z | x_k) is a von Mises-Fisher distribution of concentration 1/temperature around
    z_k, q(z | x_i) a point at z_i, and the negatives are J_uniform: its inner mean runs over the 2B - 1 other views.
    The normaliser log C cancels between the two terms, and align + uniform = NT-Xent - log(2B - 1).
    """

    latent: ClassVar[type] = VonMisesFisher
    target: ClassVar[type] = PointMass
    prior = HypersphericalUniform
    certainty_scores: ClassVar[tuple[str, ...]] = ()

    def __init__(self, params: ProjectedTraining, images: ImageSpec, kappa: float):
        """`kappa` is the concentration of all images, also in the logged terms."""
        super().__init__(params.backbone, images)
        projector = params.projector
        self.d = projector.out
        self.projector = mlp(self.backbone.dim, projector.hidden, self.d, projector.layers, last_norm=True)
        self.kappa = kappa

    def projection(self, features: Tensor) -> Tensor:
        return self.projector(features)

    def forward(self, views: tuple[Tensor, Tensor], phase: Any = None) -> Losses:
        features, z = [], []
        for view in views:
            features.append(self.features(view))
            z.append(self.embedding(features[-1]))
        return self.losses(features, z)

    def losses(self, features: list[Tensor], z: list[Tensor]) -> Losses:
        """The objective, from (B, dim) features and (B, d) embeddings of each of the two views."""
        return self.nt_xent(z, self.kappa)

    def nt_xent(self, z: list[Tensor], kappa: Tensor | float) -> Losses:
        """SimCLR's objective with concentration `kappa`: one number, or (2B, 1), one for each view."""
        everyone = [distributed.gather(v) for v in z]  # negatives come from the whole batch, with their gradient
        log_p = kappa * dot_products(torch.cat(z), torch.cat(everyone))  # up to log C
        positive, others = among_all(log_p)
        align, uniform = -positive.mean(), others.mean()
        return Losses(align=align, uniform=uniform, kl=align.new_zeros(()), monitors=self.monitors(*z))

    @torch.no_grad()
    def monitors(self, mu: Tensor, z: Tensor) -> dict[str, Tensor]:
        """The `Losses.monitors`, from the embeddings of the two views."""
        p = VonMisesFisher(mu, self.kappa, validate_args=False)
        terms = elbo_terms.spherical_terms(p, z, self.prior(self.d, validate_args=False))
        return {"mean_cosine": (mu * z).sum(-1).mean(), "embedding": mu.detach(), **terms}


class SimClr(Contrastive):
    """Contrastive learning with one temperature for all images."""

    def __init__(self, params: SimClrTraining, images: ImageSpec):
        super().__init__(params, images, kappa=1 / params.simclr.temperature)


def among_all(log_p: Tensor) -> tuple[Tensor, Tensor]:
    """Each view's value with the other view of its image, and log mean exp of its values with all other views.

    Args:
        log_p: (..., 2b, 2B), a row for each of this process's views, of first views then of second ones, and a column
            for each view of the whole batch.

    Returns: two tensors (..., 2b).
    """
    n = log_p.shape[-1] // 2
    views = torch.arange(2 * n, device=log_p.device).view(2, n)
    row = torch.cat([distributed.own_slice(view) for view in views])  # positions of this process's views in the batch
    other = ((row + n) % (2 * n)).unsqueeze(1).expand(*log_p.shape[:-1], 1)
    itself = row.unsqueeze(1) == views.flatten()
    others = torch.logsumexp(log_p.masked_fill(itself, -torch.inf), dim=-1) - math.log(2 * n - 1)
    return log_p.gather(-1, other).squeeze(-1), others


METHOD = SimClr
