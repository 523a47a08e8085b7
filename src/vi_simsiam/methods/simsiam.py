"""SimSiam: Chen and He, "Exploring Simple Siamese Representation Learning" (2021), arXiv 2011.10566."""

import torch
from torch import Tensor
from torch.distributions import kl_divergence
from torch.nn.functional import normalize

from vi_simsiam.config.schema import PretrainParams
from vi_simsiam.core import distributed
from vi_simsiam.methods.base import ImageSpec, Losses, Method
from vi_simsiam.nn import objective
from vi_simsiam.nn.backbones import mlp
from vi_simsiam.nn.distributions import log_sphere_area
from vi_simsiam.nn.sphere import HypersphericalUniform, OnSphere, PointMass, VonMisesFisher


class SimSiam(Method):
    """Predict one view's embedding from the other's, with a stop-gradient on the target.

    Read as variational inference, p(z | x_1) is a von Mises-Fisher distribution of constant concentration around the
    prediction mu_1 and q(z | x_2) a point at sg(z_2): log p is kappa times the cosine, up to a constant. The loss is
    the cosine alone, so the constant kappa only shows in the logged terms; it is the one that expects a cosine of about
    1/2 (Banerjee et al. 2005, eq. 4.4), where VI-SimSiam's starts.
    """

    latent, prior, target = VonMisesFisher, HypersphericalUniform, PointMass
    certainty_scores = ()

    def __init__(self, params: PretrainParams, images: ImageSpec):
        super().__init__(params.backbone, images)
        projector, predictor = params.projector, params.predictor
        self.d = projector.out
        self.projector = mlp(self.backbone.dim, projector.hidden, self.d, projector.layers, last_norm=True)
        self.predictor = mlp(self.d, predictor.hidden, self.d, layers=2)
        self.constant_kappa = 0.5 * (self.d - 0.25) / 0.75

    def embedding(self, features: Tensor) -> Tensor:
        return normalize(self.projector(features).float(), dim=-1)

    def forward(self, views: tuple[Tensor, Tensor], progress: float) -> Losses:
        features = [self.features(view) for view in views]
        projections = [self.projector(f) for f in features]
        # sg(z), the embeddings as targets: no gradient reaches them.
        z = [normalize(p.detach().float(), dim=-1) for p in projections]
        mu = [normalize(self.predictor(p).float(), dim=-1) for p in projections]
        predicted = [self.p(*each) for each in zip(mu, features, projections, strict=True)]
        # Each prediction against the other view's embedding.
        cosines = [(mu[0] * z[1]).sum(-1), (mu[1] * z[0]).sum(-1)]
        align = sum(self.align(p, c, progress).mean() for p, c in zip(predicted, cosines, strict=True)) / 2
        monitors = {"mean_cosine": sum(c.detach().mean() for c in cosines) / 2, "embedding": z[0]}
        with torch.no_grad():
            log_ratio = predicted[0].mapped(distributed.gather).pairwise(z[1]) + log_sphere_area(self.d)
            kl = kl_divergence(predicted[0], HypersphericalUniform(self.d, validate_args=False))
            monitors |= objective.spherical_terms(log_ratio, kl)
        zero = align.new_zeros(())
        return Losses(align=align, uniform=zero, kl=zero, monitors=monitors | self.monitors(predicted))

    def p(self, mu: Tensor, features: Tensor, projection: Tensor) -> OnSphere:
        """p(z | x) of B images, from (B, d) predictions, (B, dim) features and (B, d) projections."""
        return VonMisesFisher(mu, self.constant_kappa, validate_args=False)

    def align(self, p: OnSphere, cosine: Tensor, progress: float) -> Tensor:
        """-J_align of each image, (B,), from mu_i.sg(z_j), (B,): here minus the cosine, SimSiam's eq. 1."""
        return -cosine

    def monitors(self, predicted: list[OnSphere]) -> dict[str, Tensor]:
        """More for the history, from the two views' distributions."""
        return {}


METHOD = SimSiam
