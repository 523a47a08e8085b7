"""Wrong parameters are named with their key, their value and what is allowed; jobs get only what they use."""

import copy
from pathlib import Path

import pytest
import yaml

from vi_simsiam import params_file
from vi_simsiam.errors import Problem
from vi_simsiam.params import METHODS, parse

FILE = Path(__file__).parent.parent / "params.yaml"


# Key, a wrong value of it, and what must be said.
FAULTS = [
    ("pretrain.lr", -0.1, ["pretrain.lr = -0.1", "greater than 0"]),
    ("pretrain.lr", "3e-2", ["pretrain.lr = '3e-2'", "write 0.03"]),
    ("pretrain.lr", float("nan"), ["pretrain.lr = nan", "finite"]),
    ("pretrain.epochs", "60", ["pretrain.epochs = '60'", "integer"]),
    ("pretrain.epochs", True, ["pretrain.epochs = True", "integer"]),
    ("pretrain.epochs", 1.5, ["pretrain.epochs = 1.5", "integer"]),
    ("pretrain.epochs", None, ["pretrain.epochs = None", "integer"]),
    ("pretrain.epoch", 3, ["pretrain.epoch", "unknown key"]),
    ("pretrain.momentum", 1.0, ["pretrain.momentum = 1.0", "less than 1"]),
    ("pretrain.precision", 16, ["pretrain.precision = 16", "'auto', 'bf16' or 32"]),
    ("pretrain.backbone.name", "resnet19", ["backbone.name = 'resnet19'", "'resnet18'"]),
    ("pretrain.backbone", 3, ["pretrain.backbone = 3"]),
    ("pretrain.vi_simsiam.objective", "naive", ["objective = 'naive'", "'decoupled'"]),
    ("pretrain.vi_simsiam.beta", 1.1, ["beta = 1.1", "less than or equal to 1"]),
    ("pretrain.vae.sigma", 0, ["pretrain.vae.sigma = 0", "greater than 0"]),
    ("cache_views.size", 4, ["cache_views.size = 4", "greater than or equal to 8"]),
    ("cache_views.test_fraction", 1.0, ["test_fraction = 1.0", "less than 1"]),
    ("cache_views.per_image", 1, ["cache_views.per_image = 1", "at least 2"]),
    ("download.mirrors", ["ftp://x/"], ["download.mirrors.0 = 'ftp://x/'", "https?"]),
    ("download.classes", "x.txt", ["download.classes = 'x.txt'", "`path`, which is null"]),
    ("cache_views.augmentation.hue", 0.6, ["hue = 0.6", "0.5"]),
    ("cache_views.augmentation.crop_scale", [0.5], ["crop_scale = [0.5]", "2 items"]),
    ("cache_views.augmentation.crop_scale", [1.0, 0.2], ["crop_scale = [1.0, 0.2]", "must rise"]),
    ("probe", None, ["probe = None"]),
    ("probe.C", float("inf"), ["probe.C = inf", "finite"]),
    ("uncertainty.crop_areas", [], ["crop_areas = []"]),
    ("uncertainty.crop_areas", [0.1, 1.2], ["crop_areas.1 = 1.2", "less than or equal to 1"]),
    ("uncertainty.graded.hue", [0.6], ["graded.hue.0 = 0.6", "0.5"]),
    ("uncertainty.graded.noise", [-0.1], ["graded.noise.0 = -0.1", "greater than or equal to 0"]),
    ("uncertainty.graded.grey", [0.5, 1.5], ["graded.grey.1 = 1.5", "less than or equal to 1"]),
    ("uncertainty.graded.blur", [2.0, 1.0], ["graded.blur = [2.0, 1.0]", "must rise"]),
    ("uncertainty.graded.fog", [1.0], ["graded.fog", "unknown key"]),
    ("uncertainty.soft_labels", "labels.csv", ["soft_labels = 'labels.csv'", "npy"]),
    ("uncertainty.ood", ["fashion_mnst"], ["ood = 'fashion_mnst'", "did you mean fashion_mnist"]),
    ("uncertainty.ood", ["digits"], ["recipes.digits.uncertainty.ood = 'digits'", "itself"]),
    ("recipes.digits.uncertainty", {"ood": ["digits"]}, ["recipes.digits.uncertainty.ood", "itself"]),
    ("recipes.digits.uncertainty", {"ood": ["fashion_mnist"] * 2}, ["ood = 'fashion_mnist'", "twice"]),
    ("datasets", [], ["datasets = []", "at least one"]),
    ("datasets", "digits", ["datasets = 'digits'", "list"]),
    ("datasets", ["cifr"], ["datasets = 'cifr'", "digits"]),
    ("datasets", ["digits", "digits"], ["datasets = 'digits'", "twice"]),
    ("datasets", [["digits"]], ["datasets = ['digits']"]),
    ("methods", ["simclar"], ["methods = 'simclar'", "vi_simsiam"]),
    ("seeds", [-1], ["seeds = -1", ">= 0"]),
    ("seeds", [True], ["seeds = True"]),
    ("seeds", [0, 0], ["seeds = 0", "twice"]),
    ("sedes", [0], ["sedes", "did you mean seeds"]),
    ("recipes", [], ["recipes = []"]),
    ("recipes.digits", "x", ["recipes.digits = 'x'"]),
    ("recipes.digits.pretrian", {}, ["recipes.digits.pretrian", "did you mean pretrain"]),
    ("recipes.digits.pretrain.lr", -1.0, ["recipes.digits.pretrain.lr = -1.0", "greater than 0"]),
    ("recipes.digits.pretrain.lrr", 1.0, ["recipes.digits.pretrain.lrr", "unknown key"]),
    ("recipes.digits.pretrain.backbone.wdth", 1, ["recipes.digits.pretrain.backbone.wdth", "unknown key"]),
    ("recipes.digits.plot", {}, ["recipes.digits.plot", "unknown section"]),
    ("recipes.digits.like", "digts", ["recipes.digits.like = 'digts'", "did you mean digits"]),
    ("recipes.digits.like", 3, ["recipes.digits.like = 3", "no such recipe"]),
    ("recipes.digits.like", "digits", ["recipes.digits.like = 'digits'", "like itself"]),
    ("recipes.digits.download", {"source": "a", "path": "b"}, ["recipes.digits.download", "exclude each other"]),
    ("cache_views.evaluate_on", "train", ["evaluate_on = 'train'", "'test' or 'validation'"]),
    ("download.path", "", ["download.path = ''"]),
    ("recipes.../evil", {}, ["recipes.../evil", "letters, digits"]),
    ("recipes.a $(b)", {}, ["recipes.a $(b)", "letters, digits"]),
]


