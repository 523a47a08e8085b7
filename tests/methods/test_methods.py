"""Losses against loops, other packages' densities and the gradients that the theory promises."""

import math

import numpy as np
import pytest
import torch
from power_spherical import PowerSpherical as Oracle
from scipy.special import logsumexp, softmax
from scipy.stats import entropy, expon, vonmises_fisher
from torch.distributions import kl_divergence
from torch.nn.functional import normalize

from helpers.models import IN_SMALL
from helpers.small import pretrain_params
from vi_simsiam.config.schema import METHODS, UntrainedParams
from vi_simsiam.methods import ImageSpec, build
from vi_simsiam.nn.distributions import log_sphere_area, von_mises_fisher_expected_cosine
from vi_simsiam.nn.sphere import HypersphericalUniform, PowerSpherical, VonMisesFisher

D, B = 16, 8
IMAGES = ImageSpec(size=12, channels=1, mean=(0.3,), std=(0.4,))


def model(name, learnt=True, **section):
    """A small network of a method; `section`: parameters of the method's section.

    A head that begins with the same certainty for every image gets random weights if it is `learnt`.
    """
    torch.manual_seed(0)
    if name == "untrained":
        return build(name, UntrainedParams(backbone=IN_SMALL), IMAGES)
    changes = {name: section} if section else {}
    if name != "vae":
        changes["projector"] = {"hidden": 32, "out": D}
    net = build(name, pretrain_params(name, **changes), IMAGES)
    for parameter in net.parameters():
        if learnt and parameter.dim() == 2 and not parameter.any():
            torch.nn.init.normal_(parameter)
    return net


@pytest.fixture
def views():
    return tuple(torch.rand(B, 1, 12, 12, generator=torch.Generator().manual_seed(s)) for s in (1, 2))


def embeddings(net, views):
    """Features of both views, and their embeddings."""
    features = [net.features(view) for view in views]
    return features, [normalize(net.projector(f), dim=-1) for f in features]


def predictions(net, features):
    return [normalize(net.predictor(net.projector(f)), dim=-1) for f in features]


def gradients(net, cosine, kappa, progress=0.0):
    """Gradients of the losses of single images, to the cosine mu.z and to the concentration."""
    cosine, kappa = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (cosine, kappa))
    mu = torch.nn.functional.pad(torch.stack([cosine, torch.sqrt(1 - cosine.detach() ** 2)], dim=-1), (0, D - 2))
    z = torch.eye(D, dtype=torch.float64)[:1]  # mu.z = cosine
    loss = net.align(net.latent(mu, kappa, validate_args=False), z, net.phase(progress))
    return torch.autograd.grad(loss.sum(), (cosine, kappa))


COSINE, KAPPA = [-0.3, 0.1, 0.9], [0.5, 12.0, 90.0]


# --- all methods --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS)
def test_what_every_method_states(name, views):
    net = model(name).eval()
    assert len({part is None for part in (net.latent, net.prior, net.target)}) == 1  # all three, or a method without
    features = net.features(views[0])
    assert features.shape == (B, net.backbone.dim) == (B, 32)
    torch.testing.assert_close(net.embedding(features).norm(dim=-1), torch.ones(B))
    scores = net.own_scores(features, views[0])
    assert tuple(scores) == net.certainty_scores
    for score, again in zip(scores.values(), net.own_scores(features, views[0]).values(), strict=True):
        assert score.shape == (B,) and score.dtype == torch.float32 and score.std() > 0
        assert torch.equal(score, again), "no noise in a score"


@pytest.mark.parametrize("name", [name for name in METHODS if name != "untrained"])
def test_all_that_is_trained_gets_a_gradient_and_the_monitors_get_none(name, views):
    net = model(name)
    losses = net(views)
    losses.total.backward()
    for key, parameter in net.named_parameters():
        assert not parameter.requires_grad or parameter.grad.abs().sum() > 0, key
    assert not any(value.requires_grad for value in losses.monitors.values())
    assert net.certainty_bounds is None or len(losses.monitors["kappa"]) == 2 * B


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("vi_simsiam", D - 1), ("mcinfonce", (D - 1) * 0.7 / 0.3), ("temperature", 2), ("concentration", 1),
        ("exponential", 1),
    ],
)  # fmt: skip
def test_where_the_certainty_of_all_images_begins(name, start, views):
    net = model(name, learnt=False).eval()
    values = net.certainty(net.features(views[0]))[net.certainty_scores[0]]
    torch.testing.assert_close(values, torch.full((B,), float(start)))


