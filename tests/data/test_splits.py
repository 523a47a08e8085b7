import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.properties import quickly
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.randomness import generator
from vi_simsiam.data.splits import split_rows, stratified_sample

LABELS = np.repeat(np.arange(4), [100, 57, 10, 1])[np.random.RandomState(0).permutation(168)]


def test_sample_is_random_by_its_generator_alone():
    first, same, other = (stratified_sample(LABELS, 40, generator(seed)) for seed in (0, 0, 1))
    assert np.array_equal(first, same) and not np.array_equal(first, other)
    often = np.zeros(168)
    for seed in range(400):
        often[stratified_sample(LABELS, 42, generator(seed))] += 1
    assert np.abs(often / 400 - 0.25).max() < 0.09  # 4 standard deviations


def test_more_than_there_is():
    with pytest.raises(Problem, match=r"cache_views.train_images = 200, but there are only 168 train images"):
        split_rows(LABELS, LABELS, 0.2, 200, None, 0)
    with pytest.raises(Problem, match=r"cache_views.test_images = 40, but there are only 30 test images"):
        split_rows(LABELS, LABELS[:30], 0.2, None, 40, 0)
    with pytest.raises(Problem, match="no test images are left"):
        split_rows(LABELS[:3], None, 0.1, None, None, 0)


@quickly
@given(st.lists(st.integers(-1, 5), max_size=80), st.floats(0, 1), st.integers(0, 99))
def test_every_sample_is_stratified(labels, share, seed):
    labels = np.array(labels, dtype=np.int64)
    count = round(share * len(labels))
    rows = stratified_sample(labels, count, generator(seed))
    assert len(rows) == count and (np.diff(rows) > 0).all() and ((rows >= 0) & (rows < len(labels))).all()
    for label in np.unique(labels):
        exact = (labels == label).sum() * count / len(labels)
        assert abs((labels[rows] == label).sum() - exact) < 1


@quickly
@given(
    st.lists(st.integers(0, 3), min_size=20, max_size=60),
    st.one_of(st.none(), st.lists(st.integers(0, 3), min_size=20, max_size=60)),
    st.floats(0.1, 0.5),
    st.sampled_from(["test", "validation"]),
    st.integers(0, 99),
)
def test_no_image_is_trained_on_and_tested_on(train_labels, test_labels, share, evaluate_on, seed):
    train_labels = np.array(train_labels)
    own_test = None if test_labels is None else np.array(test_labels)
    train, test = split_rows(train_labels, own_test, share, None, None, seed, evaluate_on)
    if own_test is not None and evaluate_on == "test":
        assert np.array_equal(train, np.arange(len(train_labels))) and np.array_equal(test, np.arange(len(own_test)))
    else:
        assert len(set(train) & set(test)) == 0 and set(train) | set(test) <= set(range(len(train_labels)))
        fewer = split_rows(train_labels, own_test, share, 5, 2, seed, evaluate_on)
        assert set(fewer[0]) <= set(train) and set(fewer[1]) <= set(test) and list(map(len, fewer)) == [5, 2]
    if evaluate_on == "validation":  # the test images are never trained on
        shipped = split_rows(train_labels, own_test, share, None, None, seed)
        assert set(train) | set(test) == set(shipped[0])


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("evaluate_on", ["test", "validation"])
def test_every_class_keeps_an_image_to_train_on(share, evaluate_on):
    labels = np.repeat(np.arange(40), [1] * 20 + [2] * 10 + [3] * 5 + [50] * 5)
    for seed in range(20):
        train, test = split_rows(labels, None, share, None, None, seed, evaluate_on)
        assert set(labels[test]) <= set(labels[train]) == set(labels) and not set(train) & set(test)
        if share < 0.5 and evaluate_on == "test":
            assert len(test) == round(share * len(labels))  # others are drawn in place of the only ones


def test_images_without_labels_are_no_class_of_their_own_kind():
    train, test = split_rows(np.array([-1, 0, 0, 0, 0]), None, 0.8, None, None, 1)
    assert len(train) + len(test) == 5 and len(train) >= 1
    with pytest.raises(Problem, match="with classes of more than one image"):
        split_rows(np.arange(24), None, 0.2, None, None, 0)


@pytest.mark.parametrize("evaluate_on", ["test", "validation"])
def test_groups_are_held_out_whole(evaluate_on):
    groups = np.repeat(np.arange(30), np.random.RandomState(0).randint(1, 12, 30))
    labels = np.random.RandomState(1).randint(0, 3, len(groups))
    for seed in range(20):
        train, test = split_rows(labels, None, 0.3, None, None, seed, evaluate_on, groups)
        assert not set(groups[train]) & set(groups[test]) and not set(train) & set(test)
        assert set(groups[train]) and set(labels[test]) <= set(labels[train])
        if evaluate_on == "test":
            assert len(train) + len(test) == len(labels)
            assert abs(len(test) - 0.3 * len(labels)) <= 5.5  # half of the largest group
        again = split_rows(labels, None, 0.3, None, None, seed, evaluate_on, groups)
        assert np.array_equal(test, again[1])


def test_a_class_of_few_groups_keeps_one_to_train_on():
    groups = np.repeat(np.arange(8), 6)
    labels = np.where(groups == 7, 3, np.arange(48) % 3)  # class 3 is in group 7 alone
    for seed in range(20):
        train, test = split_rows(labels, None, 0.5, None, None, seed, groups=groups)
        assert set(labels[train]) == {0, 1, 2, 3} and 7 in groups[train] and len(test) in (18, 24)
    with pytest.raises(Problem, match="of more than one group"):
        split_rows(labels, None, 0.5, None, None, 0, groups=np.zeros(48, int))
