"""Losses against independent formulations, and the gradients that the theory promises."""

import math

import numpy as np
import pytest
import torch
from power_spherical import PowerSpherical as Oracle
from scipy.special import logsumexp, softmax
from scipy.stats import entropy, vonmises_fisher
from torch.nn.functional import normalize

from helpers.small import pretrain_params
from vi_simsiam.config.schema import METHOD_PARAMS, METHODS, BackboneParams, UntrainedParams
from vi_simsiam.methods import ImageSpec, build
from vi_simsiam.nn.distributions import log_sphere_area, von_mises_fisher_expected_cosine
from vi_simsiam.nn.sphere import PowerSpherical

D = 16
BACKBONE = {"name": "resnet10", "width": 4, "stem": "3x3"}
IMAGES = ImageSpec(size=12, channels=1, mean=(0.3,), std=(0.4,))


def params(name, **vi):
    vi = {
        "objective": "decoupled", "beta": 1.0, "warmup": 0.3, "kappa_input": "features", "kappa_hidden": 8,
        "kappa_gain": 1.0, "kappa_detach": False,
    } | vi  # fmt: skip
    values = dict(
        backbone=BACKBONE, epochs=1, batch_size=8, lr=0.1, momentum=0.9, weight_decay=0.0, warmup_epochs=0,
        precision=32, threads=1, devices=1, sync_batchnorm=True, knn_every=0,
        projector={"layers": 2, "hidden": 32, "out": D},
        predictor={"hidden": 8}, vi_simsiam=vi, vae={"latent": 6, "sigma": 0.1}, simclr={"temperature": 0.2},
        dino={
            "prototypes": 12, "student_temperature": 0.1, "teacher_temperature": 0.04, "teacher_momentum": 0.9,
            "centre_momentum": 0.8,
        },
    )  # fmt: skip
    kind = METHOD_PARAMS[name]
    return kind.model_validate({key: value for key, value in values.items() if key in kind.model_fields})


def model(name, seed=0, **vi):
    torch.manual_seed(seed)
    return build(name, params(name, **vi), IMAGES)


@pytest.fixture
def views():
    return tuple(torch.rand(8, 1, 12, 12, generator=torch.Generator().manual_seed(s)) for s in (1, 2))


def embeddings(net, views):
    features = [net.features(v) for v in views]
    projections = [net.projector(f) for f in features]
    z = [normalize(p, dim=-1) for p in projections]
    mu = [normalize(net.predictor(p), dim=-1) for p in projections]
    return features, projections, z, mu


def test_simsiam_is_the_negative_mean_cosine(views):
    net = model("simsiam")
    _, _, z, mu = embeddings(net, views)
    expected = -(torch.cosine_similarity(mu[0], z[1]).mean() + torch.cosine_similarity(mu[1], z[0]).mean()) / 2
    losses = net(views)
    torch.testing.assert_close(losses.total, expected)
    assert losses.uniform == 0 and losses.kl == 0
    assert von_mises_fisher_expected_cosine(net.constant_kappa, D) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("name", ["simsiam", "vi_simsiam"])
def test_no_gradient_reaches_the_target(name, views):
    """The gradient equals that of a loss whose targets are constants computed beforehand."""
    net = model(name, kappa_detach=True)
    net(views).total.backward()
    ours = {n: p.grad.clone() for n, p in net.named_parameters() if not n.startswith("kappa_head")}
    net.zero_grad()
    _, _, z, mu = embeddings(net, views)
    targets = [t.detach().clone() for t in z]
    (-((mu[0] * targets[1]).sum(-1).mean() + (mu[1] * targets[0]).sum(-1).mean()) / 2).backward()
    for n, p in net.named_parameters():
        if n in ours:
            torch.testing.assert_close(ours[n], p.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("objective", ["likelihood", "beta", "decoupled", "warmup"])
def test_every_objective_has_the_likelihood_as_its_value(objective, views):
    net = model("vi_simsiam", objective=objective, beta=0.4)
    torch.nn.init.normal_(net.kappa_head[-1].weight, std=3.0)
    features, projections, z, mu = embeddings(net, views)
    kappa = [net.kappa(net.expected_cosine_logit(f, p)) for f, p in zip(features, projections, strict=True)]
    assert kappa[0].std() > 1
    expected = -sum(Oracle(mu[i].double(), kappa[i]).log_prob(z[1 - i].double()).mean() for i in (0, 1)) / (2 * D)
    torch.testing.assert_close(net(views).total, expected, check_dtype=False, rtol=1e-6, atol=1e-6)


def objective_gradients(objective, cosine, kappa, progress=0.0, **vi):
    net = model("vi_simsiam", objective=objective, **vi)
    cosine, kappa = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (cosine, kappa))
    mu = torch.nn.functional.pad(torch.stack([cosine, torch.sqrt(1 - cosine.detach() ** 2)], dim=-1), (0, D - 2))
    z = torch.eye(D, dtype=torch.float64)[:1]  # mu.z = cosine
    loss = net.align(PowerSpherical(mu, kappa, validate_args=False), z, net.phase(progress))
    return torch.autograd.grad(loss.sum(), (cosine, kappa))