def test_views_are_normalised_by_their_own_batch_statistics(views):
    """Two passes, not one: swapping the other view must not change this view's embedding."""
    net = model("simsiam")
    first = net(views).monitors["embedding"]
    second = net((views[0], views[1] + 3.0)).monitors["embedding"]
    torch.testing.assert_close(first, second, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["simsiam", "vi_simsiam", "exponential", "simclr"])
def test_the_three_terms_on_the_sphere(name, views):
    net = model(name)
    logged = net(views).monitors
    features, z = embeddings(net, views)
    if name == "vi_simsiam":
        p = net.p(features[0], net.projector(features[0]))
    elif name == "simclr":
        p = VonMisesFisher(z[0], net.kappa)
    else:
        p = VonMisesFisher(predictions(net, features)[0], net.constant_kappa)
    log_p = torch.stack([p.log_prob(point) for point in z[1]]).detach().numpy()  # a row for each z, a column for each p
    log_p = log_p + log_sphere_area(D)  # relative to the uniform prior
    assert logged["j_align"].item() == pytest.approx(np.diag(log_p).mean(), rel=1e-4, abs=1e-4)
    expected = -(logsumexp(log_p, axis=1) - math.log(B)).mean()
    assert logged["j_uniform"].item() == pytest.approx(expected, rel=1e-4, abs=1e-4)
    kl = kl_divergence(p, HypersphericalUniform(D)).mean()
    assert logged["j_kl"].item() == pytest.approx(-kl.item(), rel=1e-4, abs=1e-4)


# --- SimSiam and VI-SimSiam -----------------------------------------------------------------------------------------


