"""Distributions on the unit hypersphere S^(d-1), as torch distributions; `distributions.py` has their formulas."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints, register_kl

from vi_simsiam.nn.distributions import (
    expected_cosine,
    log_sphere_area,
    power_spherical_entropy,
    power_spherical_kl_uniform,
    power_spherical_log_prob,
    von_mises_fisher_expected_cosine,
    von_mises_fisher_kl_uniform,
    von_mises_fisher_log_normaliser,
)


class _UnitVector(constraints.Constraint):
    """Vectors of length 1, to the rounding of half precision."""

    is_discrete = False
    event_dim = 1

    def check(self, value: Tensor) -> Tensor:
        return (torch.linalg.vector_norm(value.double(), dim=-1) - 1).abs() < 1e-2


unit_vector = _UnitVector()


def dot_products(a: Tensor, b: Tensor) -> Tensor:
    """a.b of every pair: (B, d) and (C, d) to (B, C), float32 also under autocast.

    Autocast would multiply in bfloat16, which resolves cosines near 1 to .004. Divided by a temperature of .04, or
    multiplied by a kappa of hundreds, this is a large error.
    """
    with torch.autocast(a.device.type, enabled=False):
        return a.float() @ b.float().T


class PointMass:
    """All probability at one point: the target of a method that compares embeddings."""


class OnSphere(Distribution):
    """A distribution on S^(d-1) around a mean direction `loc`, whose density depends on the cosine mu.z alone.

    Args:
        loc: mean direction mu, unit vectors of shape (..., d), d >= 2.
        concentration: kappa > 0 of shape (...), broadcast against loc's batch shape. Larger is more concentrated;
            towards 0 the distribution becomes uniform.
        validate_args: as in torch.

    Raises: ValueError if loc is not a unit vector, d < 2 or kappa <= 0 (with validation on).
    """

    arg_constraints = {"loc": unit_vector, "concentration": constraints.positive}  # noqa: RUF012 - torch's interface
    support = unit_vector

    def __init__(self, loc: Tensor, concentration: Tensor | float, validate_args: bool | None = None):
        if loc.dim() < 1 or loc.shape[-1] < 2:
            raise ValueError(f"loc must have shape (..., d) with d >= 2, not {tuple(loc.shape)}")
        if not isinstance(concentration, Tensor):
            concentration = loc.new_full((), concentration)  # with as_tensor the CPU would wait for the GPU
        # Not torch.broadcast_shapes, which imports sympy: more than a second.
        batch_shape = torch.broadcast_tensors(loc[..., 0], concentration)[0].shape
        self.loc = loc.expand(*batch_shape, loc.shape[-1])
        self.concentration = concentration.expand(batch_shape)
        super().__init__(batch_shape, loc.shape[-1:], validate_args=validate_args)

    @property
    def dim(self) -> int:
        """d, the dimension of the space the sphere lies in."""
        return self.event_shape[0]

    @property
    def mean(self) -> Tensor:
        """E[z] = mu E[mu.z], inside the ball; shape (..., d)."""
        return self.loc * self.expected_cosine.unsqueeze(-1)

    def log_density(self, cosine: Tensor) -> Tensor:
        """log p(z) in nats of mu.z = cosine, which broadcasts against the batch; float64."""
        raise NotImplementedError

    def log_prob(self, value: Tensor) -> Tensor:
        """log p(value) for unit vectors of shape (..., d); result in loc's type, shape of the batch."""
        if self._validate_args:
            self._validate_sample(value)
        return self.log_density((self.loc.double() * value.double()).sum(-1)).to(self.loc.dtype)

    def pairwise(self, z: Tensor) -> Tensor:
        """log p_j(z_i) of (b, d) unit vectors under each of the B distributions: (b, B), float64."""
        return self.log_density(dot_products(z, self.loc))

    def mapped(self, change: Callable[[Tensor], Tensor]) -> "OnSphere":
        """The distribution with `change` applied to its tensors, for instance gathering them from several processes."""
        return type(self)(change(self.loc), change(self.concentration), validate_args=False)


