"""Distributions on the unit hypersphere S^(d-1) = {z in R^d : |z| = 1}, as torch distributions.

`PowerSpherical` is the latent distribution of VI-SimSiam: De Cao and Aziz, "The Power Spherical Distribution"
(2020), arXiv 2006.04437. The functions `von_mises_fisher_*` are for the methods whose concentration is one constant:
Mardia and Jupp, "Directional Statistics" (2000), sec. 9.3. Every normaliser is evaluated in float64 whatever the
input's type and whatever autocast says: log C is a difference of log-gammas of the order kappa log kappa, and float32
loses .025 of it at kappa = 1e5. It is one number per image, so this costs nothing.
"""

import math

import numpy as np
import torch
from scipy.special import ive
from torch import Tensor
from torch.distributions import Distribution, constraints, register_kl
from torch.distributions.utils import broadcast_all


class _UnitVector(constraints.Constraint):
    """Vectors of length 1, to the rounding of half precision."""

    is_discrete = False
    event_dim = 1

    def check(self, value: Tensor) -> Tensor:
        return (torch.linalg.vector_norm(value.double(), dim=-1) - 1).abs() < 1e-2


unit_vector = _UnitVector()

# The smallest 1 + cos that the logarithm sees. At the antipode (cos = -1) log(1 + cos) is -inf and its gradient
# infinite; here they are about -13.8 and, by the clamp, 0.
_ANTIPODE = 1e-6


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
    """E[mu.z] = kappa / (kappa + d - 1) for z ~ PS(mu, kappa) on S^(d-1): in [0, 1), the readable scale of kappa."""
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
    """log I_order(x), order >= 0, x > 0, relative error of I below 1e-9."""
    if order < 60:
        return math.log(ive(order, x)) + x
    # The uniform expansion for large orders (Abramowitz and Stegun 9.7.7), where scipy's I would underflow.
    z = x / order
    root = math.hypot(1.0, z)
    t = 1 / root
    series = 1.0
    for n, coefficients in enumerate(_DEBYE, start=1):
        series += t**n * float(np.polyval(coefficients, t * t)) / order**n
    exponent = order * (root + math.log(z / (1 + root)))
    return exponent - (math.log(2 * math.pi * order) + math.log(root)) / 2 + math.log(series)


# Abramowitz and Stegun 9.3.9: u_n(t) / t^n as polynomials in t^2, highest power first.
_DEBYE = (
    (-5 / 24, 3 / 24),
    (385 / 1152, -462 / 1152, 81 / 1152),
    (-425425 / 414720, 765765 / 414720, -369603 / 414720, 30375 / 414720),
    (185910725 / 39813120, -446185740 / 39813120, 349922430 / 39813120, -94121676 / 39813120, 4465125 / 39813120),
)


