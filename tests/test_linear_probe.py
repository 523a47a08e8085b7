import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from vi_simsiam import linear_probe
from vi_simsiam.errors import Problem


def data(n=400, dim=12, classes=4):
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(classes, (n,), generator=generator)
    features = torch.randn(n, dim, generator=generator) + torch.eye(classes, dim)[labels]
    return features * torch.logspace(-2, 2, dim) + 5, labels  # badly scaled, as features are


@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
def test_the_solution_is_scikit_learns(C):
    features, labels = data()
    ours = linear_probe.fit(features, labels, 4, C)
    assert ours.gradient < 1e-5
    scaled = StandardScaler().fit_transform(features.double().numpy())
    theirs = LogisticRegression(C=C, tol=1e-10, max_iter=10_000).fit(scaled, labels.numpy())
    centred = ours.weight.numpy() - ours.weight.numpy().mean(0)  # softmax does not see a shift of all classes
    np.testing.assert_allclose(centred, theirs.coef_ - theirs.coef_.mean(0), atol=1e-3)
    probabilities = ours.probabilities(features).numpy()
    np.testing.assert_allclose(probabilities, theirs.predict_proba(scaled), atol=1e-3)


def test_a_constant_feature_is_ignored():
    features, labels = data()
    with_constant = torch.cat([features, torch.full((len(features), 1), 7.0)], dim=1)
    a = linear_probe.fit(features, labels, 4).probabilities(features)
    b = linear_probe.fit(with_constant, labels, 4).probabilities(with_constant)
    torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_saved_and_loaded(tmp_path):
    features, labels = data()
    probe = linear_probe.fit(features, labels, 4)
    probe.save(tmp_path / "probe.safetensors")
    again = linear_probe.LinearProbe.load(tmp_path / "probe.safetensors")
    torch.testing.assert_close(again.probabilities(features), probe.probabilities(features), rtol=0, atol=0)
    (tmp_path / "probe.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{broken}")
    with pytest.raises(Problem, match=r"probe\.safetensors"):
        linear_probe.LinearProbe.load(tmp_path / "probe.safetensors")
