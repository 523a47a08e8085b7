"""Wrong parameters are named with their key, their value and what is allowed; jobs get only what they use."""

import copy

import pytest

from helpers.project import ROOT
from vi_simsiam.config import loading, schema
from vi_simsiam.config.schema import METHODS, parse
from vi_simsiam.core.errors import Problem

FILE = ROOT / "params.yaml"
# Key, a wrong value of it, and the words that the message must have.
FAULTS = [
    ("pretrain.lr", -0.1, ["pretrain.lr = -0.1", "greater than 0"]),
    ("pretrain.lr", "3e-2", ["pretrain.lr = '3e-2'", "without quotes"]),
    ("pretrain.lr", "much", ["pretrain.lr = 'much': input should be a valid number"]),
    ("pretrain.lr", float("nan"), ["pretrain.lr = nan", "finite"]),
    ("pretrain.lr", 1e300, ["pretrain.lr = 1e+300", "less than or equal to 1000000000000000"]),
    ("pretrain.epochs", "60", ["pretrain.epochs = '60'", "integer"]),
    ("pretrain.epochs", True, ["pretrain.epochs = True", "integer"]),
    ("pretrain.epoch", 3, ["pretrain.epoch: unknown key", "did you mean epochs"]),
    ("pretrain.precision", 16, ["pretrain.precision = 16", "'auto', 'bf16' or 32"]),
    ("pretrain.backbone.name", "efficientnet_lite", ["must be one of", "did you mean efficientnet_lite0"]),
    ("pretrain.backbone.name", "timm/", ["backbone.name = 'timm/'", "or timm/<model>"]),
    ("pretrain.backbone", 3, ["pretrain.backbone = 3"]),
    ("pretrain.backbone", {"name": "resnet18"}, ["pretrain.backbone: resnet18 needs width and stem"]),
    ("pretrain.backbone.weights", "pretrained", ["pretrain.backbone: no weights were published for resnet18"]),
    ("pretrain.backbone.frozen", True, ["pretrain.backbone: frozen keeps the encoder as it is", "name weights"]),
    ("pretrain.backbone.frozen", "yes", ["pretrain.backbone.frozen = 'yes'", "boolean", "write true or false"]),
    ("cache_views.per_image", 1, ["cache_views.per_image = 1", "at least 2"]),
    ("download.mirrors", ["ftp://x/"], ["download.mirrors.0 = 'ftp://x/'", "https?"]),
    ("download.classes", "x.txt", ["download.classes = 'x.txt'", "`path`, which is null"]),
    ("cache_views.augmentation.crop_scale", [0.5], ["crop_scale = [0.5]", "2 items"]),
    ("cache_views.augmentation.crop_scale", [1.0, 0.2], ["crop_scale = [1.0, 0.2]", "must rise"]),
    ("probe", None, ["probe = None"]),
    ("uncertainty.graded.blur", [2.0, 1.0], ["graded.blur = [2.0, 1.0]", "must rise"]),
    ("uncertainty.graded.brightness", [1.0, 130.0], ["graded.brightness.1 = 130.0", "less than or equal to 32"]),
    ("uncertainty.corruptions.names", ["frost"], ["corruptions.names.0 = 'frost'", "'gaussian_noise'"]),
    ("uncertainty.corruptions.names", ["fog", "fog"], ["corruptions.names = ['fog', 'fog']", "duplicate entry 'fog'"]),
    ("uncertainty.soft_labels", "labels.csv", ["soft_labels = 'labels.csv'", "npy"]),
    ("uncertainty.ood", ["fashion_mnst"], ["ood.0 = 'fashion_mnst'", "did you mean fashion_mnist"]),
    ("uncertainty.ood", ["digits"], ["recipes.digits.uncertainty.ood = 'digits'", "itself"]),
    ("recipes.digits.uncertainty", {"ood": ["digits"]}, ["recipes.digits.uncertainty.ood", "itself"]),
    ("recipes.digits.uncertainty", {"ood": ["fashion_mnist"] * 2}, ["digits.uncertainty.ood = [", "duplicate entry"]),
    ("datasets", [], ["datasets = []", "at least 1"]),
    ("datasets", ["digits", "digits"], ["datasets = [", "duplicate entry 'digits'"]),
    ("methods", ["simclar"], ["methods.0 = 'simclar'", "vi_simsiam", "did you mean simclr"]),
    ("seeds", [-1], ["seeds.0 = -1", "greater than or equal to 0"]),
    ("sedes", [0], ["sedes", "did you mean seeds"]),
    ("recipes", [], ["recipes = []"]),
    ("recipes.Digits", {}, ["recipes digits and Digits differ only in case", "rename one"]),
    ("recipes.digits", "x", ["recipes.digits = 'x'"]),
    ("recipes.digits.pretrian", {}, ["recipes.digits.pretrian", "did you mean pretrain"]),
    ("recipes.digits.pretrain.lr", -1.0, ["recipes.digits.pretrain.lr = -1.0", "greater than 0"]),
    ("recipes.digits.pretrain.lrr", 1.0, ["recipes.digits.pretrain.lrr", "unknown key"]),
    ("recipes.digits.pretrain.backbone.wdth", 1, ["recipes.digits.pretrain.backbone.wdth", "unknown key"]),
    ("recipes.digits.plot", {}, ["recipes.digits.plot", "unknown key", "known are like, download"]),
    ("recipes.digits.like", "digts", ["recipes.digits.like = 'digts'", "did you mean digits"]),
    ("recipes.digits.like", 3, ["recipes.digits.like = 3", "no such recipe"]),
    ("recipes.digits.like", "digits", ["recipes.digits.like = 'digits'", "like itself"]),
    ("recipes.digits.download", {"source": "a", "path": "b"}, ["recipes.digits.download", "exclude each other"]),
    ("download.path", "", ["download.path = ''"]),
    ("recipes", {2024: {}}, ["recipes.2024 = 2024", "in quotes"]),
    ("recipes.../evil", {}, ["recipes.../evil", "letters, digits"]),
    ("recipes.a $(b)", {}, ["recipes.a $(b)", "letters, digits"]),
]


