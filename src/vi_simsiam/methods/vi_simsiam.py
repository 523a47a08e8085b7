"""VI-SimSiam: Nakamura, Okada and Taniguchi (2023), arXiv 2203.11437.

SimSiam whose latent distribution is power spherical, with a concentration kappa(x) that the network predicts.
docs/method.md tells the paper's statements from our choices.
"""

import torch
from torch import Tensor, nn

from vi_simsiam.config.schema import ViSimSiamTraining
from vi_simsiam.methods.base import ImageSpec
from vi_simsiam.methods.simsiam import SimSiam
from vi_simsiam.nn.backbones import mlp
from vi_simsiam.nn.distributions import expected_cosine, log1p_cosine
from vi_simsiam.nn.sphere import PowerSpherical


class ViSimSiam(SimSiam):
    """L = -1/2 [log PS(sg(z_2); mu_1, kappa_1) + log PS(sg(z_1); mu_2, kappa_2)] / d.

    The value of the loss is this likelihood for every `objective`. The objectives differ only in the gradient of mu,
    because that of the likelihood vanishes as kappa approaches 0, which early in training is a local optimum. With
    c = mu.z, the gradient of mu is that of

    - likelihood: (kappa / d) log(1 + c)
    - beta: w log(1 + c) with the weight w = (kappa / d)^(1 - beta) held constant
    - decoupled: c, SimSiam's
    - warmup: decoupled for the first share `warmup` of the training, then likelihood
    """

    latent = PowerSpherical
    certainty_scores = ("kappa", "expected_cosine")
    collapse_way_out = (
        "Lower pretrain.vi_simsiam.kappa_gain, or set pretrain.vi_simsiam.objective to decoupled, to beta with beta 1, "
        "or to warmup with a longer warmup."
    )

    def __init__(self, params: ViSimSiamTraining, images: ImageSpec):
        super().__init__(params, images)
        self.vi = params.vi_simsiam
        inputs = self.backbone.dim if self.vi.kappa_input == "features" else self.d
        self.kappa_head = mlp(inputs, self.vi.kappa_hidden, 1, layers=2)
        nn.init.zeros_(self.kappa_head[-1].weight)  # training starts from an expected cosine of 1/2 for every image
        nn.init.zeros_(self.kappa_head[-1].bias)

    def expected_cosine_logit(self, features: Tensor, projection: Tensor) -> Tensor:
        """r, (B,) float32, the predicted logit of E[mu.z], a scale that does not depend on d.

        With kappa = (d-1) exp(r), E[mu.z] = kappa / (kappa + d - 1) = sigmoid(r).
        """
        inputs = features if self.vi.kappa_input == "features" else projection
        if self.vi.kappa_detach:
            inputs = inputs.detach()
        # The hidden units are normalised, so the speed at which their plain sum learns is proportional to their number:
        # kappa then falls to 0 in the first steps, before the views agree. Divided by the root of that number, the
        # speed does not depend on the width.
        return self.vi.kappa_gain * self.kappa_head(inputs).squeeze(-1).float() / self.vi.kappa_hidden**0.5

    def kappa(self, logit: Tensor) -> Tensor:
        """Concentration (B,) in (0, inf), float64: exp and the log-gammas need its range."""
        return (self.d - 1) * torch.exp(logit.double())

    def certainty(self, features: Tensor) -> dict[str, Tensor]:
        p = self.p(features, self.projector(features))
        return {"kappa": p.concentration.float(), "expected_cosine": p.expected_cosine.float()}

    def p(self, features: Tensor, projection: Tensor) -> PowerSpherical:
        kappa = self.kappa(self.expected_cosine_logit(features, projection))
        return PowerSpherical(self.mu(projection), kappa, validate_args=False)

    def phase(self, progress: float) -> str:
        """The objective of that part of the training."""
        if self.vi.objective != "warmup":
            return self.vi.objective
        return "decoupled" if progress < self.vi.warmup else "likelihood"

    def align(self, p: PowerSpherical, z: Tensor, phase: str | None = None) -> Tensor:
        """-log p(z) / d of each image, (B,); the gradient to the cosine mu.z depends on the objective.

        The division by d lets SimSiam's learning rates carry over.
        """
        cosine = (p.loc * z).sum(-1)
        objective = phase or self.phase(0.0)
        if objective == "likelihood":
            return -p.log_density(cosine) / self.d
        for_kappa = -p.log_density(cosine.detach()) / self.d
        if objective == "decoupled":
            for_mu = -cosine.double()
        else:
            weight = (p.concentration.detach() / self.d) ** (1 - self.vi.beta)
            for_mu = -weight * log1p_cosine(cosine)
        return for_kappa + (for_mu - for_mu.detach())

    @torch.no_grad()
    def monitors(self, p: list[PowerSpherical], z: list[Tensor]) -> dict[str, Tensor]:
        kappa = torch.cat([each.concentration for each in p])
        return {**super().monitors(p, z), "kappa": kappa, "expected_cosine": expected_cosine(kappa, self.d).mean()}


METHOD = ViSimSiam