COSINE, KAPPA = [-0.3, 0.1, 0.9], [0.5, 12.0, 90.0]


def test_gradients_of_the_objectives():
    cosine, kappa = torch.tensor(COSINE, dtype=torch.float64), torch.tensor(KAPPA, dtype=torch.float64)
    own = -kappa / D / (1 + cosine)  # of the likelihood, to the cosine
    to_cosine, to_kappa = objective_gradients("likelihood", COSINE, KAPPA)
    torch.testing.assert_close(to_cosine, own)
    alpha, beta = (D - 1) / 2 + kappa, (D - 1) / 2
    expected_log = math.log(2) + torch.digamma(alpha) - torch.digamma(alpha + beta)
    # kappa is pulled until log(1 + cosine) is what the distribution expects it to be
    torch.testing.assert_close(to_kappa, (expected_log - torch.log1p(cosine)) / D)
    for objective, vi, expected in (
        ("decoupled", {}, -torch.ones(3, dtype=torch.float64)),
        ("beta", {"beta": 1.0}, -1 / (1 + cosine)),
        ("beta", {"beta": 0.5}, -((kappa / D) ** 0.5) / (1 + cosine)),
        ("beta", {"beta": 0.0}, own),
    ):
        other_cosine, other_kappa = objective_gradients(objective, COSINE, KAPPA, **vi)
        torch.testing.assert_close(other_cosine, expected)
        torch.testing.assert_close(other_kappa, to_kappa)


def test_warmup_ends_on_the_likelihood():
    for progress, like in ((0.0, "decoupled"), (0.29, "decoupled"), (0.3, "likelihood"), (0.99, "likelihood")):
        ours = objective_gradients("warmup", COSINE, KAPPA, progress, warmup=0.3)
        torch.testing.assert_close(ours, objective_gradients(like, COSINE, KAPPA))


def test_kappa_is_parametrised_by_the_expected_cosine(views):
    net = model("vi_simsiam").eval()
    scores = net.certainty(net.features(views[0]))
    # an untrained head says 1/2 for every image, whatever d
    torch.testing.assert_close(scores["expected_cosine"], torch.full((8,), 0.5))
    torch.testing.assert_close(scores["kappa"], torch.full((8,), D - 1.0))
    logit = torch.linspace(-8, 12, 9)
    kappa = net.kappa(logit)
    torch.testing.assert_close(kappa / (kappa + D - 1), torch.sigmoid(logit.double()))


@pytest.mark.parametrize("detach", [True, False])
@pytest.mark.parametrize("source", ["features", "projection"])
def test_where_the_kappa_head_reads_and_whether_it_trains_the_encoder(detach, source, views):
    net = model("vi_simsiam", kappa_detach=detach, kappa_input=source)
    torch.nn.init.normal_(net.kappa_head[-1].weight)
    feats = [net.features(v) for v in views]
    logit = net.expected_cosine_logit(feats[0], net.projector(feats[0]))
    assert net.kappa_head[0].in_features == (net.backbone.dim if source == "features" else D)
    logit.sum().backward()
    assert (net.backbone.conv1.weight.grad is None) == detach
    assert (net.projector[0].weight.grad is not None) == (source == "projection" and not detach)