class PowerSpherical(OnSphere):
    """Power spherical distribution PS(mu, kappa) on S^(d-1), p(z) = C(kappa) (1 + mu.z)^kappa."""

    has_rsample = True

    @property
    def expected_cosine(self) -> Tensor:
        """E[mu.z] in (0, 1), shape of the batch."""
        return expected_cosine(self.concentration, self.dim)

    def log_density(self, cosine: Tensor) -> Tensor:
        return power_spherical_log_prob(cosine, self.concentration, self.dim)

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
        # Its parameters are valid; for a check, the CPU would wait for the GPU.
        dirichlet = torch.distributions.Dirichlet(torch.stack([beta + kappa, beta], -1), validate_args=False)
        upper, lower = dirichlet.rsample().unbind(-1)
        t = upper - lower
        radius = 2 * torch.sqrt(upper * lower)
        tangent = torch.randn(*shape[:-1], self.dim - 1, dtype=torch.float64, device=kappa.device)
        tangent = tangent / torch.linalg.vector_norm(tangent, dim=-1, keepdim=True)
        z = torch.cat([t.unsqueeze(-1), radius.unsqueeze(-1) * tangent], dim=-1)
        return _rotate_from_e1(z, self.loc.double()).to(self.loc.dtype)


class VonMisesFisher(OnSphere):
    """Von Mises-Fisher distribution vMF(mu, kappa) on S^(d-1), p(z) = C(kappa) exp(kappa mu.z), with constant kappa.

    Mardia and Jupp (2000), sec. 9.3. The constant has no gradient: its Bessel functions are scipy's.
    """

    def __init__(self, loc: Tensor, concentration: float, validate_args: bool | None = None):
        self.kappa = float(concentration)
        super().__init__(loc, self.kappa, validate_args=validate_args)

    @property
    def expected_cosine(self) -> Tensor:
        """E[mu.z] in (0, 1), float64, shape of the batch."""
        return self._constant(von_mises_fisher_expected_cosine(self.kappa, self.dim))

    def log_density(self, cosine: Tensor) -> Tensor:
        return von_mises_fisher_log_normaliser(self.kappa, self.dim) + self.kappa * cosine.double()

    def entropy(self) -> Tensor:
        """Differential entropy in nats, float64, shape of the batch."""
        return self._constant(log_sphere_area(self.dim) - von_mises_fisher_kl_uniform(self.kappa, self.dim))

    def mapped(self, change: Callable[[Tensor], Tensor]) -> "VonMisesFisher":
        return VonMisesFisher(change(self.loc), self.kappa, validate_args=False)

    def _constant(self, value: float) -> Tensor:
        return torch.full(self.batch_shape, value, dtype=torch.float64, device=self.loc.device)


class HypersphericalUniform(Distribution):
    """Uniform distribution on S^(d-1): the prior p(z).

    Args:
        dim: d >= 2, dimension of the space the sphere lies in.
    """

    arg_constraints: dict = {}  # noqa: RUF012 - torch's interface
    support = unit_vector

    def __init__(self, dim: int, validate_args: bool | None = None):
        if dim < 2:
            raise ValueError(f"dim must be >= 2, not {dim}")
        self.dim = dim
        super().__init__(torch.Size(), torch.Size([dim]), validate_args=validate_args)

    def log_prob(self, value: Tensor) -> Tensor:
        """-log area of the sphere for every unit vector of shape (..., d)."""
        if self._validate_args:
            self._validate_sample(value)
        return value.new_full(value.shape[:-1], -log_sphere_area(self.dim))


@register_kl(PowerSpherical, HypersphericalUniform)
def _kl_power_spherical_uniform(p: PowerSpherical, q: HypersphericalUniform) -> Tensor:
    """KL(PS || uniform) = log area - entropy >= 0: the J_KL of a power spherical posterior (docs/method.md)."""
    if p.dim != q.dim:
        raise ValueError(f"the distributions live on different spheres: d = {p.dim} and d = {q.dim}")
    kl = power_spherical_kl_uniform(p.concentration, p.dim)
    return kl.to(torch.promote_types(p.loc.dtype, p.concentration.dtype))


@register_kl(VonMisesFisher, HypersphericalUniform)
def _kl_von_mises_fisher_uniform(p: VonMisesFisher, q: HypersphericalUniform) -> Tensor:
    """KL(vMF || uniform) in nats, float64, shape of p's batch."""
    if p.dim != q.dim:
        raise ValueError(f"the distributions live on different spheres: d = {p.dim} and d = {q.dim}")
    return p._constant(von_mises_fisher_kl_uniform(p.kappa, p.dim))


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
