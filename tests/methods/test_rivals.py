"""The other methods with a certainty of their own, against loops, other packages' densities and finite differences."""

import math

import numpy as np
import pytest
import torch
from power_spherical import PowerSpherical as Oracle
from scipy.optimize import approx_fprime, minimize_scalar
from scipy.special import logsumexp
from scipy.stats import expon
from torch.nn.functional import normalize

from helpers.small import pretrain_params
from vi_simsiam.methods import ImageSpec, build
from vi_simsiam.methods.exponential import ExponentialDistance
from vi_simsiam.nn.distributions import log_sphere_area
from vi_simsiam.nn.sphere import PowerSpherical

D, B = 16, 8
IMAGES = ImageSpec(size=12, channels=1, mean=(0.3,), std=(0.4,))
HEADS = {
    "mcinfonce": "kappa_head",
    "temperature": "temperature_head",
    "concentration": "kappa_head",
    "exponential": "rate_head",
}


def model(name, learnt=True, seed=0, d=D, **own):
    """A network whose head, unless it is not `learnt`, says something else of every image."""
    torch.manual_seed(seed)
    changes = {name: own} if name in HEADS else {}
    net = build(name, pretrain_params(name, projector={"hidden": 32, "out": d}, **changes), IMAGES)
    if learnt and name in HEADS:
        torch.nn.init.normal_(net.get_submodule(HEADS[name]).layers[-1].weight)
    return net


@pytest.fixture
def views():
    return tuple(torch.rand(B, 1, 12, 12, generator=torch.Generator().manual_seed(s)) for s in (1, 2))


def seen(net, views):
    """Features of both views, and embeddings of all 2B, first views first."""
    features = [net.features(view) for view in views]
    return features, torch.cat([normalize(net.projector(f), dim=-1) for f in features])


def loop(z, kappa):
    """-log of the share of the other view among all others, for each of the 2B views; numpy, in a double loop."""
    n = len(z) // 2
    out = []
    for i in range(2 * n):
        logits = {k: kappa[i] * float(z[i] @ z[k]) for k in range(2 * n) if k != i}
        out.append(logsumexp(list(logits.values())) - logits[(i + n) % (2 * n)])
    return np.array(out)


@pytest.mark.parametrize("name", HEADS)
def test_what_every_method_states(name, views):
    net = model(name).eval()
    features = net.features(views[0])
    torch.testing.assert_close(net.embedding(features).norm(dim=-1), torch.ones(B))
    scores = net.certainty(features)
    assert tuple(scores) == net.certainty_scores and len(scores) == 1
    (values,) = scores.values()
    assert values.shape == (B,) and values.dtype == torch.float32 and (values > 0).all() and values.std() > 0
    assert torch.equal(net.certainty(features)[net.certainty_scores[0]], values), "no noise in a score"
    # The same seed gives the same encoder and projector as to the method that it adds to.
    plain = model("simsiam" if name == "exponential" else "simclr").state_dict()
    assert all(torch.equal(net.state_dict()[key], tensor) for key, tensor in plain.items())


@pytest.mark.parametrize(
    ("name", "start"),
    [("mcinfonce", (D - 1) * 0.7 / 0.3), ("temperature", 2), ("concentration", 1), ("exponential", 1)],
)
def test_where_the_certainty_of_all_images_begins(name, start, views):
    net = model(name, learnt=False).eval()
    (values,) = net.certainty(net.features(views[0])).values()
    torch.testing.assert_close(values, torch.full((B,), float(start)))


@pytest.mark.parametrize("name", HEADS)
def test_all_that_is_trained_gets_a_gradient_and_the_certainty_is_logged(name, views):
    net = model(name)
    losses = net(views)
    losses.total.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())
    logged = losses.monitors
    assert len(logged["kappa"]) == 2 * B and not any(value.requires_grad for value in logged.values())
    for key in ("j_align", "j_uniform", "j_kl", "mean_cosine"):
        assert logged[key].ndim == 0 and torch.isfinite(logged[key])


# --- exponential ----------------------------------------------------------------------------------------


def test_exponential_is_scipys_density_of_the_distance(views):
    net = model("exponential")
    features, z = seen(net, views)
    z = z.detach().numpy().reshape(2, B, D)
    mu = [normalize(net.predictor(net.projector(f)), dim=-1).detach().numpy() for f in features]
    rate = [net.rate(f).detach().numpy() for f in features]
    assert np.std(rate) > 0.05
    nats = [expon(scale=1 / rate[i]).logpdf(1 - (mu[i] * z[1 - i]).sum(-1)).mean() for i in (0, 1)]
    losses = net(views)
    assert losses.total.item() == pytest.approx(-np.mean(nats), rel=1e-5)
    np.testing.assert_allclose(losses.monitors["kappa"], np.concatenate(rate), rtol=1e-5)


def exponential_gradients(cosine, rate):
    cosine, rate = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (cosine, rate))
    mu = torch.nn.functional.pad(torch.stack([cosine, torch.sqrt(1 - cosine.detach() ** 2)], dim=-1), (0, D - 2))
    z = torch.eye(D, dtype=torch.float64)[:1]  # mu.z = cosine
    loss = model("exponential").align(ExponentialDistance(mu, rate, validate_args=False), z, 0.0)
    return torch.autograd.grad(loss.sum(), (cosine, rate))


