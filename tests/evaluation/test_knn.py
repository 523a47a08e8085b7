import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from torch.nn.functional import normalize

from vi_simsiam.evaluation import knn


def clusters(n, seed):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 3
    return torch.randn(n, 5, generator=generator) + 1.5 * torch.eye(3, 5)[labels], labels


def test_neighbours_and_votes_agree_with_scikit_learn(monkeypatch):
    bank, labels = clusters(90, 0)
    queries, _ = clusters(40, 1)
    monkeypatch.setattr(knn, "_ELEMENTS", 90 * 7)  # several blocks of queries, the last one short
    cosines, indices = knn.neighbours(queries, knn.directions(bank), k=10)
    unit = normalize(bank, dim=-1).numpy(), normalize(queries, dim=-1).numpy()
    distance, expected = NearestNeighbors(n_neighbors=10, metric="cosine").fit(unit[0]).kneighbors(unit[1])
    np.testing.assert_array_equal(indices.numpy(), expected)
    np.testing.assert_allclose(cosines.numpy(), 1 - distance, atol=1e-6)
    classifier = KNeighborsClassifier(10, metric="cosine", weights=lambda d: np.exp((1 - d) / 0.1))
    classifier.fit(unit[0], labels.numpy())
    predicted = knn.predict(queries, bank, labels, k=10, temperature=0.1)
    np.testing.assert_array_equal(predicted.numpy(), classifier.predict(unit[1]))


def test_k_is_cut_to_the_size_of_the_bank():
    bank, _ = clusters(4, 3)
    assert knn.neighbours(bank, knn.directions(bank), k=20)[0].shape == (4, 4)
    assert knn.neighbours(bank, knn.directions(bank), k=20, leave_one_out=True)[0].shape == (4, 3)


@pytest.mark.parametrize("temperature", [1e-30, 1e-4, 1e6])
def test_extreme_temperatures_ask_the_nearest_or_all_alike(temperature):
    cosines = torch.tensor([[0.2, 0.1, 0.1], [-0.5, -0.6, -0.6]])
    votes = knn.vote(cosines, torch.tensor([[2, 1, 1], [2, 1, 1]]), 3, temperature)
    assert votes.tolist() == ([2, 2] if temperature < 1 else [1, 1])


def test_neighbour_correct_by_brute_force():
    rng = np.random.default_rng(0)
    features, labels = torch.from_numpy(rng.normal(size=(30, 5))), torch.from_numpy(rng.integers(0, 3, 30))
    found = knn.neighbour_correct(features, labels)
    for i in range(30):
        cosines = torch.nn.functional.cosine_similarity(features[i], features, dim=-1)
        cosines[i] = -2
        assert found[i] == (labels[cosines.argmax()] == labels[i]).item()