def test_simsiam_is_the_negative_mean_cosine(views):
    net = model("simsiam")
    features, z = embeddings(net, views)
    mu = predictions(net, features)
    expected = -(torch.cosine_similarity(mu[0], z[1]).mean() + torch.cosine_similarity(mu[1], z[0]).mean()) / 2
    losses = net(views)
    torch.testing.assert_close(losses.total, expected)
    assert losses.uniform == 0 and losses.kl == 0
    assert von_mises_fisher_expected_cosine(net.constant_kappa, D) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("name", "section"), [("simsiam", {}), ("vi_simsiam", {"kappa_detach": True}), ("exponential", {})]
)
def test_no_gradient_reaches_the_target(name, section, views):
    """The gradient equals that of SimSiam's loss whose targets are constants; the exponential's at its rate of 1."""
    net = model(name, learnt=False, **section)
    net(views).total.backward()
    ours = {n: p.grad.clone() for n, p in net.named_parameters() if "_head" not in n}
    net.zero_grad()
    features, z = embeddings(net, views)
    mu, targets = predictions(net, features), [t.detach().clone() for t in z]
    (-((mu[0] * targets[1]).sum(-1).mean() + (mu[1] * targets[0]).sum(-1).mean()) / 2).backward()
    for n, gradient in ours.items():
        torch.testing.assert_close(gradient, net.get_parameter(n).grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("objective", ["likelihood", "beta", "decoupled", "warmup"])
def test_every_objective_has_the_likelihood_as_its_value(objective, views):
    net = model("vi_simsiam", objective=objective, beta=0.4)
    features, z = embeddings(net, views)
    mu = predictions(net, features)
    kappa = [net.kappa(net.expected_cosine_logit(f, net.projector(f))) for f in features]
    assert kappa[0].std() > 1
    expected = -sum(Oracle(mu[i].double(), kappa[i]).log_prob(z[1 - i].double()).mean() for i in (0, 1)) / (2 * D)
    torch.testing.assert_close(net(views).total, expected, check_dtype=False, rtol=1e-6, atol=1e-6)


def test_gradients_of_the_objectives():
    cosine, kappa = torch.tensor(COSINE, dtype=torch.float64), torch.tensor(KAPPA, dtype=torch.float64)
    of_likelihood = -kappa / D / (1 + cosine)  # to the cosine
    to_cosine, to_kappa = gradients(model("vi_simsiam", objective="likelihood"), COSINE, KAPPA)
    torch.testing.assert_close(to_cosine, of_likelihood)
    alpha, beta = (D - 1) / 2 + kappa, (D - 1) / 2
    expected_log = math.log(2) + torch.digamma(alpha) - torch.digamma(alpha + beta)
    # kappa is pulled until log(1 + cosine) is what the distribution expects it to be
    torch.testing.assert_close(to_kappa, (expected_log - torch.log1p(cosine)) / D)
    for objective, beta, expected in (
        ("decoupled", 1.0, -torch.ones(3, dtype=torch.float64)),
        ("beta", 1.0, -1 / (1 + cosine)),
        ("beta", 0.5, -((kappa / D) ** 0.5) / (1 + cosine)),
        ("beta", 0.0, of_likelihood),
    ):
        other_cosine, other_kappa = gradients(model("vi_simsiam", objective=objective, beta=beta), COSINE, KAPPA)
        torch.testing.assert_close(other_cosine, expected)
        torch.testing.assert_close(other_kappa, to_kappa)


def test_warmup_ends_on_the_likelihood():
    net = model("vi_simsiam", objective="warmup", warmup=0.3)
    for progress, like in ((0.0, "decoupled"), (0.29, "decoupled"), (0.3, "likelihood"), (0.99, "likelihood")):
        expected = gradients(model("vi_simsiam", objective=like), COSINE, KAPPA)
        torch.testing.assert_close(gradients(net, COSINE, KAPPA, progress), expected)


def test_kappa_is_parametrised_by_the_expected_cosine():
    logit = torch.linspace(-8, 12, 9)
    kappa = model("vi_simsiam").kappa(logit)
    torch.testing.assert_close(kappa / (kappa + D - 1), torch.sigmoid(logit.double()))


@pytest.mark.parametrize("detach", [True, False])
@pytest.mark.parametrize("source", ["features", "projection"])
def test_where_the_kappa_head_reads_and_whether_it_trains_the_encoder(detach, source, views):
    net = model("vi_simsiam", kappa_detach=detach, kappa_input=source)
    features = net.features(views[0])
    net.expected_cosine_logit(features, net.projector(features)).sum().backward()
    assert net.kappa_head[0].in_features == (net.backbone.dim if source == "features" else D)
    assert (net.backbone.conv1.weight.grad is None) == detach
    assert (net.projector[0].weight.grad is not None) == (source == "projection" and not detach)


# --- VAE ------------------------------------------------------------------------------------------------------------


def test_vae_loss_is_the_scaled_negative_elbo(views):
    net = model("vae", sigma=0.1)
    torch.manual_seed(5)
    losses = net(views)
    torch.manual_seed(5)
    align = kl = 0.0
    scale = 0.1**2 / 144 / 2
    for view in views:
        mean, log_sigma = net.posterior(net.features(view))
        posterior = torch.distributions.Normal(mean, log_sigma.exp())
        z = mean + log_sigma.exp() * torch.randn_like(mean)
        decoded = torch.distributions.Normal(net.decoder(z), 0.1)
        align = align - decoded.log_prob(view).flatten(1).sum(-1).mean() * scale
        kl = kl + kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0)).sum(-1).mean() * scale
    torch.testing.assert_close(losses.align, align, rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(losses.kl, kl, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("size", [8, 12, 20, 45])
def test_decoder_returns_images_of_any_size(size):
    net = build("vae", pretrain_params("vae"), ImageSpec(size, 3, (0.5,) * 3, (0.2,) * 3))
    assert net.decoder(torch.randn(2, net.decoder.first.in_features)).shape == (2, 3, size, size)


def test_posterior_precision_is_higher_for_a_narrower_posterior(views):
    net = model("vae", latent=6).eval()
    features = net.features(views[0])
    with torch.no_grad():
        before = net.certainty(features)["posterior_precision"]
        net.posterior_head.bias[6:] -= 1.5  # log sigma falls by 1.5 nats in every dimension
        after = net.certainty(features)["posterior_precision"]
    torch.testing.assert_close(after - before, torch.full((B,), 1.5))


# --- SimCLR and the methods that add to it --------------------------------------------------------------------------


def nt_xent(z, kappa):
    """SimCLR's loss as the paper's algorithm 1 has it, of each of 2n views with its kappa; numpy, in a double loop."""
    n = len(z) // 2
    out = []
    for i in range(2 * n):
        logits = {k: kappa[i] * float(z[i] @ z[k]) for k in range(2 * n) if k != i}
        out.append(logsumexp(list(logits.values())) - logits[(i + n) % (2 * n)])
    return np.array(out)


def all_embeddings(net, views):
    """Features of both views, and embeddings of all 2B, first views first, in numpy."""
    features, z = embeddings(net, views)
    return features, torch.cat(z).detach().double().numpy()


def test_simclr_is_nt_xent_and_the_two_terms_of_its_von_mises_fisher_reading(views):
    net = model("simclr", temperature=0.2)
    losses = net(views)
    _, z = all_embeddings(net, views)
    assert losses.total.item() == pytest.approx(nt_xent(z, np.full(2 * B, 5.0)).mean() - math.log(15), abs=1e-5)
    # scipy's densities: align = -E log p(z_i | x_i), uniform = E log mean of p(z_i | x_k), but for the normaliser.
    log_p = np.stack([vonmises_fisher(mu / np.linalg.norm(mu), 5.0).logpdf(z) for mu in z], axis=1)
    log_c = log_p[0, 0] - 5.0
    align = -log_p[np.arange(16), (np.arange(16) + 8) % 16].mean()
    others = log_p[~np.eye(16, dtype=bool)].reshape(16, 15)
    uniform = (logsumexp(others, axis=1) - math.log(15)).mean()
    assert losses.align.item() == pytest.approx(align + log_c, abs=1e-5)
    assert losses.uniform.item() == pytest.approx(uniform - log_c, abs=1e-5)


def test_temperature_is_a_loop_with_a_temperature_for_each_row(views):
    net = model("temperature")
    features, z = all_embeddings(net, views)
    r = torch.cat([net.temperature_head(f) for f in features]).detach().numpy()
    tau = 0.25 * (1 + np.exp(-r))
    assert tau.std() > 0.01
    losses = net(views)
    assert losses.total.item() == pytest.approx(nt_xent(z, 1 / tau).mean() - math.log(2 * B - 1), abs=1e-5)
    np.testing.assert_allclose(losses.monitors["kappa"], 1 / tau, rtol=1e-5)
    # A temperature is never below the lowest, however sure the head is.
    with torch.no_grad():
        net.temperature_head.layers[-1].bias.fill_(1e4)
    assert (net.certainty(features[0])["inverse_temperature"] == 4).all()


def test_concentration_is_simclr_and_two_terms(views):
    net = model("concentration", weight=0.3, l2=0.04)
    features, z = all_embeddings(net, views)
    kappa = np.exp(np.concatenate([net.kappa_head(f).detach().numpy() for f in features]))
    assert kappa.std() > 0.05
    contrast, align, penalty = nt_xent(z, np.full(2 * B, 2.0)).mean() - math.log(2 * B - 1), 0.0, 0.0
    for i in range(B):
        align -= 0.3 * (kappa[i] + kappa[B + i]) * (z[i] @ z[B + i]) / B
        penalty += 0.04 * (kappa[i] ** 2 + kappa[B + i] ** 2) / B
    losses = net(views)
    assert losses.total.item() == pytest.approx(contrast + align + penalty, abs=1e-5)
    assert losses.kl.item() == pytest.approx(penalty, rel=1e-5)
    np.testing.assert_allclose(losses.monitors["kappa"], kappa, rtol=1e-5)


def test_mcinfonce_is_a_loop_over_its_samples(views):
    net = model("mcinfonce", samples=5, critic=7.0)
    features, mu = embeddings(net, views)
    kappa = [(D - 1) * 0.7 / 0.3 * torch.exp(net.kappa_head(f).double()) for f in features]
    assert torch.cat(kappa).std() > 1
    torch.manual_seed(11)
    losses = net(views)
    torch.manual_seed(11)
    parts = zip(mu, kappa, strict=True)
    z = torch.cat([PowerSpherical(*part, validate_args=False).rsample((5,)) for part in parts], dim=1).detach().numpy()
    shares = np.array([nt_xent(sample, np.full(2 * B, 7.0)) for sample in z])  # -log p, (5, 2B)
    expected = -(logsumexp(-shares, axis=0) - math.log(5)).mean() - math.log(2 * B - 1)
    assert losses.total.item() == pytest.approx(expected, abs=1e-4)
    cosines = [z[s, i] @ z[s, (i + B) % (2 * B)] for s in range(5) for i in range(2 * B)]
    assert losses.align.item() == pytest.approx(-7 * np.mean(cosines), abs=1e-4)
    assert losses.kl == 0
    kl = -Oracle(mu[0].detach().double(), kappa[0].detach()).entropy() + log_sphere_area(D)
    assert losses.monitors["j_kl"].item() == pytest.approx(-kl.mean().item(), rel=1e-5)
    assert losses.monitors["expected_cosine"].item() == pytest.approx(
        np.mean([(k / (k + D - 1)).mean().item() for k in kappa]), rel=1e-5
    )


def test_autocast_changes_neither_samples_nor_their_contrast(views):
    """A training in bf16 is another one all the same: the samples' rejections go other ways with another kappa."""
    net = model("mcinfonce")
    q = [net.q(*each) for each in zip(*embeddings(net, views), strict=True)]

    def loss():
        given = iter(q)
        net.q = lambda *_: next(given)
        torch.manual_seed(0)
        return net.losses([None, None], [each.loc for each in q]).total

    full = loss()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(loss(), full)


# --- exponential ----------------------------------------------------------------------------------------------------


def test_exponential_is_scipys_density_of_the_distance(views):
    net = model("exponential")
    features, z = embeddings(net, views)
    z, mu = ([each.detach().numpy() for each in pair] for pair in (z, predictions(net, features)))
    rate = [net.rate(f).detach().numpy() for f in features]
    assert np.std(rate) > 0.05
    nats = [expon(scale=1 / rate[i]).logpdf(1 - (mu[i] * z[1 - i]).sum(-1)).mean() for i in (0, 1)]
    losses = net(views)
    assert losses.total.item() == pytest.approx(-np.mean(nats), rel=1e-5)
    np.testing.assert_allclose(losses.monitors["kappa"], np.concatenate(rate), rtol=1e-5)


def test_exponentials_gradients_and_its_closed_form():
    to_cosine, to_rate = gradients(model("exponential"), COSINE, KAPPA)
    torch.testing.assert_close(to_cosine, -torch.tensor(KAPPA).double())  # the rate times SimSiam's
    torch.testing.assert_close(to_rate, 1 - torch.tensor(COSINE).double() - 1 / torch.tensor(KAPPA).double())


# --- DINO -----------------------------------------------------------------------------------------------------------


def test_dino_loss_gradient_centre_and_teacher(views):
    """The loss as the paper's algorithm 1 has it, with numpy for the teacher."""
    net = model("dino", centre_momentum=0.8)
    before = net.centre.normal_(std=0.1).clone()
    losses = net(views)
    centre = net.centre.clone()
    losses.total.backward()
    ours = {n: p.grad.clone() for n, p in net.named_parameters() if p.grad is not None}
    # only the student is trained: no gradient passes the teacher
    assert ours and all(n.startswith("student_") for n in ours)
    assert {n for n, p in net.named_parameters() if p.requires_grad} == set(ours)
    norms = [module for module in net.head.modules() if isinstance(module, torch.nn.BatchNorm1d)]
    assert {norm.num_batches_tracked.item() for norm in norms} == {2}, "the teacher sees each view once"
    net.zero_grad()
    with torch.no_grad():
        logits = [net.head(net.backbone(net.standardised(view))) for view in views]
    teacher = [torch.tensor(softmax((t.numpy() - before.numpy()) / 0.04, axis=1)) for t in logits]
    students = [net.student_head(net.student_backbone(net.standardised(view))) for view in views]
    log_p = [torch.log(torch.softmax(student / 0.1, dim=1)) for student in students]
    expected = -sum((teacher[1 - i] * log_p[i]).sum(1).mean() for i in (0, 1)) / 2
    torch.testing.assert_close(losses.total, expected, rtol=1e-4, atol=1e-5)
    expected.backward()
    for n, gradient in ours.items():
        torch.testing.assert_close(gradient, net.get_parameter(n).grad, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(centre, 0.8 * before + 0.2 * torch.cat(logits).mean(0))
    # The three terms, of the first view's student and the second view's teacher.
    p, q = log_p[0].detach().exp().numpy(), teacher[1].numpy()
    align, uniform = (q * np.log(p)).sum(1).mean(), -(q @ np.log(p.mean(0))).mean()
    kl = entropy(q, np.full_like(q, 1 / q.shape[1]), axis=1).mean()
    found = [losses.monitors[key].item() for key in ("j_align", "j_uniform", "j_kl")]
    assert found == pytest.approx([align, uniform, -kl], rel=1e-4, abs=1e-4)


def test_dinos_teacher_follows_the_student_and_has_its_own_statistics():
    net = model("dino", teacher_momentum=0.9)
    for part in (*net.student_backbone.parameters(), net.student_backbone.bn1.running_mean):
        part.data += 1
    old = net.backbone.conv1.weight.clone()
    net.after_step(0.5)  # momentum 0.9 at the start, 1 at the end, half way between in the middle
    torch.testing.assert_close(net.backbone.conv1.weight, old + 0.05)
    net.after_step(1.0)
    torch.testing.assert_close(net.backbone.conv1.weight, old + 0.05)
    assert not net.backbone.bn1.running_mean.any()


def test_dino_certainty_is_the_negative_entropy_of_the_teacher(views):
    net = model("dino").eval()
    features = net.features(views[0])
    net.centre.normal_(std=0.1)
    q = softmax((net.head(features).detach().numpy() - net.centre.numpy()) / 0.04, axis=1)
    expected = [-entropy(row) for row in q]
    np.testing.assert_allclose(net.certainty(features)["negative_entropy"].detach(), expected, rtol=1e-4)
