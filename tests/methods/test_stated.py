"""Statements of the methods about their latents; docs/method.md has the same."""

import pytest

from helpers.project import ROOT
from vi_simsiam.config.schema import METHODS
from vi_simsiam.core.errors import Problem
from vi_simsiam.methods import Method, method_class, simsiam


def test_the_page_has_the_table_that_the_classes_state():
    page = (ROOT / "docs/method.md").read_text()
    for name in METHODS:
        cls = method_class(name)
        stated = [part.__name__ if part else "none" for part in (cls.latent, cls.prior, cls.target)]
        scores = ", ".join(cls.certainty_scores) or "none"
        assert f"\n| `{name}` | {' | '.join(stated)} | {scores} |\n" in page


def test_a_method_that_states_too_little_is_named_with_what_is_missing():
    with pytest.raises(TypeError, match="method Half does not state prior, certainty_scores"):
        type("Half", (Method,), {"latent": None, "target": None})


def test_a_module_that_does_not_name_its_class_is_named(monkeypatch):
    monkeypatch.delattr(simsiam, "METHOD")
    with pytest.raises(Problem, match=r"methods/simsiam\.py has no METHOD: end it with"):
        method_class("simsiam")
