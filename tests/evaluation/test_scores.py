"""The table of certainty scores: every method's are in it, and a forgotten row is an error at the start of a step."""

import json
import runpy
import sys

import pytest
import torch

from helpers.models import scorer
from helpers.project import ROOT
from vi_simsiam.config import loading
from vi_simsiam.config.schema import METHODS, UntrainedParams
from vi_simsiam.core.errors import Problem
from vi_simsiam.evaluation import scores
from vi_simsiam.methods import ImageSpec, build, method_class, untrained


@pytest.mark.parametrize("method", METHODS)
def test_every_score_of_a_method_has_a_row_of_its_own(method):
    assert scores.stated(method) == method_class(method).certainty_scores
    scores.require_rows(method, scores.stated(method))


@pytest.mark.parametrize("name", ["sharpness", "knn_density"])
def test_a_score_without_a_row_ends_the_step_before_it_reads_anything(name, monkeypatch):
    """A row of all methods is none of the method."""
    monkeypatch.setattr(untrained.METHOD, "certainty_scores", (name,))
    options = [part for folder in ("store", "model", "probe", "out", "scratch") for part in (f"--{folder}", "nowhere")]
    params = loading.resolve(loading.load(ROOT / "params.yaml"), "uncertainty", "digits")
    job = ["--dataset", "digits", "--method", "untrained", "--seed", "0", "--params", json.dumps(params)]
    monkeypatch.setattr(sys, "argv", ["uncertainty.py", *job, *options])
    with pytest.raises(Problem, match=rf"'{name}', which has no row .*evaluation/scores"):
        runpy.run_path(str(ROOT / "src/uncertainty.py"))["main"]()


def test_a_forgotten_comma_is_named():
    with pytest.raises(Problem, match=r"certainty_scores = 'kappa' is a text, not a tuple\. Write \('kappa',\)"):
        scores.require_rows("vi_simsiam", "kappa")


def test_a_row_of_a_misspelt_method_is_named(monkeypatch):
    row = scores.Score("lost_mass", "a toy", "[0, 1]", method="simsam")
    monkeypatch.setattr(scores, "_ROWS", (*scores._ROWS, row))
    with pytest.raises(Problem, match=r"'lost_mass' .*: 'simsam' is no method \(did you mean simsiam\?\)"):
        scores.require_rows("simsiam", ())


def test_a_new_row_needs_neither_label_nor_colour():
    row = scores.Score("lost_mass", "a toy", "[0, 1]", method="toy")
    assert (row.label, row.measured) == ("lost mass", True)
    assert scores.score("of_an_old_model").label == "of an old model"


def test_what_a_method_states_and_gives_must_agree(monkeypatch):
    backbone = {"name": "resnet10", "width": 4, "stem": "3x3"}
    model = build("untrained", UntrainedParams(backbone=backbone), ImageSpec(12, 1, (0.5,), (0.3,))).eval()
    monkeypatch.setattr(type(model), "certainty", lambda self, features: {"kappa": features[:, 0]})
    with pytest.raises(ValueError, match="kappa"):
        scorer(model, torch.ones(3, model.backbone.dim), k=1).score([torch.zeros(2, 1, 12, 12)])
