"""The jobs of a run, the parameters of each, and the files outside the results that a job needs.

Those files are params of the rules, not inputs: Snakemake would take braces in a name for wildcards, and the date of a
folder says little about its contents. `config` is the whole (checked) mapping of params.yaml.
"""

import contextlib
import functools
import json
import os
import re
from pathlib import Path

from vi_simsiam.config import encoder_params, loading
from vi_simsiam.core import record
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import sha256
from vi_simsiam.data import own_images

# Cached, because several jobs name the same files.
_sha256, _weights = functools.cache(sha256), functools.cache(encoder_params.weights_checksum)


def as_json(step: str, config: dict, dataset: str | None = None, method: str | None = None) -> str:
    """The resolved parameters of one job, as canonical JSON.

    One string, for a shell command; sorted, so that the order in params.yaml does not matter.
    """
    return json.dumps(loading.resolve(config, step, dataset, method), sort_keys=True)


def devices(config: dict, dataset: str, method: str) -> int:
    """Number of processes of one training, each with a GPU if the machine has any; 1 for an untrained encoder."""
    return loading.resolve(config, "pretrain", dataset, method).get("devices", 1)


def threads(config: dict, dataset: str, method: str) -> int:
    """Number of CPU threads of one training, over all its processes."""
    return loading.resolve(config, "pretrain", dataset)["threads"] * devices(config, dataset, method)


def ood(config: dict, dataset: str) -> list[str]:
    """Data sets whose test images are scored as out of distribution for `dataset`."""
    return loading.resolve(config, "uncertainty", dataset)["ood"]


def all_datasets(config: dict) -> list[str]:
    """Data sets that are downloaded and stored: those of the list `datasets`, and those compared with them."""
    return list(dict.fromkeys([*config["datasets"], *(name for d in config["datasets"] for name in ood(config, d))]))


def check_gpus(config: dict, limit: int | None) -> None:
    """Raise Problem where a training wants more GPUs than the run may use: Snakemake would count it as `limit`.

    Args:
        limit: of --resources gpu=N or the profile; None without a limit or without a GPU.
    """
    for dataset in config["datasets"]:
        n = max(devices(config, dataset, method) for method in config["methods"])
        if limit is not None and n > limit:
            raise Problem(
                f"pretrain.devices = {n} of {dataset} is more than the gpu={limit} that this run may use: give "
                f"--resources gpu={n}, or set it in profiles/default/config.yaml, or lower pretrain.devices."
            )


def in_sweep(done: dict, step: str, config: dict) -> bool:
    """True if the lists `datasets`, `methods` and `seeds` contain the job of a record."""
    datasets = all_datasets(config) if step in ("download", "cache_views") else config["datasets"]
    lists = {"dataset": datasets, "method": config["methods"], "seed": config["seeds"]}
    return all(done[name] in choices for name, choices in lists.items() if name in done)


def images_state(config: dict, dataset: str) -> str | None:
    """A digest of the images at `download.path`, which changes with them.

    A clone with the downloaded copy needs no original: the recorded state counts.

    Returns: None without a path. Raises: Problem when neither the original nor a copy exists.
    """
    section = loading.resolve(config, "download", dataset)
    path, classes = section["path"], section["classes"]
    if path is None:
        return None
    if not os.path.exists(os.path.expanduser(path)):  # pathlib raises in a folder of another user
        with contextlib.suppress(Problem):  # no copy, or a damaged one: the original is needed
            done = record.read(Path("data/download", dataset))
            if (done["params"].get("path"), done["params"].get("classes")) == (path, classes):
                return done.get("images_state")
    return _state(path, classes)


@functools.cache
def _state(path: str, classes: str | None) -> str:
    return own_images.state(own_images.find_images(path), None if classes is None else own_images.find_classes(classes))


def soft_labels(config: dict, dataset: str) -> str | None:
    """SHA-256 of the data set's file of soft labels; None: it names none.

    Raises: Problem when the file does not exist.
    """
    path = loading.resolve(config, "uncertainty", dataset)["soft_labels"]
    if path is not None and not Path(path).is_file():
        raise Problem(f"uncertainty.soft_labels = {path} of {dataset} does not exist: correct it, or set it to null.")
    return None if path is None else _sha256(path)


def weights_results(config: dict, dataset: str, method: str = "", seed: str = "") -> list[str]:
    """Files of a result of this run whose encoder a training begins with: inputs, so that result is made first.

    Empty where the training begins with other weights, or with its earlier result.
    """
    folder = encoder_params.weights_folder(loading.resolve(config, "pretrain", dataset)["backbone"].get("weights"))
    match = re.fullmatch(r"results/pretrain/([^/]+)/([^/]+)/seed(0|[1-9]\d*)", folder or "")
    if match is None or match.groups() == (dataset, method, seed):
        return []
    named = {"dataset": match[1], "method": match[2], "seed": int(match[3])}
    return [f"{folder}/{name}" for name in encoder_params.MODEL_FILES] if in_sweep(named, "pretrain", config) else []


def weights(config: dict, dataset: str) -> str | None:
    """SHA-256 of the initial weights of a data set's encoders; None without a file, and of a result not yet made.

    Raises: Problem when the file does not exist, or a package that the encoder needs is not installed.
    """
    backbone = loading.resolve(config, "pretrain", dataset)["backbone"]
    if not all(map(os.path.exists, weights_results(config, dataset))):
        return None
    try:
        return _weights(backbone["name"], backbone.get("weights"))
    except Problem as problem:
        raise Problem(f"{dataset}: {problem}") from None
