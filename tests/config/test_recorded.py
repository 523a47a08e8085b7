"""A record leads back to the parameters of its job; names and texts that look like something else survive."""

import copy
import json

import pytest
import yaml

from helpers.project import ROOT
from vi_simsiam.config import loading, recorded

SHIPPED = loading.load(ROOT / "params.yaml")


def done(dataset, **job):
    made_from = {"data/download/x": {"step": "download", "dataset": dataset, "params": job}}
    params = loading.resolve(SHIPPED, "cache_views", "digits")
    return {"step": "cache_views", "dataset": dataset, "params": params, "made_from": made_from}


@pytest.mark.parametrize("name", ["digits", "2024", "on", "null", "1e2", "010"])
def test_the_parameters_of_a_record_give_its_jobs_what_they_were_given(tmp_path, name):
    job = loading.resolve(SHIPPED, "download", "digits") | {"path": "photos #1", "source": "files"}
    params = recorded.params(done(name, **job), SHIPPED, ROOT)
    (tmp_path / "params.yaml").write_text(recorded.as_yaml(params), encoding="utf-8")
    again = loading.load(tmp_path / "params.yaml")
    assert again == params and again["datasets"] == [name]
    given = loading.resolve(again, "download", name)
    assert given == job | {"path": str(ROOT / "photos #1")}
    assert loading.resolve(again, "cache_views", name) == loading.resolve(SHIPPED, "cache_views", "digits")


def test_the_encoder_of_a_record_is_that_of_its_jobs():
    changed = copy.deepcopy(SHIPPED)
    changed["recipes"]["digits"]["pretrain"]["backbone"] = {"name": "timm/resnet18", "weights": "w.pth"}
    methods = {method: loading.resolve(changed, "pretrain", "digits", method) for method in ("simsiam", "untrained")}
    jobs = {m: {"step": "pretrain", "dataset": "digits", "method": m, "params": job} for m, job in methods.items()}
    base = copy.deepcopy(SHIPPED)
    base["pretrain"]["backbone"]["size"] = 64  # which these jobs did not have
    again = recorded.params({**jobs["untrained"], "made_from": {"a": jobs["simsiam"]}}, base, ROOT)
    loading.check(again)
    for method, job in methods.items():
        job["backbone"]["weights"] = str(ROOT / "w.pth")
        assert loading.resolve(again, "pretrain", "digits", method) == job


def test_as_yaml_is_read_alike_by_everybody(tmp_path):
    value = {"1e2": "on", "a": [1e-7, 1e20, 3.0, "010", "Füße\n #x", None, True, 3, {"no": "1:30"}]}
    text = recorded.as_yaml(value)
    (tmp_path / "x.yaml").write_text(text, encoding="utf-8")
    assert loading.read(tmp_path / "x.yaml") == yaml.safe_load(text) == json.loads(json.dumps(value)) == value