class PowerSpherical(Distribution):
    """Power spherical distribution PS(mu, kappa) on S^(d-1), p(z) = C(kappa) (1 + mu.z)^kappa.

    Args:
        loc: mean direction mu, unit vectors of shape (..., d), d >= 2.
        concentration: kappa > 0 of shape (...), broadcast against loc's batch shape. Larger is more concentrated;
            towards 0 the distribution becomes uniform.
        validate_args: as in torch.

    Raises: ValueError when loc is no unit vector, d < 2 or kappa <= 0 (with validation on).
    """

    arg_constraints = {"loc": unit_vector, "concentration": constraints.positive}  # noqa: RUF012 - torch's interface
    support = unit_vector
    has_rsample = True

    def __init__(self, loc: Tensor, concentration: Tensor | float, validate_args: bool | None = None):
        if loc.dim() < 1 or loc.shape[-1] < 2:
            raise ValueError(f"loc must have shape (..., d) with d >= 2, not {tuple(loc.shape)}")
        if not isinstance(concentration, Tensor):
            concentration = torch.as_tensor(concentration, dtype=loc.dtype, device=loc.device)
        batch_shape = torch.broadcast_shapes(loc.shape[:-1], concentration.shape)
        self.loc = loc.expand(*batch_shape, loc.shape[-1])
        self.concentration = concentration.expand(batch_shape)
        super().__init__(batch_shape, loc.shape[-1:], validate_args=validate_args)

    @property
    def dim(self) -> int:
        """d, the dimension of the space the sphere lies in."""
        return self.event_shape[0]

    @property
    def expected_cosine(self) -> Tensor:
        """E[mu.z] in (0, 1), shape of the batch."""
        return expected_cosine(self.concentration, self.dim)

    @property
    def mean(self) -> Tensor:
        """E[z] = mu E[mu.z], inside the ball; shape (..., d)."""
        return self.loc * self.expected_cosine.unsqueeze(-1)

    @property
    def mode(self) -> Tensor:
        return self.loc

    def expand(self, batch_shape, _instance=None) -> "PowerSpherical":
        new = self._get_checked_instance(PowerSpherical, _instance)
        new.loc = self.loc.expand(*batch_shape, self.dim)
        new.concentration = self.concentration.expand(batch_shape)
        super(PowerSpherical, new).__init__(torch.Size(batch_shape), self.event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def log_prob(self, value: Tensor) -> Tensor:
        """log p(value) for unit vectors of shape (..., d); result in loc's type, shape of the batch."""
        if self._validate_args:
            self._validate_sample(value)
        cosine = (self.loc.double() * value.double()).sum(-1)
        return power_spherical_log_prob(cosine, self.concentration, self.dim).to(self.loc.dtype)

    def entropy(self) -> Tensor:
        """Differential entropy in nats: -[log C + kappa (log 2 + digamma(alpha) - digamma(alpha + beta))]."""
        return power_spherical_entropy(self.concentration, self.dim).to(self.loc.dtype)

    def rsample(self, sample_shape: torch.Size | tuple = ()) -> Tensor:
        """Reparametrised samples of shape (*sample_shape, ..., d); gradients reach loc and concentration.

        De Cao and Aziz (2020), algorithm 1: t = mu.z from a Beta, a uniform tangent direction, and a Householder
        reflection that takes e_1 to mu.
        """
        shape = self._extended_shape(torch.Size(sample_shape))
        kappa = self.concentration.double().expand(shape[:-1])
        beta = torch.full_like(kappa, (self.dim - 1) / 2)
        # (1+t)/2 and (1-t)/2 together, from one Dirichlet: 1 - t would lose all digits at large kappa.
        upper, lower = torch.distributions.Dirichlet(torch.stack([beta + kappa, beta], -1)).rsample().unbind(-1)
        t = upper - lower
        radius = 2 * torch.sqrt(upper * lower)
        tangent = torch.randn(*shape[:-1], self.dim - 1, dtype=torch.float64, device=kappa.device)
        tangent = tangent / torch.linalg.vector_norm(tangent, dim=-1, keepdim=True)
        z = torch.cat([t.unsqueeze(-1), radius.unsqueeze(-1) * tangent], dim=-1)
        return _rotate_from_e1(z, self.loc.double()).to(self.loc.dtype)


class HypersphericalUniform(Distribution):
    """Uniform distribution on S^(d-1): the prior p(z).

    Args:
        dim: d >= 2, dimension of the space the sphere lies in.
        batch_shape: of the samples.
        dtype: of the samples.
        device: of the samples.
    """

    arg_constraints: dict = {}  # noqa: RUF012 - torch's interface
    support = unit_vector

    def __init__(
        self,
        dim: int,
        batch_shape: tuple[int, ...] = (),
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
        validate_args: bool | None = None,
    ):
        if dim < 2:
            raise ValueError(f"dim must be >= 2, not {dim}")
        self.dim, self._dtype, self._device = dim, dtype, device
        super().__init__(torch.Size(batch_shape), torch.Size([dim]), validate_args=validate_args)

    def log_prob(self, value: Tensor) -> Tensor:
        """-log area of the sphere for every unit vector of shape (..., d)."""
        if self._validate_args:
            self._validate_sample(value)
        return value.new_full(value.shape[:-1], -log_sphere_area(self.dim))

    def entropy(self) -> Tensor:
        return torch.full(self.batch_shape, log_sphere_area(self.dim), dtype=self._dtype, device=self._device)

    def sample(self, sample_shape: torch.Size | tuple = ()) -> Tensor:
        z = torch.randn(self._extended_shape(torch.Size(sample_shape)), dtype=self._dtype, device=self._device)
        return z / torch.linalg.vector_norm(z, dim=-1, keepdim=True)


@register_kl(PowerSpherical, HypersphericalUniform)
def _kl_power_spherical_uniform(p: PowerSpherical, q: HypersphericalUniform) -> Tensor:
    """KL(PS || uniform) = log area - entropy >= 0: the J_KL of a power spherical posterior (docs/method.md)."""
    if p.dim != q.dim:
        raise ValueError(f"the distributions live on different spheres: d = {p.dim} and d = {q.dim}")
    kl = power_spherical_kl_uniform(p.concentration, p.dim)
    return broadcast_all(kl, torch.zeros(q.batch_shape, device=kl.device))[0].to(p.loc.dtype)


def _rotate_from_e1(z: Tensor, mu: Tensor) -> Tensor:
    """Apply to z an orthogonal map that takes e_1 to mu.

    The Householder vector is e_1 + sign(mu_1) mu, whose squared length 2 (1 + |mu_1|) is never small: mu = e_1
    needs no special case, unlike with e_1 - mu. With the plus sign the reflection takes e_1 to -mu, so the result
    changes sign.
    """
    sign = torch.where(mu[..., :1] < 0, -1.0, 1.0).to(mu)
    v = sign * mu
    v = torch.cat([v[..., :1] + 1, v[..., 1:]], dim=-1)
    reflected = z - v * (2 * (v * z).sum(-1, keepdim=True) / (v * v).sum(-1, keepdim=True))
    return -sign * reflected
