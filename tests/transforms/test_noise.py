"""Noise that is a function of seeds: normal, independent from pixel to pixel and from seed to seed."""

import numpy as np
import pytest
import torch
from scipy import stats

from vi_simsiam.transforms.noise import SEEDS, standard_normal, with_noise

COUNT = 3072  # of a colour image of 32 pixels


@pytest.mark.parametrize("first", [0, 12_345, SEEDS - 200])
def test_numbers_are_normal_and_independent(first):
    """Seeds that follow each other, which a weak hash would show first."""
    numbers = standard_normal(torch.arange(first, first + 200), COUNT).double().numpy()
    assert stats.kstest(numbers.ravel(), stats.norm.cdf).pvalue > 0.01
    assert 4 < np.abs(numbers).max() < 5.9
    assert np.abs(numbers.mean(0)).max() < 5.5 / 200**0.5 and np.abs(numbers.mean(1)).max() < 5.5 / COUNT**0.5
    others = {
        "next place": (numbers[:, :-1], numbers[:, 1:]),
        "next row of the image": (numbers[:, :-32], numbers[:, 32:]),
        "other half": (numbers[:, : COUNT // 2], numbers[:, COUNT // 2 :]),
        "next seed": (numbers[:-1], numbers[1:]),
        "next place of the next seed": (numbers[:-1, :-1], numbers[1:, 1:]),
    }
    for name, (a, b) in others.items():
        for power in (1, 2):  # squares: a strength in common
            assert stats.pearsonr(a.ravel() ** power, b.ravel() ** power).pvalue > 0.001, (name, power)


def test_a_row_depends_on_its_seed_alone():
    numbers = standard_normal(torch.tensor([5, 7, SEEDS - 1]), 75)
    assert torch.equal(standard_normal(torch.tensor([7.0]), 75)[0], numbers[1])
    assert numbers.shape == (3, 75) and not torch.equal(numbers[0], numbers[1])
    assert standard_normal(torch.tensor([], dtype=torch.int64), 75).shape == (0, 75)


def test_noise_has_its_strength_and_is_clipped():
    grey = torch.full((3, 1, 100, 100), 0.5)
    found = with_noise(grey, torch.tensor([0.0, 0.05, 1.0]), torch.tensor([1, 2, 3]))
    assert torch.equal(found[0], grey[0]) and grey.unique().tolist() == [0.5]
    assert found[1].std() == pytest.approx(0.05, rel=0.02) and found[1].mean() == pytest.approx(0.5, abs=0.002)
    assert found.min() == 0 and found.max() == 1
    share = 2 * stats.norm.sf(0.5)  # beyond black or white at a standard deviation of 1
    assert ((found[2] == 0) | (found[2] == 1)).double().mean() == pytest.approx(share, abs=0.02)
