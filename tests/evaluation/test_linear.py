import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from vi_simsiam.config.schema import parse
from vi_simsiam.core.errors import Problem
from vi_simsiam.evaluation import linear
from vi_simsiam.evaluation.classify import classify


def data(n=400, dim=12, classes=4):
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(classes, (n,), generator=generator)
    features = torch.randn(n, dim, generator=generator) + torch.eye(classes, dim)[labels]
    return features * torch.logspace(-2, 2, dim) + 5, labels  # badly scaled, as features are


def scikit_learns(features, labels, C):
    """The fitted model, and the features as it takes them."""
    scaled = StandardScaler().fit_transform(features.double().numpy())
    return LogisticRegression(C=C, tol=1e-12, max_iter=100_000).fit(scaled, labels.numpy()), scaled


@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
def test_the_solution_is_scikit_learns(C):
    features, labels = data()
    ours = linear.fit(features, labels, 4, C)
    theirs, scaled = scikit_learns(features, labels, C)
    centred = ours.weight.numpy() - ours.weight.numpy().mean(0)  # softmax does not see a shift of all classes
    np.testing.assert_allclose(centred, theirs.coef_ - theirs.coef_.mean(0), atol=1e-3)
    probabilities = ours.probabilities(features).numpy()
    np.testing.assert_allclose(probabilities, theirs.predict_proba(scaled), atol=1e-3)


def test_the_solution_on_correlated_features_is_scikit_learns():
    """Features as an encoder's: eigenvalues of the covariance fall by four orders of magnitude."""
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(5, (600,), generator=generator)
    hidden = torch.randn(600, 40, generator=generator) + 1.5 * torch.randn(5, 40, generator=generator)[labels]
    mixing = torch.linalg.qr(torch.randn(40, 40, generator=generator))[0]
    features = hidden * torch.arange(1, 41) ** -1.5 @ mixing
    ours = linear.fit(features, labels, 5, C=10.0)
    theirs, scaled = scikit_learns(features, labels, C=10.0)
    np.testing.assert_allclose(ours.probabilities(features).numpy(), theirs.predict_proba(scaled), atol=1e-3)


def test_a_constant_feature_is_ignored():
    features, labels = data()
    with_constant = torch.cat([features, torch.full((len(features), 1), 7.0)], dim=1)
    a = linear.fit(features, labels, 4).probabilities(features)
    b = linear.fit(with_constant, labels, 4).probabilities(with_constant)
    torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("C", [1e-4, 1, 1e4, 1e6, 1e12])
def test_any_penalty_with_fewer_images_than_features(C, capsys):
    """At 1e4 rounding takes the Cholesky factor away, unless it is reckoned with."""
    features, labels = data(n=30, dim=64)
    labels[:4] = torch.arange(4)
    probe = linear.fit(features, labels, 4, C)
    probabilities = probe.probabilities(features)
    assert "warning" not in capsys.readouterr().out and torch.isfinite(probabilities).all()
    assert C < 1 or (probabilities.argmax(-1) == labels).all()
    if C in (1, 1e4):
        theirs, scaled = scikit_learns(features, labels, C)
        np.testing.assert_allclose(probabilities.numpy(), theirs.predict_proba(scaled), atol=1e-3)


def test_saved_and_loaded(tmp_path):
    features, labels = data()
    probe = linear.fit(features, labels, 4)
    probe.save(tmp_path / "probe.safetensors")
    again = linear.LinearProbe.load(tmp_path / "probe.safetensors")
    torch.testing.assert_close(again.probabilities(features), probe.probabilities(features), rtol=0, atol=0)
    (tmp_path / "probe.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{broken}")
    with pytest.raises(Problem, match=r"probe\.safetensors"):
        linear.LinearProbe.load(tmp_path / "probe.safetensors")


def most_memory(work):
    """Bytes that tensors of the CPU take at most while it works, beyond those before."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        work()
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    changes = [event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]
    return max(np.cumsum(changes))


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of what counts the memory
def test_a_fit_takes_one_copy_of_the_features(monkeypatch):
    """As docs/running_large.md says; also in double precision, whose features would be twice as large."""
    features, labels = data(n=30_000, dim=64)
    monkeypatch.setattr(linear, "_ITERATIONS", 3)
    monkeypatch.setattr(linear, "_CONVERGED", 0)
    monkeypatch.setattr(linear, "_ELEMENTS", 64_000)
    taken = most_memory(lambda: linear.fit(features, labels, 4))
    assert features.nbytes <= taken < 1.5 * features.nbytes  # logits and their gradients are the rest
    split = {"train": features, "test": features[:10]}
    params = parse("probe", {"k": 5, "temperature": 0.1, "C": 1.0, "batch_size": 8})
    taken = most_memory(lambda: classify(split, {"train": labels, "test": labels[:10]}, 4, params))
    assert taken < 1.5 * features.nbytes


def test_pieces_change_nothing_but_rounding(monkeypatch):
    features, labels = data()
    whole = linear.fit(features, labels, 4)
    monkeypatch.setattr(linear, "_ELEMENTS", 50 * 12)
    for converged in (1e-5, 0):  # in single precision, and then in double
        monkeypatch.setattr(linear, "_CONVERGED", converged)
        pieces = linear.fit(features, labels, 4)
        torch.testing.assert_close(pieces.probabilities(features), whole.probabilities(features), rtol=0, atol=1e-4)


def test_losses_are_of_probes_that_have_not_seen_the_image():
    rng = np.random.default_rng(0)
    labels = torch.from_numpy(rng.integers(0, 3, 60))
    features = torch.from_numpy(rng.normal(size=(60, 90))).float()  # more than images: what is fitted can be right
    features[:, :30] += 4 * torch.eye(3)[labels].repeat(1, 10)
    wrong = labels.clone()
    wrong[:6] = (labels[:6] + 1) % 3  # six labels are mistakes
    losses = linear.cross_fitted_losses(features, wrong, 3, C=0.1)
    seen = linear.fit(features, wrong, 3, C=0.1).probabilities(features).gather(1, wrong[:, None])[:, 0]
    assert (seen > 0.5).all(), "a probe that has seen the mistakes repeats them"
    assert (losses[:6] > 1.5).all() and losses[6:].median() < 0.5
    # Another label of an image changes its loss, and those of the half that its probe judges, no others.
    other = wrong.clone()
    other[30] = (wrong[30] + 1) % 3
    changed = linear.cross_fitted_losses(features, other, 3, C=0.1) != losses
    assert changed[30] and changed.sum() == 31


def test_losses_are_positive_and_finite():
    sure = torch.tensor([[1.0], [-1.0]]).repeat(20, 1) * 1000
    losses = linear.cross_fitted_losses(sure, torch.arange(40) % 2, 2, C=1e6)
    assert (losses >= 1e-6).all() and torch.isfinite(losses.log()).all()
    assert linear.cross_fitted_losses(sure[:1], torch.tensor([0]), 4).tolist() == pytest.approx([np.log(4)])
    assert len(linear.cross_fitted_losses(sure[:0], torch.zeros(0, dtype=torch.int64), 4)) == 0
