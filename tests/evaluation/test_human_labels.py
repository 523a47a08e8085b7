"""Human soft labels: the entropy, and files that do not fit."""

import numpy as np
import pytest

from vi_simsiam.core.errors import Problem
from vi_simsiam.evaluation.human_labels import label_entropy


@pytest.fixture
def counts(store):
    """51 annotators: 50 for the label, one for another class. The first image: 30 and 21."""
    labels, table = store.labels("test"), np.zeros((40, 10), int)
    rows = np.arange(40)
    table[rows, labels], table[rows, (labels + 1) % 10] = 50, 1
    table[0, labels[0]], table[0, (labels[0] + 1) % 10] = 30, 21
    return table


def test_entropy_of_counts_and_probabilities(store, counts, tmp_path):
    file = tmp_path / "soft.npy"
    np.save(file, counts)
    found = label_entropy(file, store)
    p = np.array([50, 1]) / 51
    np.testing.assert_allclose(found[1:], -(p * np.log(p)).sum())
    p = np.array([30, 21]) / 51
    assert found[0] == pytest.approx(-(p * np.log(p)).sum())
    np.save(file, counts / counts.sum(1, keepdims=True))
    np.testing.assert_allclose(label_entropy(file, store), found)


def changed(counts, row, value):
    counts = counts.astype(float)
    counts[row] = value
    return counts


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c[:30], ["30 x 10", "40 test images of 10 classes"]),
        (lambda c: c[:, :9], ["40 x 9"]),
        (lambda c: c[:, 0], ["not one table"]),
        (lambda c: c.astype(str), ["not one table"]),
        (lambda c: changed(c, 3, np.nan), ["not finite"]),
        (lambda c: changed(c, 3, -1), ["negative"]),
        (lambda c: changed(c, 3, 0), ["row 3 is all zeros"]),
        (lambda c: np.roll(c, 1, axis=1), ["only 0%", "order"]),
    ],
)
def test_files_that_do_not_fit(store, counts, tmp_path, change, words):
    file = tmp_path / "soft.npy"
    np.save(file, change(counts))
    with pytest.raises(Problem) as caught:
        label_entropy(file, store)
    for word in [str(file), "correct the file", "soft_labels to null", *words]:
        assert word in str(caught.value)


def test_a_file_that_is_missing_or_no_array(store, tmp_path):
    with pytest.raises(Problem, match=r"absent\.npy.*cannot be read"):
        label_entropy(tmp_path / "absent.npy", store)
    (tmp_path / "text.npy").write_text("1 2 3")
    with pytest.raises(Problem, match=r"text\.npy.*cannot be read"):
        label_entropy(tmp_path / "text.npy", store)


def test_rows_of_a_subset_are_chosen_by_the_stores_sources(store, counts, tmp_path):
    """The whole test set has 100 images, of which the store holds 40: its table of sources says which."""
    import pandas as pd

    rows = np.random.default_rng(0).permutation(100)[:40]
    whole = np.ones((100, 10), int)
    whole[rows] = counts
    np.save(tmp_path / "all.npy", whole)
    np.save(tmp_path / "stored.npy", counts)

    class Subset:
        classes = store.classes
        labels = staticmethod(store.labels)

        @staticmethod
        def sources(split):
            return pd.DataFrame({"index": range(40), "path": rows.astype(str)})

    np.testing.assert_array_equal(
        label_entropy(tmp_path / "all.npy", Subset()), label_entropy(tmp_path / "stored.npy", store)
    )
