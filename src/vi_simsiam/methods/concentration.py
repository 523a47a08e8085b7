"""Explicit concentration: Li et al. (2024), arXiv 2405.16460.

Written from the paper's abstract and summaries: the form of the two terms is the paper's, the head of kappa and all
weights are our choice.
"""

import torch
from torch import Tensor

from vi_simsiam.config.schema import ConcentrationTraining
from vi_simsiam.methods.base import CertaintyBounds, ImageSpec, Losses
from vi_simsiam.methods.simclr import SimClr
from vi_simsiam.nn.heads import ScalarHead


class Concentration(SimClr):
    """L = SimCLR's - weight (kappa_1 + kappa_2) mu_1.mu_2 + l2 (kappa_1^2 + kappa_2^2).

    exp(kappa mu.z) is a von Mises-Fisher density without its normaliser, which would bound kappa. The penalty does so
    instead: the best kappa of an image is weight / (2 l2) times the mean cosine of its views, and without the penalty
    kappa would grow without bound. For small kappa, l2 = 1 / (2 d) makes the penalty the KL to the uniform prior. All
    terms train the encoder.
    """

    certainty_scores = ("concentration",)
    certainty_bounds = CertaintyBounds(
        what="kappa",
        low=1e-6,
        high=1e6,
        flat="the views of an image do not agree at all",
        sure="nothing bounds it",
        way_out="Raise pretrain.concentration.l2, or lower pretrain.concentration.weight or "
        "pretrain.concentration.gain.",
    )

    def __init__(self, params: ConcentrationTraining, images: ImageSpec):
        super().__init__(params, images)
        self.weight, self.l2 = params.concentration.weight, params.concentration.l2
        self.kappa_head = ScalarHead(self.backbone.dim, params.concentration.hidden, params.concentration.gain)

    def predicted(self, features: Tensor) -> Tensor:
        """kappa(x), (B,) in (0, inf); 1 for every image when training begins."""
        return torch.exp(self.kappa_head(features))

    def certainty(self, features: Tensor) -> dict[str, Tensor]:
        return {"concentration": self.predicted(features)}

    def losses(self, features: list[Tensor], z: list[Tensor]) -> Losses:
        losses = self.nt_xent(z, self.kappa)
        kappa = torch.stack([self.predicted(f) for f in features])
        return losses._replace(
            align=losses.align - self.weight * (kappa.sum(0) * (z[0] * z[1]).sum(-1)).mean(),
            kl=self.l2 * kappa.square().sum(0).mean(),
            monitors=losses.monitors | {"kappa": kappa.detach().flatten()},
        )


METHOD = Concentration
