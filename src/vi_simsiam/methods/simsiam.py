"""SimSiam: Chen and He, "Exploring Simple Siamese Representation Learning" (2021), arXiv 2011.10566."""

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import normalize

from vi_simsiam.config.schema import SimSiamTraining
from vi_simsiam.methods.base import ImageSpec, Losses, Method
from vi_simsiam.nn import elbo_terms
from vi_simsiam.nn.backbones import mlp
from vi_simsiam.nn.sphere import HypersphericalUniform, OnSphere, PointMass, VonMisesFisher


class SimSiam(Method):
    """Predict one view's embedding from the other's, with a stop-gradient on the target.

    Read as variational inference, p(z | x_1) is a von Mises-Fisher distribution of constant concentration around the
    prediction mu_1 and q(z | x_2) a point at sg(z_2): log p is kappa times the cosine, up to a constant. The loss is
    minus the cosine, so the constant kappa only appears in the logged terms. Its expected cosine is about 1/2 (Banerjee
    et al. 2005, eq. 4.4), as VI-SimSiam's when training begins.
    """

    latent, prior, target = VonMisesFisher, HypersphericalUniform, PointMass
    certainty_scores: ClassVar[tuple[str, ...]] = ()

    def __init__(self, params: SimSiamTraining, images: ImageSpec):
        super().__init__(params.backbone, images)
        projector, predictor = params.projector, params.predictor
        self.d = projector.out
        self.projector = mlp(self.backbone.dim, projector.hidden, self.d, projector.layers, last_norm=True)
        self.predictor = mlp(self.d, predictor.hidden, self.d, layers=2)
        self.constant_kappa = 0.5 * (self.d - 0.25) / 0.75

    def projection(self, features: Tensor) -> Tensor:
        return self.projector(features)

    def forward(self, views: tuple[Tensor, Tensor], phase: Any = None) -> Losses:
        features = [self.features(view) for view in views]
        projections = [self.projector(f) for f in features]
        # sg(z), the embeddings as targets: no gradient reaches them.
        z = [normalize(projection.detach().float(), dim=-1) for projection in projections]
        p = [self.p(*each) for each in zip(features, projections, strict=True)]
        # Each prediction against the other view's embedding.
        align = (self.align(p[0], z[1], phase).mean() + self.align(p[1], z[0], phase).mean()) / 2
        zero = align.new_zeros(())
        return Losses(align=align, uniform=zero, kl=zero, monitors=self.monitors(p, z))

    def p(self, features: Tensor, projection: Tensor) -> OnSphere:
        """p(z | x) of B images, from (B, dim) features and their (B, d) projections."""
        return VonMisesFisher(self.mu(projection), self.constant_kappa, validate_args=False)

    def mu(self, projection: Tensor) -> Tensor:
        """Mean direction of p(z | x): (B, d) projections to unit vectors (B, d), float32."""
        return normalize(self.predictor(projection).float(), dim=-1)

    def align(self, p: OnSphere, z: Tensor, phase: Any = None) -> Tensor:
        """-J_align of each image, (B,), of targets z, (B, d): here minus the cosine mu.z, SimSiam's eq. 1."""
        return -(p.loc * z).sum(-1)

    @torch.no_grad()
    def monitors(self, p: list[OnSphere], z: list[Tensor]) -> dict[str, Tensor]:
        """The `Losses.monitors`, from the distributions and the targets of the two views."""
        mean_cosine = ((p[0].loc * z[1]).sum(-1).mean() + (p[1].loc * z[0]).sum(-1).mean()) / 2
        terms = elbo_terms.spherical_terms(p[0], z[1], self.prior(self.d, validate_args=False))
        return {"mean_cosine": mean_cosine, "embedding": z[0], **terms}


METHOD = SimSiam