# Texts that are no parameter files at all.
NO_PARAMETERS = [
    ("a: [", "not valid YAML"),
    ("a: 1\na: 2\n", "key 'a' stands twice"),
    ("a: !!python/object/apply:os.system ['touch pwned']", "not valid YAML"),
    ("- 1\n- 2\n", "must hold keys and values"),
    ("", "must hold keys and values"),
    ("? [a, b]\n: 1\n", "not valid YAML"),
    ("\tx: 1", "not valid YAML"),
]


@pytest.fixture
def shipped():
    return params_file.load(FILE)


def put(mapping, path, value):
    *parents, last = path.split(".")
    for parent in parents:
        mapping = mapping.setdefault(parent, {})
    mapping[last] = value


def broken(params, key, value):
    """The parameters with one fault."""
    params = copy.deepcopy(params)
    if key.startswith("recipes.") and not key.startswith("recipes.digits"):
        params["recipes"][key.removeprefix("recipes.")] = value
    else:
        put(params, key, value)
    return params


def test_the_shipped_file_is_sound_and_every_recipe_resolves(shipped):
    for dataset in shipped["recipes"]:
        for step in params_file.STEPS:
            for method in METHODS if step == "pretrain" else [None]:
                job = params_file.resolve(shipped, step, dataset if step != "plot" else None, method)
                parse(step, job, method)


@pytest.mark.parametrize("key, value, said", FAULTS)
def test_a_fault_is_named_with_key_value_and_range(shipped, key, value, said):
    with pytest.raises(Problem) as caught:
        params_file.check(broken(shipped, key, value), "some.yaml")
    message = str(caught.value)
    assert message.startswith("some.yaml")
    for words in said:
        assert words in message


def test_every_fault_is_listed_at_once(shipped):
    broken = copy.deepcopy(shipped)
    put(broken, "pretrain.lr", 0)
    put(broken, "probe.C", 0)
    del broken["plot"]
    with pytest.raises(Problem) as caught:
        params_file.check(broken)
    for words in ("pretrain.lr", "probe.C", "plot: missing"):
        assert words in str(caught.value)


@pytest.mark.parametrize("text, said", NO_PARAMETERS)
def test_files_that_are_no_parameter_files(tmp_path, text, said):
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(Problem, match=r"wrong\.yaml") as caught:
        params_file.load(path)
    assert said in str(caught.value)
    assert not (tmp_path / "pwned").exists()


