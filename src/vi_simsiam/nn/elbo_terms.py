"""Estimates of the three terms of the variational objective, for the history of every method (docs/method.md).

J = J_align + J_uniform + J_KL is the common objective of self-supervised methods. A method optimises some of the terms
and serves the others implicitly, so all three are measured on the batch, in nats; larger is better. Densities on the
sphere are relative to the uniform prior p(z). This moves a constant from J_uniform to J_align, so that 0 means the same
on spheres of any dimension.
"""

import math

import torch
from torch import Tensor
from torch.distributions import Distribution, kl_divergence

from vi_simsiam.core import distributed
from vi_simsiam.nn.sphere import OnSphere


@torch.no_grad()
def spherical_terms(p: OnSphere, z: Tensor, prior: Distribution) -> dict[str, Tensor]:
    """The terms of a method whose q(z | X) is a point z_i.

    J_align is the mean of log p(z_i | x_i) / p(z_i), and J_uniform = -E log E_x' p(z | x') / p(z), whose inner mean is
    taken over the batch. This estimator is biased in two ways. The logarithm is concave, so a mean over B images
    instead of all images makes J_uniform too large, by about the squared coefficient of variation of p over 2 B. And
    one of the B is the other view of the same image, which bounds J_align + J_uniform by log B. So compare it only
    between runs of the same batch size.

    The KL of a point is infinite and constant. So `j_kl` is -KL(p(z | x) || uniform) of the predicted distribution: how
    much, in nats, the network claims to know about the embedding of another view.

    Args:
        p: p_theta(z | x_j) of a batch of B images. Each of several processes passes those of its part of the batch;
            the mean of their results is the result of the whole batch.
        z: (B, d), the embedding z_i of another view of each of these images.
        prior: p(z).

    Returns: scalars `j_align`, `j_uniform`, `j_kl`.
    """
    # log p(z_i | x_j) / p(z_i): a row for each of this process's embeddings, a column for each image of the whole batch
    log_ratio = p.mapped(distributed.gather).pairwise(z) - prior.log_prob(z.double()).unsqueeze(1)
    log_mean = torch.logsumexp(log_ratio, dim=1) - math.log(log_ratio.shape[1])
    same_image = log_ratio.diagonal(distributed.rank() * len(log_ratio))
    return {"j_align": same_image.mean(), "j_uniform": -log_mean.mean(), "j_kl": -kl_divergence(p, prior).mean()}


@torch.no_grad()
def categorical_terms(log_p: Tensor, q: Tensor) -> dict[str, Tensor]:
    """The terms of a method whose latent is one of K classes; biased as in `spherical_terms`.

    Args:
        log_p: (B, K), log p_theta(z | x_j).
        q: (B, K), q(z | X_i), rows sum to 1.

    Returns: scalars `j_align`, `j_uniform`, `j_kl`; the last is -KL(q || uniform), exact.
    """
    everyone = distributed.gather(log_p)
    log_mean = torch.logsumexp(everyone, dim=0) - math.log(len(everyone))
    negative_entropy = torch.xlogy(q, q).sum(-1)
    return {
        "j_align": (q * log_p).sum(-1).mean(),
        "j_uniform": -(q * log_mean).sum(-1).mean(),
        "j_kl": -(math.log(q.shape[1]) + negative_entropy).mean(),
    }
