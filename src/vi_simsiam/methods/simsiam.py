"""SimSiam: Chen and He, "Exploring Simple Siamese Representation Learning" (2021), arXiv 2011.10566."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from vi_simsiam.config.schema import PretrainParams
from vi_simsiam.core import distributed as processes
from vi_simsiam.methods.base import ImageSpec, Losses, Method, dot_products
from vi_simsiam.nn import objective as elbo
from vi_simsiam.nn.backbones import mlp
from vi_simsiam.nn.distributions import log_sphere_area, von_mises_fisher_kl_uniform, von_mises_fisher_log_normaliser


class SimSiam(Method):
    """Predict one view's embedding from the other's, with a stop-gradient on the target.

    Read as variational inference, p(z | x_1) is a von Mises-Fisher distribution of constant concentration around the
    prediction mu_1 and q(z | x_2) a point at sg(z_2): log p is kappa times the cosine, up to a constant. The loss is
    the cosine alone, so the constant kappa only shows in the logged terms; it is the one that expects a cosine of about
    1/2 (Banerjee et al. 2005, eq. 4.4), where VI-SimSiam's starts.
    """

    latent = "S^(d-1), von Mises-Fisher with constant concentration"
    target = "point at the other view's embedding, stop-gradient"

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
        kappas = [self.concentration(f, p) for f, p in zip(features, projections, strict=True)]
        # Each prediction against the other view's embedding.
        cosines = [(mu[0] * z[1]).sum(-1), (mu[1] * z[0]).sum(-1)]
        align = sum(self.align(c, k, progress).mean() for c, k in zip(cosines, kappas, strict=True)) / 2
        monitors = {"mean_cosine": sum(c.detach().mean() for c in cosines) / 2, "embedding": z[0]}
        with torch.no_grad():
            log_ratio = self.log_prob(
                dot_products(z[1], processes.gather(mu[0])), processes.gather(kappas[0])
            ) + log_sphere_area(self.d)
            monitors |= elbo.spherical_terms(log_ratio, self.kl(kappas[0]))
        zero = align.new_zeros(())
        return Losses(align=align, uniform=zero, kl=zero, monitors=monitors | self.monitors(kappas))

    def concentration(self, features: Tensor, projection: Tensor) -> Tensor:
        """kappa of p(z | x), (B,), from (B, dim) features and (B, d) projections: here a constant."""
        return features.new_full((len(features),), self.constant_kappa, dtype=torch.float64)

    def align(self, cosine: Tensor, kappa: Tensor, progress: float) -> Tensor:
        """-J_align of each image, (B,), from mu_i.sg(z_j), (B,): here minus the cosine, SimSiam's eq. 1."""
        return -cosine

    def log_prob(self, cosine: Tensor, kappa: Tensor) -> Tensor:
        """log p(z | x) in nats from mu.z and kappa, which broadcast; float64."""
        return von_mises_fisher_log_normaliser(self.constant_kappa, self.d) + kappa * cosine.double()

    def kl(self, kappa: Tensor) -> Tensor:
        """KL(p(z | x) || uniform) in nats, of kappa's shape, float64."""
        return torch.full_like(kappa, von_mises_fisher_kl_uniform(self.constant_kappa, self.d))

    def monitors(self, kappas: list[Tensor]) -> dict[str, Tensor]:
        """More for the history, from the two views' concentrations."""
        return {}


METHOD = SimSiam
