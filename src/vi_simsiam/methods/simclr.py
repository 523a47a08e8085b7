"""SimCLR: Chen et al., "A Simple Framework for Contrastive Learning" (2020), arXiv 2002.05709."""

import math

import torch
from torch import Tensor
from torch.nn.functional import normalize

from vi_simsiam import elbo
from vi_simsiam.backbones import mlp
from vi_simsiam.distributions import log_sphere_area, von_mises_fisher_kl_uniform, von_mises_fisher_log_normaliser
from vi_simsiam.methods.base import ImageSpec, Losses, Method, dot_products
from vi_simsiam.params import PretrainParams


class SimClr(Method):
    """Pick the other view of an image among all views in the batch.

    Read as variational inference, p(z | x_k) is a von Mises-Fisher distribution of concentration 1/temperature around
    z_k, q(z | x_i) a point at z_i, and the negatives are J_uniform: its inner mean runs over the 2B - 1 other views.
    The normaliser log C cancels between the two terms, and align + uniform = NT-Xent - log(2B - 1).
    """

    latent = "S^(d-1), von Mises-Fisher with constant concentration 1 / temperature"
    target = "point at the other view's embedding"

    def __init__(self, params: PretrainParams, images: ImageSpec):
        super().__init__(params.backbone, images)
        projector = params.projector
        self.d = projector.out
        self.projector = mlp(self.backbone.dim, projector.hidden, self.d, projector.layers, last_norm=True)
        self.kappa = 1 / params.simclr.temperature

    def embedding(self, features: Tensor) -> Tensor:
        return normalize(self.projector(features).float(), dim=-1)

    def forward(self, views: tuple[Tensor, Tensor], progress: float) -> Losses:
        z = [self.embedding(self.features(view)) for view in views]
        n = len(z[0])
        both = torch.cat(z)
        log_p = self.kappa * dot_products(both, both)  # up to log C
        align = -torch.cat([log_p.diagonal(n), log_p.diagonal(-n)]).mean()
        own = torch.eye(2 * n, dtype=torch.bool, device=log_p.device)
        others = torch.logsumexp(log_p.masked_fill(own, -torch.inf), dim=1)
        uniform = (others - math.log(2 * n - 1)).mean()
        detached = [v.detach() for v in z]
        monitors = {"mean_cosine": (detached[0] * detached[1]).sum(-1).mean(), "embedding": detached[0]}
        constant = von_mises_fisher_log_normaliser(self.kappa, self.d) + log_sphere_area(self.d)
        kl = align.new_tensor(von_mises_fisher_kl_uniform(self.kappa, self.d))
        monitors |= elbo.spherical_terms(constant + self.kappa * dot_products(detached[1], detached[0]).double(), kl)
        return Losses(align=align, uniform=uniform, kl=align.new_zeros(()), monitors=monitors)


METHOD = SimClr