def test_a_missing_file_and_bytes_that_are_no_text(tmp_path):
    with pytest.raises(Problem, match=r"absent\.yaml"):
        params_file.load(tmp_path / "absent.yaml")
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Problem, match=r"b\.yaml"):
        params_file.load(tmp_path / "b.yaml")


def test_a_recipe_overrides_single_values_and_nothing_else(shipped):
    job = params_file.resolve(shipped, "pretrain", "digits", "simsiam")
    section, recipe = shipped["pretrain"], shipped["recipes"]["digits"]["pretrain"]
    assert job["epochs"] == recipe["epochs"] != section["epochs"]
    assert job["momentum"] == section["momentum"]
    assert job["projector"] == section["projector"] | recipe["projector"]
    assert yaml.safe_load(FILE.read_text())["pretrain"] == section, "resolving must not change the file's mapping"


def test_jobs_get_only_what_they_use(shipped):
    changed = copy.deepcopy(shipped)
    put(changed, "pretrain.vae.sigma", 0.5)
    put(changed, "recipes.fashion_mnist.pretrain.epochs", 3)
    put(changed, "seeds", [0, 1])
    for method in METHODS:
        same = params_file.resolve(shipped, "pretrain", "digits", method) == params_file.resolve(
            changed, "pretrain", "digits", method
        )
        assert same == (method != "vae")
    put(changed, "pretrain.lr", 0.5)
    put(changed, "recipes.digits.pretrain.lr", 0.5)
    before, after = (params_file.resolve(p, "pretrain", "digits", "untrained") for p in (shipped, changed))
    assert before == after and set(before) == {"backbone"}


def test_augmentations_can_be_switched_off_and_others_compared_with(shipped):
    put(shipped, "uncertainty.graded.noise", [])
    put(shipped, "uncertainty.ood", ["fashion_mnist"])  # fashion_mnist itself has no job, so this is no fault
    params_file.check(shipped)
    job = parse("uncertainty", params_file.resolve(shipped, "uncertainty", "digits"))
    assert job.graded.noise == [] and job.ood == ["fashion_mnist"]


def test_the_source_of_a_data_set_is_its_own_name_unless_said(shipped):
    assert params_file.resolve(shipped, "download", "digits")["source"] == "digits"
    changed = copy.deepcopy(shipped)
    put(changed, "recipes.mine", {"download": {"source": "digits"}})
    assert params_file.resolve(changed, "download", "mine")["source"] == "digits"


def test_a_recipe_like_another(shipped):
    """It has all that the other has, also what that one has from a third, but for its own values."""
    put(shipped, "recipes.beta", {"like": "digits", "pretrain": {"vi_simsiam": {"beta": 0.5}}})
    put(shipped, "recipes.gamma", {"like": "beta", "pretrain": {"epochs": 3}, "cache_views": {"size": 12}})
    params_file.check(shipped)
    digits, beta, gamma = (
        params_file.resolve(shipped, "pretrain", name, "vi_simsiam") for name in ("digits", "beta", "gamma")
    )
    assert beta == {**digits, "vi_simsiam": {**digits["vi_simsiam"], "beta": 0.5}}
    assert gamma == {**beta, "epochs": 3}
    stores = [params_file.resolve(shipped, "cache_views", name) for name in ("digits", "beta", "gamma")]
    assert stores[0] == stores[1] and stores[2] == {**stores[0], "size": 12}
    for name in ("digits", "beta", "gamma"):
        assert params_file.resolve(shipped, "download", name)["source"] == "digits"
    put(shipped, "recipes.mine", {"download": {"path": "a.zip"}})
    put(shipped, "recipes.mine_too", {"like": "mine"})
    assert params_file.resolve(shipped, "download", "mine_too")["source"] == "files"


def test_recipes_that_are_like_each_other_in_a_circle(shipped):
    put(shipped, "recipes.a", {"like": "b"})
    put(shipped, "recipes.b", {"like": "c", "pretrain": {"epochs": 0}})
    put(shipped, "recipes.c", {"like": "a"})
    with pytest.raises(Problem, match="like itself, not even through others") as caught:
        params_file.check(shipped)
    assert "recipes.b.pretrain.epochs = 0" in str(caught.value)


def test_what_a_recipe_inherits_is_checked_with_its_own_values(shipped):
    put(shipped, "recipes.a", {"cache_views": {"augmentation": {"crop_scale": [0.5, 0.6]}}})
    put(shipped, "recipes.b", {"like": "a", "download": {"path": "x.zip"}})
    put(shipped, "recipes.c", {"like": "b", "download": {"source": "digits"}})
    with pytest.raises(Problem, match=r"recipes.c.download: source and path exclude each other"):
        params_file.check(shipped)
