"""The power spherical distribution against an independent package, Monte Carlo, quadrature and gradcheck."""

import math

import mpmath
import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
from power_spherical import PowerSpherical as Oracle

from vi_simsiam.nn import distributions as D
from vi_simsiam.nn import sphere as S

DIMS = [2, 3, 8, 128, 2048, 4096]
KAPPAS = [1e-3, 0.1, 1.0, 37.0, 1e3, 1e4, 1e5, 1e6]


def unit(*shape, seed=0, dtype=torch.float64):
    z = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (z / z.norm(dim=-1, keepdim=True)).to(dtype)


@pytest.mark.parametrize("d", DIMS)
@pytest.mark.parametrize("kappa", KAPPAS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_log_prob_entropy_and_kl_agree_with_the_independent_package(d, kappa, dtype):
    mu, z = unit(5, d), unit(5, d, seed=1)
    z = torch.nn.functional.normalize(z + torch.linspace(0, 30, 5, dtype=z.dtype)[:, None] * mu, dim=-1)
    k = torch.full((5,), kappa, dtype=torch.float64)
    oracle = Oracle(mu, k)
    ours = S.PowerSpherical(mu.to(dtype), k.to(dtype))
    # float32: only the rounding of the input is allowed, 6e-8 of a cosine, times kappa
    atol = 1e-8 * max(1, kappa) if dtype == torch.float64 else 1e-5 + 4e-7 * kappa
    rtol = 1e-9 if dtype == torch.float64 else 1e-6
    close = dict(rtol=rtol, atol=atol, check_dtype=False)
    torch.testing.assert_close(ours.log_prob(z.to(dtype)), oracle.log_prob(z), **close)
    torch.testing.assert_close(ours.entropy(), oracle.entropy(), **close)
    kl = torch.distributions.kl_divergence(ours, S.HypersphericalUniform(d))
    area = math.log(2) + d / 2 * math.log(math.pi) - scipy.special.gammaln(d / 2)
    torch.testing.assert_close(kl, area - oracle.entropy(), **close)
    assert ours.log_prob(z.to(dtype)).dtype == dtype


@pytest.mark.parametrize("d", [2, 3, 16, 512])
def test_gradients(d):
    mu, z = unit(3, d).requires_grad_(), unit(3, d, seed=1).requires_grad_()
    kappa = torch.tensor([0.3, 5.0, 80.0], dtype=torch.float64, requires_grad=True)

    def log_prob(mu, kappa, z):
        return S.PowerSpherical(mu, kappa, validate_args=False).log_prob(z)

    def entropy(kappa):
        return S.PowerSpherical(mu.detach(), kappa, validate_args=False).entropy()

    assert torch.autograd.gradcheck(log_prob, (mu, kappa, z))
    assert torch.autograd.gradcheck(entropy, (kappa,))


def test_antipode_is_finite_with_finite_gradient():
    mu = unit(4, 32, dtype=torch.float32)
    kappa = torch.full((4,), 50.0, requires_grad=True)
    for offset in (0.0, 1e-8, 1e-4):
        z = torch.nn.functional.normalize(-mu + offset * unit(4, 32, seed=3, dtype=torch.float32), dim=-1)
        z.requires_grad_()
        log_prob = S.PowerSpherical(mu, kappa).log_prob(z)
        assert torch.isfinite(log_prob).all()
        for gradient in torch.autograd.grad(log_prob.sum(), (z, kappa)):
            assert torch.isfinite(gradient).all()
    # the floor is log 1e-6, not something milder that would hide disagreement
    assert D.log1p_cosine(torch.tensor(-1.0)).item() == pytest.approx(math.log(1e-6), rel=1e-6)


def test_autocast_does_not_lower_the_precision():
    mu, z = unit(8, 256, dtype=torch.float32), unit(8, 256, seed=1, dtype=torch.float32)
    kappa = torch.logspace(0, 4, 8)
    expected = S.PowerSpherical(mu, kappa).log_prob(z)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(S.PowerSpherical(mu, kappa).log_prob(z), expected, rtol=0, atol=0)


@pytest.mark.parametrize("d", [2, 3, 10, 200])
@pytest.mark.parametrize("kappa", [0.5, 20.0, 1e4])
def test_samples_have_the_distribution_of_the_theory(d, kappa):
    torch.manual_seed(0)
    n = 20_000
    mu = unit(d)
    z = S.PowerSpherical(mu, torch.tensor(kappa, dtype=torch.float64)).sample((n,))
    torch.testing.assert_close(z.norm(dim=-1), torch.ones(n, dtype=z.dtype))
    t = (z @ mu).numpy()
    marginal = scipy.stats.beta((d - 1) / 2 + kappa, (d - 1) / 2, loc=-1, scale=2)
    assert scipy.stats.kstest(t, marginal.cdf).pvalue > 1e-3
    # the tangent direction is uniform: its mean is 0 and its second moment the same in every direction
    expected = D.expected_cosine(torch.tensor(kappa, dtype=torch.float64), d)
    assert expected.item() == pytest.approx(marginal.mean(), rel=1e-12)
    torch.testing.assert_close(z.mean(0), expected * mu, rtol=0, atol=5 * math.sqrt(1 / n))
    tangent = z - torch.outer(z @ mu, mu)
    second = (tangent.T @ tangent / n).numpy()
    projector = np.eye(d) - np.outer(mu, mu)
    radius = (1 - marginal.mean() ** 2 - marginal.var()) / (d - 1)
    assert np.abs(second - radius * projector).max() < 6 * radius * math.sqrt(2 / n) + 1e-9


def test_gradients_through_samples_are_those_of_the_expectation():
    """Of E[z.a] = mu.a kappa / (kappa + d - 1), to the direction and to the concentration."""
    torch.manual_seed(0)
    mu, a = unit(4).requires_grad_(), unit(4, seed=1)
    kappa = torch.tensor(5.0, dtype=torch.float64, requires_grad=True)
    sampled = (S.PowerSpherical(mu, kappa).rsample((100_000,)) @ a).mean()
    exact = (mu @ a) / mu.norm() * D.expected_cosine(kappa, 4)
    to_mu, to_kappa = torch.autograd.grad(sampled, (mu, kappa))
    expected_mu, expected_kappa = torch.autograd.grad(exact, (mu, kappa))
    assert to_kappa.item() == pytest.approx(expected_kappa.item(), abs=2e-3) and abs(to_kappa) > 5e-3
    tangent = to_mu - (to_mu @ mu) * mu  # mu stays a unit vector
    torch.testing.assert_close(tangent, expected_mu, rtol=0, atol=0.02)


@pytest.mark.parametrize("axis", ["e1", "-e1", "near"])
def test_sampling_around_the_first_axis(axis):
    """mu = e_1 is where the textbook Householder reflection divides by zero."""
    mu = torch.zeros(6, dtype=torch.float64)
    mu[0] = -1.0 if axis == "-e1" else 1.0
    if axis == "near":
        mu = torch.nn.functional.normalize(mu + 1e-9 * unit(6), dim=0)
    torch.manual_seed(2)
    z = S.PowerSpherical(mu, torch.tensor(1e4, dtype=torch.float64)).sample((1000,))
    assert (z @ mu).mean().item() == pytest.approx(1e4 / (1e4 + 5), abs=1e-4)
    assert z[:, 1:].std().item() > 1e-3


def test_shapes_and_validation():
    p = S.PowerSpherical(unit(4, 1, 8), torch.full((3,), 2.0, dtype=torch.float64))
    assert p.batch_shape == (4, 3) and p.event_shape == (8,)
    assert p.sample((2,)).shape == (2, 4, 3, 8)
    assert p.log_prob(unit(8)).shape == (4, 3) and p.mean.shape == (4, 3, 8)
    torch.testing.assert_close(p.mean.norm(dim=-1), p.expected_cosine)
    with pytest.raises(ValueError):
        S.PowerSpherical(2 * unit(8), torch.tensor(1.0))
    with pytest.raises(ValueError):
        S.PowerSpherical(unit(8), torch.tensor(-1.0))
    with pytest.raises(ValueError):
        S.PowerSpherical(torch.ones(3, 1), torch.tensor(1.0))
    with pytest.raises(ValueError):
        torch.distributions.kl_divergence(p, S.HypersphericalUniform(9))


@pytest.mark.parametrize("kappa", [1e-9, 3e-4, 0.05, 1.0, 10.0, 300.0, 5e4])
@pytest.mark.parametrize("d", [2, 3, 16, 64, 121, 128, 2048])
def test_von_mises_fisher_against_arbitrary_precision(d, kappa):
    """mpmath's Bessel functions. Those of scipy underflow where d is large and kappa is not."""
    mpmath.mp.dps = 40
    order, k = mpmath.mpf(d) / 2 - 1, mpmath.mpf(kappa)
    log_c = order * mpmath.log(k) - mpmath.mpf(d) / 2 * mpmath.log(2 * mpmath.pi) - mpmath.log(mpmath.besseli(order, k))
    cosine = mpmath.besseli(order + 1, k) / mpmath.besseli(order, k)
    assert D.von_mises_fisher_log_normaliser(kappa, d) == pytest.approx(float(log_c), rel=1e-12, abs=1e-9)
    assert D.von_mises_fisher_expected_cosine(kappa, d) == pytest.approx(float(cosine), rel=1e-8)
    area = mpmath.log(2) + mpmath.mpf(d) / 2 * mpmath.log(mpmath.pi) - mpmath.loggamma(mpmath.mpf(d) / 2)
    kl = D.von_mises_fisher_kl_uniform(kappa, d)
    assert kl == pytest.approx(float(log_c + k * cosine + area), abs=2e-8 * max(1, kappa))


@pytest.mark.parametrize(("d", "kappa"), [(2, 0.5), (3, 2.0), (16, 30.0), (64, 40.0)])
def test_von_mises_fisher_object_against_scipy(d, kappa):
    mu = unit(d)
    oracle = scipy.stats.vonmises_fisher(mu.numpy(), kappa, seed=0)
    z = torch.from_numpy(oracle.rvs(20))
    p = S.VonMisesFisher(mu, kappa)
    np.testing.assert_allclose(p.log_prob(z), oracle.logpdf(z.numpy()), rtol=1e-8, atol=1e-8)
    assert p.entropy().item() == pytest.approx(oracle.entropy(), rel=1e-7, abs=1e-7)