def test_exponentials_gradients_and_its_closed_form():
    cosine, rate = [-0.3, 0.1, 0.9], [0.2, 3.0, 90.0]
    to_cosine, to_rate = exponential_gradients(cosine, rate)
    torch.testing.assert_close(to_cosine, -torch.tensor(rate).double())  # u times SimSiam's
    torch.testing.assert_close(to_rate, 1 - torch.tensor(cosine).double() - 1 / torch.tensor(rate).double())
    best = [
        minimize_scalar(lambda u, c=c: u * (1 - c) - math.log(u), bounds=(1e-3, 100), method="bounded").x
        for c in cosine
    ]
    np.testing.assert_allclose(best, [1 / (1 - c) for c in cosine], rtol=1e-4)
    _, at_best = exponential_gradients(cosine, [1 / (1 - c) for c in cosine])
    torch.testing.assert_close(at_best, torch.zeros(3, dtype=torch.float64), atol=1e-12, rtol=0)
    mu, z = torch.eye(3, dtype=torch.float64)[:1], torch.tensor(0.2, dtype=torch.float64, requires_grad=True)
    u = torch.tensor(4.0, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda u, c: ExponentialDistance(mu, u, validate_args=False).log_density(c), (u, z))


def test_at_a_rate_of_1_exponential_trains_as_simsiam_does(views):
    """So no gradient reaches the target either: weights that both methods have get the same one."""
    net, plain = model("exponential", learnt=False), model("simsiam")
    for each in (net, plain):
        each(views).total.backward()
    for name, parameter in plain.named_parameters():
        torch.testing.assert_close(net.get_parameter(name).grad, parameter.grad, rtol=1e-4, atol=1e-7)


# --- temperature ----------------------------------------------------------------------------------------


def test_temperature_is_a_loop_with_a_temperature_for_each_row(views):
    net = model("temperature")
    features, z = seen(net, views)
    r = torch.cat([net.temperature_head(f) for f in features]).detach().numpy()
    tau = 0.25 * (1 + np.exp(-r))
    assert tau.std() > 0.01
    losses = net(views)
    assert losses.total.item() == pytest.approx(
        loop(z.detach().numpy(), 1 / tau).mean() - math.log(2 * B - 1), abs=1e-5
    )
    np.testing.assert_allclose(losses.monitors["kappa"], 1 / tau, rtol=1e-5)


def test_gradients_of_the_temperatures_are_finite_differences(views):
    net = model("temperature")
    _, z = seen(net, views)
    kappa = torch.linspace(0.3, 3.9, 2 * B).requires_grad_()
    (ours,) = torch.autograd.grad(net.nt_xent(list(z.chunk(2)), kappa.unsqueeze(1)).total, kappa)
    array = z.detach().double().numpy()
    expected = approx_fprime(kappa.detach().double().numpy(), lambda k: loop(array, k).mean(), 1e-6)
    np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-6)
    # The bound: a temperature is never below the lowest, however sure the head is.
    with torch.no_grad():
        net.temperature_head.layers[-1].bias.fill_(1e4)
    (values,) = net.eval().certainty(net.features(views[0])).values()
    assert (values == 4).all()


# --- concentration --------------------------------------------------------------------------------------


def test_concentration_is_simclr_and_two_terms(views):
    net = model("concentration", weight=0.3, l2=0.04)
    features, z = seen(net, views)
    z = z.detach().double().numpy()
    kappa = np.exp(np.concatenate([net.kappa_head(f).detach().numpy() for f in features]))
    assert kappa.std() > 0.05
    contrast, align, penalty = loop(z, np.full(2 * B, 2.0)).mean() - math.log(2 * B - 1), 0.0, 0.0
    for i in range(B):
        align -= 0.3 * (kappa[i] + kappa[B + i]) * (z[i] @ z[B + i]) / B
        penalty += 0.04 * (kappa[i] ** 2 + kappa[B + i] ** 2) / B
    losses = net(views)
    assert losses.total.item() == pytest.approx(contrast + align + penalty, abs=1e-5)
    assert losses.kl.item() == pytest.approx(penalty, rel=1e-5)


def test_the_best_concentration_is_a_multiple_of_the_cosine_and_needs_the_penalty():
    net = model("concentration", weight=0.5, l2=0.25)
    cosine, kappa = torch.tensor([0.2, 0.9]), torch.tensor([0.2, 0.9])
    z = [torch.tensor([[1.0, 0.0]] * 2), torch.stack([cosine, torch.sqrt(1 - cosine**2)], dim=-1)]

    def slope(l2, kappa):
        net.l2, r = l2, kappa.log().requires_grad_()
        net.predicted = lambda _: r.exp()
        net.monitors = lambda *_: {}
        (slope,) = torch.autograd.grad(net.losses([None, None], z).total, r)
        return slope

    torch.testing.assert_close(slope(0.25, kappa), torch.zeros(2), atol=1e-6, rtol=0)  # weight / (2 l2) = 1
    assert (slope(0.25, 2 * kappa) > 0).all() and (slope(0.25, kappa / 2) < 0).all()
    # Without it kappa is pulled up wherever it is, and the more the larger it is.
    pulls = [-slope(0.0, kappa * factor) for factor in (1, 10, 1000)]
    assert (pulls[0] > 0).all() and (pulls[1] > 5 * pulls[0]).all() and (pulls[2] > 50 * pulls[1]).all()


