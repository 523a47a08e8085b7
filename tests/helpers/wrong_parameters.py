"""Wrong parameters, each with what must be said of it; for the library's check and for whole commands."""

import copy

# Key, a wrong value of it, and what must be said.
FAULTS = [
    ("pretrain.lr", -0.1, ["pretrain.lr = -0.1", "greater than 0"]),
    ("pretrain.lr", "3e-2", ["pretrain.lr = '3e-2'", "write 0.03"]),
    ("pretrain.lr", float("nan"), ["pretrain.lr = nan", "finite"]),
    ("pretrain.lr", 1e300, ["pretrain.lr = 1e+300", "less than or equal to 1000000000000000"]),
    ("pretrain.weight_decay", 1e300, ["pretrain.weight_decay = 1e+300", "less than or equal to 1000000000000000"]),
    ("pretrain.projector.hidden", 10**14, ["projector.hidden = 100000000000000", "1048576"]),
    ("pretrain.epochs", "60", ["pretrain.epochs = '60'", "integer"]),
    ("pretrain.epochs", True, ["pretrain.epochs = True", "integer"]),
    ("pretrain.epochs", 1.5, ["pretrain.epochs = 1.5", "integer"]),
    ("pretrain.epochs", None, ["pretrain.epochs = None", "integer"]),
    ("pretrain.epoch", 3, ["pretrain.epoch: unknown key", "did you mean epochs"]),
    ("pretrain.momentum", 1.0, ["pretrain.momentum = 1.0", "less than 1"]),
    ("pretrain.precision", 16, ["pretrain.precision = 16", "'auto', 'bf16' or 32"]),
    ("pretrain.backbone.name", "resnet19", ["backbone.name = 'resnet19'", "'resnet18'"]),
    ("pretrain.backbone.name", "efficientnet_lite", ["must be one of", "did you mean efficientnet_lite0"]),
    ("pretrain.backbone.name", "timm/", ["backbone.name = 'timm/'", "or timm/<model>"]),
    ("pretrain.backbone", 3, ["pretrain.backbone = 3"]),
    ("pretrain.backbone", {"name": "resnet18"}, ["pretrain.backbone: resnet18 needs width and stem"]),
    ("pretrain.backbone.weights", "pretrained", ["pretrain.backbone: no weights were published for resnet18"]),
    ("pretrain.backbone.weights", 7, ["pretrain.backbone.weights = 7", "string"]),
    ("pretrain.backbone.frozen", True, ["pretrain.backbone: frozen keeps the encoder as it is", "name weights"]),
    ("pretrain.backbone.frozen", "yes", ["pretrain.backbone.frozen = 'yes'", "boolean", "write true or false"]),
    ("pretrain.backbone.lr_factor", 0, ["pretrain.backbone.lr_factor = 0", "greater than 0"]),
    ("pretrain.backbone.size", 4, ["pretrain.backbone.size = 4", "greater than or equal to 8"]),
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
    ("uncertainty.graded.brightness", [1.0, 130.0], ["graded.brightness.1 = 130.0", "less than or equal to 32"]),
    ("uncertainty.graded.contrast", [1e308], ["graded.contrast.0 = 1e+308", "less than or equal to 32"]),
    ("uncertainty.graded.blur", [1e308], ["graded.blur.0 = 1e+308", "less than or equal to 1024"]),
    ("uncertainty.corruptions.names", ["frost"], ["corruptions.names.0 = 'frost'", "'gaussian_noise'"]),
    ("uncertainty.corruptions.names", ["fog", "fog"], ["corruptions.names = ['fog', 'fog']", "duplicate entry 'fog'"]),
    ("uncertainty.corruptions.severities", [1, 6], ["corruptions.severities.1 = 6", "less than or equal to 5"]),
    ("uncertainty.corruptions.severities", [0, 1], ["corruptions.severities.0 = 0", "greater than or equal to 1"]),
    ("uncertainty.corruptions.severities", [3, 2], ["corruptions.severities = [3, 2]", "must rise"]),
    ("uncertainty.corruptions.severities", [], ["corruptions.severities = []", "at least 1"]),
    ("uncertainty.corruptions.images", 0, ["corruptions.images = 0", "greater than or equal to 1"]),
    ("uncertainty.graded.fog", [1.0], ["graded.fog", "unknown key"]),
    ("uncertainty.soft_labels", "labels.csv", ["soft_labels = 'labels.csv'", "npy"]),
    ("uncertainty.ood", ["fashion_mnst"], ["ood.0 = 'fashion_mnst'", "did you mean fashion_mnist"]),
    ("uncertainty.ood", ["digits"], ["recipes.digits.uncertainty.ood = 'digits'", "itself"]),
    ("recipes.digits.uncertainty", {"ood": ["digits"]}, ["recipes.digits.uncertainty.ood", "itself"]),
    ("recipes.digits.uncertainty", {"ood": ["fashion_mnist"] * 2}, ["digits.uncertainty.ood = [", "duplicate entry"]),
    ("datasets", [], ["datasets = []", "at least 1"]),
    ("datasets", "digits", ["datasets = 'digits'", "list"]),
    ("datasets", ["cifr"], ["datasets.0 = 'cifr'", "digits"]),
    ("datasets", ["digits", "digits"], ["datasets = [", "duplicate entry 'digits'"]),
    ("datasets", [["digits"]], ["datasets.0 = ['digits']"]),
    ("methods", ["simclar"], ["methods.0 = 'simclar'", "vi_simsiam", "did you mean simclr"]),
    ("seeds", [-1], ["seeds.0 = -1", "greater than or equal to 0"]),
    ("seeds", [True], ["seeds.0 = True"]),
    ("seeds", [0, 0], ["seeds = [0, 0]", "duplicate entry 0"]),
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
    ("cache_views.evaluate_on", "train", ["evaluate_on = 'train'", "'test' or 'validation'"]),
    ("download.path", "", ["download.path = ''"]),
    ("recipes", {2024: {}}, ["recipes.2024 = 2024", "in quotes"]),
    ("datasets", [2024], ["datasets.0 = 2024", "in quotes"]),
    ("recipes.../evil", {}, ["recipes.../evil", "letters, digits"]),
    ("recipes.a $(b)", {}, ["recipes.a $(b)", "letters, digits"]),
]


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