def test_vae_loss_is_the_scaled_negative_elbo(views):
    net = model("vae")
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
        prior = torch.distributions.Normal(0.0, 1.0)
        kl = kl + torch.distributions.kl_divergence(posterior, prior).sum(-1).mean() * scale
    torch.testing.assert_close(losses.align, align, rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(losses.kl, kl, rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(losses.total, align + kl, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("size", [8, 12, 20, 28, 32, 45])
def test_decoder_returns_images_of_any_size(size):
    net = build("vae", params("vae"), ImageSpec(size, 3, (0.5,) * 3, (0.2,) * 3))
    assert net.decoder(torch.randn(2, 6)).shape == (2, 3, size, size)


def test_posterior_precision_is_higher_for_a_narrower_posterior(views):
    net = model("vae").eval()
    features = net.features(views[0])
    with torch.no_grad():
        before = net.certainty(features)["posterior_precision"]
        net.posterior_head.bias[6:] -= 1.5  # log sigma falls by 1.5 nats in every dimension
        after = net.certainty(features)["posterior_precision"]
    torch.testing.assert_close(after - before, torch.full((8,), 1.5))


@pytest.mark.parametrize("name", METHODS)
def test_what_every_method_states(name, views):
    def shipped(method):
        torch.manual_seed(0)
        values = pretrain_params(method) if method != "untrained" else UntrainedParams(backbone=BACKBONE)
        return build(method, values.model_copy(update={"backbone": BackboneParams(**BACKBONE)}), IMAGES)

    net = shipped(name).eval()
    assert len({part is None for part in (net.latent, net.prior, net.target)}) == 1  # all three, or a method without
    features = net.features(views[0])
    assert features.shape == (8, net.backbone.dim) == (8, 32)
    torch.testing.assert_close(net.embedding(features).norm(dim=-1), torch.ones(8))
    assert tuple(net.own_scores(features, views[0])) == net.certainty_scores
    # the same seed gives the same encoder to every method: they differ in nothing else
    torch.testing.assert_close(net.backbone.conv1.weight, shipped("untrained").backbone.conv1.weight)


def test_the_teacher_sees_each_view_once(views):
    net = model("dino").train()
    net(views)
    norms = [module for module in net.head.modules() if isinstance(module, torch.nn.BatchNorm1d)]
    assert norms and {norm.num_batches_tracked.item() for norm in norms} == {2}


def test_images_are_standardised_inside_the_model(views):
    net = model("untrained").eval()
    torch.testing.assert_close(net.features(views[0]), net.backbone((views[0] - 0.3) / 0.4))


def test_views_are_normalised_by_their_own_batch_statistics(views):
    """Two passes, not one: swapping the other view must not change this view's embedding."""
    net = model("simsiam")
    first = net(views).monitors["embedding"]
    second = net((views[0], views[1] + 3.0)).monitors["embedding"]
    torch.testing.assert_close(first, second, rtol=0, atol=0)


def independent_nt_xent(z, temperature):
    """SimCLR's loss as the paper's algorithm 1 writes it: a cross-entropy among the 2B - 1 other views."""
    both = torch.cat(z)
    n = len(z[0])
    losses = []
    for i in range(2 * n):
        others = [k for k in range(2 * n) if k != i]
        logits = torch.stack([torch.cosine_similarity(both[i], both[k], dim=0) / temperature for k in others])
        target = others.index((i + n) % (2 * n))
        losses.append(torch.nn.functional.cross_entropy(logits[None], torch.tensor([target])))
    return torch.stack(losses).mean()


def test_simclr_is_nt_xent_and_the_two_terms_of_its_von_mises_fisher_reading(views):
    net = model("simclr")
    losses = net(views)
    z = [net.projector(net.features(v)) for v in views]
    torch.testing.assert_close(losses.total, independent_nt_xent(z, 0.2) - math.log(15), rtol=1e-5, atol=1e-6)
    # The same terms from scipy's densities: align = -E log p(z_i | x_i), uniform = E log mean of p(z_i | x_k).
    both = normalize(torch.cat(z), dim=-1).detach().double().numpy()
    log_p = np.stack([vonmises_fisher(mu / np.linalg.norm(mu), 1 / 0.2).logpdf(both) for mu in both], axis=1)
    align = -log_p[np.arange(16), (np.arange(16) + 8) % 16].mean()
    others = log_p[~np.eye(16, dtype=bool)].reshape(16, 15)
    uniform = (logsumexp(others, axis=1) - math.log(15)).mean()
    assert losses.total.item() == pytest.approx(align + uniform, abs=1e-5)
    log_c = log_p[0, 0] - 1 / 0.2  # both terms are given up to the normaliser, which cancels
    assert losses.align.item() == pytest.approx(align + log_c, abs=1e-5)
    assert losses.uniform.item() == pytest.approx(uniform - log_c, abs=1e-5)


def dino_reference(net, views):
    """DINO's loss as its paper's algorithm 1 writes it, with numpy for the teacher."""
    with torch.no_grad():
        logits = [net.head(net.backbone(net.standardised(v))) for v in views]
    teacher = [softmax((t.numpy() - net.centre.numpy()) / 0.04, axis=1) for t in logits]
    students = [net.student_head(net.student_backbone(net.standardised(v))) for v in views]
    cross = [
        -(torch.tensor(teacher[1 - i]) * torch.log(torch.softmax(students[i] / 0.1, dim=1))).sum(1).mean()
        for i in (0, 1)
    ]
    return (cross[0] + cross[1]) / 2, logits


def test_dino_loss_gradient_centre_and_teacher(views):
    net = model("dino")
    net.centre.copy_(0.1 * torch.randn(12))
    before = net.centre.clone()
    losses = net(views)
    centre = net.centre.clone()
    losses.total.backward()
    ours = {n: p.grad.clone() for n, p in net.named_parameters() if p.grad is not None}
    # only the student is trained: no gradient passes the teacher
    assert ours and all(n.startswith("student_") for n in ours)
    assert {n for n, p in net.named_parameters() if p.requires_grad} == set(ours)
    net.zero_grad()
    net.centre.copy_(before)
    expected, logits = dino_reference(net, views)
    torch.testing.assert_close(losses.total, expected, rtol=1e-4, atol=1e-5)
    expected.backward()
    for n, p in net.named_parameters():
        if n in ours:
            torch.testing.assert_close(ours[n], p.grad, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(centre, 0.8 * before + 0.2 * torch.cat(logits).mean(0))


def test_dino_teacher_follows_the_student():
    net = model("dino")
    for p in net.student_backbone.parameters():
        p.data += 1
    old = net.backbone.conv1.weight.clone()
    net.after_step(0.5)  # momentum 0.9 at the start, 1 at the end, half way between in the middle
    torch.testing.assert_close(net.backbone.conv1.weight, old + 0.05)
    net.after_step(1.0)
    torch.testing.assert_close(net.backbone.conv1.weight, old + 0.05)


def test_dino_certainty_is_the_negative_entropy_of_the_teacher(views):
    net = model("dino").eval()
    features = net.features(views[0])
    net.centre.copy_(torch.randn(12) / 10)
    q = softmax((net.head(features).detach().numpy() - net.centre.numpy()) / 0.04, axis=1)
    expected = [-entropy(row) for row in q]
    np.testing.assert_allclose(net.certainty(features)["negative_entropy"].detach(), expected, rtol=1e-4)


@pytest.mark.parametrize("name", ["simsiam", "vi_simsiam", "simclr", "dino"])
def test_the_three_terms_are_logged_in_nats(name, views):
    net = model(name)
    if name == "vi_simsiam":
        torch.nn.init.normal_(net.kappa_head[-1].weight, std=3.0)
    logged = net(views).monitors
    if name == "dino":
        net.centre.zero_()
        with torch.no_grad():
            q = net.teacher_probabilities(net.head(net.features(views[1]))).numpy()
            student = net.student_head(net.student_backbone(net.standardised(views[0])))
        p = softmax(student.numpy() / 0.1, axis=1)
        expected = (
            (q * np.log(p)).sum(1).mean(),
            -(q @ np.log(p.mean(0))).mean(),
            -entropy(q, np.full_like(q, 1 / 12), axis=1).mean(),
        )
    else:
        features = [net.features(v) for v in views]
        z = [net.embedding(f).detach() for f in features]
        mu = z[0] if name == "simclr" else normalize(net.predictor(net.projector(features[0])), dim=-1).detach()
        if name == "vi_simsiam":
            kappa = net.p(features[0], net.projector(features[0])).concentration.detach()
            ps = Oracle(mu.double(), kappa)
            log_p = torch.stack([ps.log_prob(row.double().expand(8, -1)) for row in z[1]]).numpy()
            kl = (-ps.entropy() + log_sphere_area(D)).mean().item()
        else:
            kappa = 1 / 0.2 if name == "simclr" else net.constant_kappa
            vmf = [vonmises_fisher(m / np.linalg.norm(m), kappa) for m in mu.double().numpy()]
            log_p = np.stack([v.logpdf(z[1].double().numpy()) for v in vmf], axis=1)
            kl = -vmf[0].entropy() + log_sphere_area(D)
        log_p = log_p + log_sphere_area(D)  # relative to the uniform prior
        expected = (np.diag(log_p).mean(), -(logsumexp(log_p, axis=1) - math.log(8)).mean(), -kl)
    for key, value in zip(("j_align", "j_uniform", "j_kl"), expected, strict=True):
        assert float(logged[key]) == pytest.approx(float(value), rel=1e-4, abs=1e-4), key
        assert not logged[key].requires_grad