# --- MCInfoNCE ------------------------------------------------------------------------------------------


def oracle_loss(mu, kappa, samples, critic, seed=0):
    """The loss of 2n views by samples of another package's power spherical distribution."""
    torch.manual_seed(seed)
    n, d = len(mu) // 2, mu.shape[1]
    z = Oracle(mu.double(), kappa.double()).rsample((samples,))
    out = []
    for i in range(2 * n):
        logits = critic * torch.stack([(z[:, i] * z[:, k]).sum(-1) for k in range(2 * n)], dim=1)
        others = [k for k in range(2 * n) if k != i]
        share = torch.exp(logits[:, (i + n) % (2 * n)]) / torch.exp(logits[:, others]).mean(1)
        out.append(-torch.log(share.mean()))
    assert z.shape[-1] == d
    return torch.stack(out).mean().item()


def drawn_loss(net, q, seed=0):
    """The method's loss of two views whose distributions are `q`."""
    torch.manual_seed(seed)
    given = iter(q)
    net.q = lambda *_: next(given)
    return net.losses([None, None], [each.loc for each in q])


def small_problem(d=3, kappa=(1.0, 6.0, 4.0, 2.0)):
    """Two images, two views each."""
    mu = normalize(torch.randn(4, d, generator=torch.Generator().manual_seed(3)), dim=-1)
    mu[2:] = normalize(mu[:2] + 0.3 * mu[2:], dim=-1)
    return mu, torch.tensor(kappa, dtype=torch.float64)


def of_views(mu, kappa):
    return [PowerSpherical(mu[part], kappa[part], validate_args=False) for part in (slice(2), slice(2, 4))]


def test_mcinfonce_is_a_loop_over_its_samples(views):
    net = model("mcinfonce", samples=5, critic=7.0)
    features, mu = seen(net, views)
    kappa = [(D - 1) * 0.7 / 0.3 * torch.exp(net.kappa_head(f).double()) for f in features]
    assert torch.cat(kappa).std() > 1
    torch.manual_seed(11)
    losses = net(views)
    torch.manual_seed(11)
    parts = zip(mu.chunk(2), kappa, strict=True)
    z = torch.cat([PowerSpherical(*part, validate_args=False).rsample((5,)) for part in parts], dim=1).detach().numpy()
    shares = np.array([loop(sample, np.full(2 * B, 7.0)) for sample in z])  # -log p, (5, 2B)
    expected = -(logsumexp(-shares, axis=0) - math.log(5)).mean() - math.log(2 * B - 1)
    assert losses.total.item() == pytest.approx(expected, abs=1e-4)
    cosines = [z[s, i] @ z[s, (i + B) % (2 * B)] for s in range(5) for i in range(2 * B)]
    assert losses.align.item() == pytest.approx(-7 * np.mean(cosines), abs=1e-4)
    assert losses.kl == 0
    kl = -Oracle(mu[:B].detach().double(), kappa[0].detach()).entropy() + log_sphere_area(D)
    assert losses.monitors["j_kl"].item() == pytest.approx(-kl.mean().item(), rel=1e-5)
    assert losses.monitors["expected_cosine"].item() == pytest.approx(
        np.mean([(k / (k + D - 1)).mean().item() for k in kappa]), rel=1e-5
    )


def test_gradients_through_the_samples_are_finite_differences_of_the_expected_loss():
    net = model("mcinfonce", critic=5.0, d=3)
    net.samples = 100_000
    mu, kappa = small_problem()
    for which, h in ((slice(1), 0.3), (slice(4), 0.3)):  # of one view, of all
        shift = torch.zeros((), dtype=torch.float64, requires_grad=True)
        scale = torch.zeros(4, dtype=torch.float64)
        scale[which] = 1
        total = drawn_loss(net, of_views(mu, kappa * torch.exp(scale * shift))).total
        (ours,) = torch.autograd.grad(total, shift)
        ends = [oracle_loss(mu, kappa * torch.exp(scale * s), 100_000, 5.0) for s in (h, -h)]
        assert ours.item() == pytest.approx((ends[0] - ends[1]) / (2 * h), abs=0.015)
        assert abs(ours.item()) > 0.03


def test_autocast_changes_neither_samples_nor_their_contrast():
    """A training in bf16 is another one all the same: the samples' rejections go other ways with another kappa."""
    net = model("mcinfonce", critic=20.0, d=3)
    mu, kappa = small_problem()
    full = drawn_loss(net, of_views(mu, kappa)).total
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(drawn_loss(net, of_views(mu, kappa)).total, full)
