"""Densities on the unit hypersphere S^(d-1) = {z in R^d : |z| = 1}, as functions of concentration and cosine.

`sphere.py` has the distributions. Power spherical, VI-SimSiam's latent: De Cao and Aziz, "The Power Spherical
Distribution" (2020), arXiv 2006.04437. Von Mises-Fisher, of one constant concentration: Mardia and Jupp, "Directional
Statistics" (2000), sec. 9.3. Every normaliser is evaluated in float64, for every type of input and under autocast:
log C is a difference of log-gammas of the order kappa log kappa, and in float32 it is wrong by up to .1 at kappa = 1e5.
The cost is negligible: it is one number per image.
"""

import math

import numpy as np
import torch
from torch import Tensor

# The smallest 1 + cos whose logarithm is taken. At the antipode (cos = -1) log(1 + cos) is -inf and its gradient
# infinite; here they are about -13.8 and, by the clamp, 0.
_ANTIPODE = 1e-6
# Below this number scipy's Bessel function loses digits.
_UNDERFLOW = 1e-290


def log_sphere_area(d: int) -> float:
    """Logarithm of the area of S^(d-1): log 2 + (d/2) log pi - lgamma(d/2)."""
    return math.log(2) + d / 2 * math.log(math.pi) - math.lgamma(d / 2)


def power_spherical_log_normaliser(kappa: Tensor, d: int) -> Tensor:
    """log C(kappa) of the power spherical density on S^(d-1).

    De Cao and Aziz (2020), eq. 8: log C = -[(alpha + beta) log 2 + beta log pi + lgamma(alpha) - lgamma(alpha + beta)]
    with alpha = (d-1)/2 + kappa, beta = (d-1)/2.

    Args:
        kappa: concentration >= 0, any shape.
        d: dimension of the space the sphere lies in, >= 2.

    Returns: float64 tensor of kappa's shape. At kappa = 0 it is -log of the sphere's area.
    """
    kappa = kappa.double()
    beta = (d - 1) / 2
    alpha = beta + kappa
    log_gammas = torch.lgamma(alpha) - torch.lgamma(alpha + beta)
    return -((alpha + beta) * math.log(2) + beta * math.log(math.pi) + log_gammas)


def power_spherical_log_prob(cosine: Tensor, kappa: Tensor, d: int) -> Tensor:
    """log density of PS(mu, kappa) at z, as a function of the cosine mu.z: log C(kappa) + kappa log(1 + cosine).

    This is the form the training loss uses. Shapes broadcast; the result is float64. Within 1e-6 of the antipode
    the logarithm is held constant (see `_ANTIPODE`), so value and gradient stay finite.
    """
    return power_spherical_log_normaliser(kappa, d) + kappa.double() * log1p_cosine(cosine)


def log1p_cosine(cosine: Tensor) -> Tensor:
    """log(1 + cosine) in float64, finite with a finite gradient everywhere on [-1, 1]."""
    return torch.log1p(cosine.double().clamp(min=_ANTIPODE - 1))


def power_spherical_entropy(kappa: Tensor, d: int) -> Tensor:
    """Differential entropy of PS(mu, kappa) on S^(d-1) in nats, float64, of kappa's shape. De Cao and Aziz (2020)."""
    kappa = kappa.double()
    beta = (d - 1) / 2
    alpha = beta + kappa
    mean_log = math.log(2) + torch.digamma(alpha) - torch.digamma(alpha + beta)  # E log(1 + mu.z)
    return -(power_spherical_log_normaliser(kappa, d) + kappa * mean_log)


def power_spherical_kl_uniform(kappa: Tensor, d: int) -> Tensor:
    """KL(PS(mu, kappa) || uniform) = log area - entropy >= 0, in nats, float64, of kappa's shape."""
    return log_sphere_area(d) - power_spherical_entropy(kappa, d)


def expected_cosine(kappa: Tensor, d: int) -> Tensor:
    """E[mu.z] = kappa / (kappa + d - 1) for z ~ PS(mu, kappa) on S^(d-1): in [0, 1), a readable scale for kappa."""
    return kappa / (kappa + (d - 1))


def von_mises_fisher_log_normaliser(kappa: float, d: int) -> float:
    """log C(kappa) of the von Mises-Fisher density C(kappa) exp(kappa mu.z) on S^(d-1).

    Mardia and Jupp (2000), eq. 9.3.4: C = kappa^(d/2-1) / ((2 pi)^(d/2) I_(d/2-1)(kappa)).

    Args:
        kappa: concentration > 0. d: dimension of the space the sphere lies in, >= 2.
    """
    order = d / 2 - 1
    return order * math.log(kappa) - d / 2 * math.log(2 * math.pi) - _log_bessel(order, kappa)


def von_mises_fisher_expected_cosine(kappa: float, d: int) -> float:
    """E[mu.z] = I_(d/2)(kappa) / I_(d/2-1)(kappa) for z ~ vMF(mu, kappa) on S^(d-1), kappa > 0."""
    return math.exp(_log_bessel(d / 2, kappa) - _log_bessel(d / 2 - 1, kappa))


def von_mises_fisher_kl_uniform(kappa: float, d: int) -> float:
    """KL(vMF(mu, kappa) || uniform) in nats, >= 0."""
    mean_log_density = von_mises_fisher_log_normaliser(kappa, d) + kappa * von_mises_fisher_expected_cosine(kappa, d)
    return mean_log_density + log_sphere_area(d)


def _log_bessel(order: float, x: float) -> float:
    """log I_order(x), order >= 0, x > 0; its error is below 1e-9, or about 1e-15 of the value if that is larger."""
    from scipy.special import gammaln, ive  # takes .14 s, and only von Mises-Fisher needs it

    scaled = ive(order, x)
    if scaled > _UNDERFLOW:
        return math.log(scaled) + x
    # The series (Abramowitz and Stegun 9.6.10). Its terms are positive; after the x-th, each is less than a quarter of
    # the previous one.
    k = np.arange(int(x) + 20)
    terms = 2 * k * math.log(x / 2) - gammaln(k + 1) - gammaln(order + k + 1)
    return order * math.log(x / 2) + float(np.logaddexp.reduce(terms))
