"""Properties of every set of recipes: sections, overrides and chains of `like`."""

import copy
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from helpers.project import ROOT
from helpers.properties import quickly
from vi_simsiam.config import explain, loading

SHIPPED = loading.load(ROOT / "params.yaml")
# Values at several depths; each is sound in every combination with the others.
VALUES = {
    ("cache_views", "size"): st.integers(8, 99),
    ("cache_views", "augmentation", "flip"): st.floats(0, 1),
    ("cache_views", "augmentation", "crop_scale"): st.sampled_from([[0.1, 1.0], [0.5, 0.5]]),
    ("pretrain", "epochs"): st.integers(1, 99),
    ("pretrain", "backbone", "width"): st.integers(4, 99),
    ("pretrain", "vi_simsiam", "beta"): st.floats(0, 1),
    ("probe", "k"): st.integers(1, 99),
    ("uncertainty", "graded", "blur"): st.sampled_from([[], [1.0], [1.0, 2.0]]),
}
NAMES = ["a", "b", "c", "d"]


def nested(values):
    mapping = {}
    for (*parents, last), value in values.items():
        place = mapping
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return mapping


def looked_up(mapping, keys):
    return reduce(lambda place, key: place[key], keys, mapping)


@st.composite
def lines(draw):
    """Recipes, each like the one before, as a mapping of keys to values each; and params that have them."""
    overrides = [draw(st.fixed_dictionaries({}, optional=VALUES)) for _ in NAMES[: draw(st.integers(1, 4))]]
    params = copy.deepcopy(SHIPPED)
    for i, values in enumerate(overrides):
        params["recipes"][NAMES[i]] = nested(values) | ({"like": NAMES[i - 1]} if i else {})
    return overrides, params


@quickly
@given(lines())
def test_the_last_recipe_of_a_line_that_sets_a_value_decides(case):
    overrides, params = case
    before = copy.deepcopy(params)
    loading.check(params)
    for i, name in enumerate(NAMES[: len(overrides)]):
        for step, *keys in VALUES:
            setters = [j for j in range(i + 1) if (step, *keys) in overrides[j]]
            expected = overrides[setters[-1]][(step, *keys)] if setters else looked_up(params[step], keys)
            assert looked_up(loading.resolve(params, step, name), keys) == expected
            recipe = NAMES[setters[-1]] if setters else None
            words = "section" if recipe is None else f"recipes.{recipe}" + " (like)" * (recipe != name)
            assert explain.origins(params, step, name)[tuple(keys)] == words
    assert params == before