def put(mapping, path, value):
    *parents, last = path.split(".")
    for parent in parents:
        mapping = mapping.setdefault(parent, {})
    mapping[last] = value


@pytest.fixture
def shipped():
    return loading.load(FILE)


def test_the_shipped_file_is_sound_and_every_recipe_resolves(shipped):
    for dataset in shipped["recipes"]:
        for step in loading.STEPS:
            for method in METHODS if step == "pretrain" else [None]:
                job = loading.resolve(shipped, step, dataset if step != "plot" else None, method)
                parse(step, job, method)


@pytest.mark.parametrize("key, value, said", FAULTS)
def test_a_fault_is_named_with_key_value_and_range(shipped, key, value, said):
    if key.startswith("recipes.") and not key.startswith("recipes.digits"):
        shipped["recipes"][key.removeprefix("recipes.")] = value  # a name with points in it
    else:
        put(shipped, key, value)
    with pytest.raises(Problem) as caught:
        loading.check(shipped, "some.yaml")
    message = str(caught.value)
    assert message.startswith("some.yaml")
    for words in said:
        assert words in message


def test_every_fault_is_listed_at_once(shipped):
    put(shipped, "pretrain.lr", 0)
    put(shipped, "probe.C", 0)
    del shipped["plot"]
    with pytest.raises(Problem) as caught:
        loading.check(shipped)
    for words in ("pretrain.lr", "probe.C", "plot: missing"):
        assert words in str(caught.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(Problem, match=r"absent\.yaml"):
        loading.load(tmp_path / "absent.yaml")


def test_jobs_get_only_what_they_use(shipped):
    changed = copy.deepcopy(shipped)
    put(changed, "pretrain.vae.sigma", 0.5)
    put(changed, "recipes.fashion_mnist.pretrain.epochs", 3)
    put(changed, "seeds", [0, 1])
    for method in METHODS:
        same = loading.resolve(shipped, "pretrain", "digits", method) == loading.resolve(
            changed, "pretrain", "digits", method
        )
        assert same == (method != "vae")
    put(changed, "pretrain.lr", 0.5)
    put(changed, "recipes.digits.pretrain.lr", 0.5)
    before, after = (loading.resolve(p, "pretrain", "digits", "untrained") for p in (shipped, changed))
    assert before == after and set(before) == {"backbone"}


def test_jobs_of_the_projects_networks_get_no_parameters_of_other_encoders(shipped):
    for method in METHODS:
        job = loading.resolve(shipped, "pretrain", "digits", method)
        assert job["backbone"] == {"name": "resnet10", "width": 16, "stem": "3x3/2"}
    lite = {"name": "efficientnet_lite0", "weights": "pretrained", "size": 96}
    put(shipped, "recipes.digits.pretrain.backbone", lite)
    loading.check(shipped)
    job = loading.resolve(shipped, "pretrain", "digits", "simsiam")
    assert job["backbone"] == lite
    assert parse("pretrain", job, "simsiam").backbone.width is None
    put(shipped, "recipes.digits.pretrain.backbone", lite | {"frozen": True, "lr_factor": 0.1})
    for method in ("simsiam", "untrained"):
        assert loading.resolve(shipped, "pretrain", "digits", method)["backbone"] == lite | {"frozen": True}
    put(shipped, "recipes.digits.pretrain.backbone", lite | {"lr_factor": 0.1})
    assert loading.resolve(shipped, "pretrain", "digits", "untrained")["backbone"] == lite


def test_augmentations_can_be_switched_off_and_others_compared_with(shipped):
    put(shipped, "uncertainty.graded.noise", [])
    put(shipped, "uncertainty.ood", ["fashion_mnist"])  # fashion_mnist itself has no job, so this is no fault
    loading.check(shipped)
    job = parse("uncertainty", loading.resolve(shipped, "uncertainty", "digits"))
    assert job.graded.noise == [] and job.ood == ["fashion_mnist"]


def test_the_source_of_a_data_set_is_its_own_name_unless_said(shipped):
    assert loading.resolve(shipped, "download", "digits")["source"] == "digits"
    put(shipped, "recipes.mine", {"download": {"source": "digits"}})
    put(shipped, "recipes.photos", {"download": {"path": "a.zip"}})
    put(shipped, "recipes.more", {"like": "photos"})
    sources = {name: loading.resolve(shipped, "download", name)["source"] for name in ("mine", "photos", "more")}
    assert sources == {"mine": "digits", "photos": "files", "more": "files"}


def test_recipes_that_are_like_each_other_in_a_circle(shipped):
    put(shipped, "recipes.a", {"like": "b"})
    put(shipped, "recipes.b", {"like": "c", "pretrain": {"epochs": 0}})
    put(shipped, "recipes.c", {"like": "a"})
    with pytest.raises(Problem, match="like itself, not even through others") as caught:
        loading.check(shipped)
    assert "recipes.b.pretrain.epochs = 0" in str(caught.value)


def test_what_a_recipe_inherits_is_checked_with_its_own_values(shipped):
    put(shipped, "recipes.a", {"cache_views": {"augmentation": {"crop_scale": [0.5, 0.6]}}})
    put(shipped, "recipes.b", {"like": "a", "download": {"path": "x.zip"}})
    put(shipped, "recipes.c", {"like": "b", "download": {"source": "digits"}})
    with pytest.raises(Problem, match=r"recipes.c.download: source and path exclude each other"):
        loading.check(shipped)


def test_a_method_of_which_a_place_was_forgotten(shipped, monkeypatch):
    monkeypatch.setitem(schema.METHOD_PARAMS, "toy", schema.SimSiamTraining)
    with pytest.raises(Problem, match=r"no methods/toy\.py: write it"):
        loading.check(shipped)
    monkeypatch.delitem(schema.METHOD_PARAMS, "toy")
    monkeypatch.setitem(schema.METHOD_PARAMS, "base", schema.SimSiamTraining)  # a module without a method's class
    with pytest.raises(
        Problem, match=r"methods/base\.py has no METHOD: end it with `METHOD = ` and the method's class"
    ):
        loading.check(shipped)
    monkeypatch.delitem(schema.METHOD_PARAMS, "base")
    del shipped["pretrain"]["vae"]
    with pytest.raises(Problem, match=r"pretrain\.vae: missing"):
        loading.check(shipped)


def test_a_method_without_row_and_a_section_without_class(shipped):
    put(shipped, "methods", ["base"])  # a module of this name exists
    with pytest.raises(Problem, match=r"methods/base\.py exists: add its row to METHOD_PARAMS in config/schema\.py"):
        loading.check(shipped)
    put(shipped, "methods", ["vae"])
    put(shipped, "pretrain.toy", {"strength": 1.0})
    with pytest.raises(Problem, match=r"pretrain\.toy: unknown key, and config/schema\.py has no class"):
        loading.check(shipped)


def test_the_rules_of_a_section_hold_for_a_job_too(shipped):
    """A job may come from a file that was changed by hand, or from another version."""
    job = loading.resolve(shipped, "cache_views", "digits")
    job["augmentation"] = {**job["augmentation"], "blur_sigma": [2.0, 0.1]}
    with pytest.raises(Problem, match=r"cache_views\.augmentation\.blur_sigma = \[2\.0, 0\.1\]: must rise"):
        parse("cache_views", job)
