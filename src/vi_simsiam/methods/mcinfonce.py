"""MCInfoNCE: Kirchhof, Kasneci and Oh (2023), arXiv 2302.02865."""

import math

import torch
from torch import Tensor

from vi_simsiam.config.schema import McInfoNceTraining
from vi_simsiam.core import distributed
from vi_simsiam.methods.base import ImageSpec, Losses
from vi_simsiam.methods.simclr import Contrastive, among_all
from vi_simsiam.nn import elbo_terms
from vi_simsiam.nn.heads import ScalarHead
from vi_simsiam.nn.sphere import PowerSpherical


class McInfoNce(Contrastive):
    """SimCLR on samples from the distribution predicted for each view: a direction and a concentration.

    For view i with the other view j, L_i = -log E[exp(c z_i.z_j) / mean over k != i of exp(c z_i.z_k)]. All z are
    samples from the views' q(z | x), and c is the constant `critic`. The expectation is a mean over `samples`, inside
    the logarithm, so few samples bias the loss upwards.

    The paper's q is a von Mises-Fisher distribution, sampled by rejection. Here it is power spherical, whose samples
    are reparametrised exactly. Near mu, (1 + mu.z)^kappa is like exp(kappa / 2 mu.z); far from mu it is smaller, and 0
    at the antipode. Both families range from the uniform distribution to a point, so they order images alike. Their
    values of kappa are not comparable, but E[mu.z] is; `expected_cosine` is its value when training begins.

    `align` is the mean of the positive pairs' terms, `uniform` the rest of the loss. The loss has no term for the KL.
    """

    latent = target = PowerSpherical
    certainty_scores = ("sampled_kappa",)
    collapse_way_out = (
        "Lower pretrain.mcinfonce.gain, or raise pretrain.mcinfonce.expected_cosine or pretrain.mcinfonce.critic."
    )

    def __init__(self, params: McInfoNceTraining, images: ImageSpec):
        section = params.mcinfonce
        super().__init__(params, images, kappa=section.critic)  # between two samples
        self.samples, self.start = section.samples, math.log(section.expected_cosine / (1 - section.expected_cosine))
        self.kappa_head = ScalarHead(self.backbone.dim, section.hidden, section.gain)

    def q(self, features: Tensor, mu: Tensor) -> PowerSpherical:
        """q(z | x) of B images, from (B, dim) features and their (B, d) embeddings; E[mu.z] = sigmoid(start + r)."""
        kappa = (self.d - 1) * torch.exp(self.start + self.kappa_head(features).double())
        return PowerSpherical(mu, kappa, validate_args=False)

    def certainty(self, features: Tensor) -> dict[str, Tensor]:
        return {"sampled_kappa": self.q(features, self.embedding(features)).concentration.float()}

    def losses(self, features: list[Tensor], z: list[Tensor]) -> Losses:
        q = [self.q(*each) for each in zip(features, z, strict=True)]
        # Every process draws for the whole batch from the same generator, so an image's samples do not depend on the
        # number of processes.
        drawn = [each.mapped(distributed.gather).rsample((self.samples,)) for each in q]  # (S, B, d)
        local = torch.cat([distributed.own_slice(each.transpose(0, 1)).transpose(0, 1) for each in drawn], dim=1)
        with torch.autocast(local.device.type, enabled=False):
            log_p = self.kappa * local @ torch.cat(drawn, dim=1).mT
        positive, others = among_all(log_p)
        align = -positive.mean()
        loss = math.log(self.samples) - torch.logsumexp(positive - others, dim=0).mean()
        other_view = distributed.own_slice(drawn[1][0])
        return Losses(align, loss - align, align.new_zeros(()), self.monitors_of(q, other_view))

    @torch.no_grad()
    def monitors_of(self, q: list[PowerSpherical], z: Tensor) -> dict[str, Tensor]:
        """The `Losses.monitors`, from the distributions of the two views and a sample of the second, (B, d)."""
        terms = elbo_terms.spherical_terms(q[0], z, self.prior(self.d, validate_args=False))
        both = torch.cat([each.concentration for each in q])
        expected = torch.cat([each.expected_cosine for each in q]).mean()
        mean_cosine = (q[0].loc * q[1].loc).sum(-1).mean()
        named = {"mean_cosine": mean_cosine, "expected_cosine": expected, "kappa": both, "embedding": q[0].loc.detach()}
        return named | terms


METHOD = McInfoNce
