"""Files outside the results that parameters name, as they were when a run was planned: a change of them is seen.

They are params of the rules, not inputs: Snakemake would take braces in a name for wildcards, and a folder's own date
says little about what is in it.
"""

import contextlib
import functools
import os
from pathlib import Path

from vi_simsiam.config import encoders, loading
from vi_simsiam.core import record
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import sha256
from vi_simsiam.data import own_images


def images_state(config: dict, dataset: str) -> str | None:
    """What images of one's own are like.

    A clone that has the downloaded copy has all it needs: there, without the original, the recorded state holds.

    Args:
        config: the whole (checked) mapping of params.yaml.
        dataset: a recipe.

    Returns: None where the images come from elsewhere. Raises: Problem when there is neither original nor copy.
    """
    section = loading.resolve(config, "download", dataset)
    path, classes = section["path"], section["classes"]
    if path is None:
        return None
    if not os.path.exists(os.path.expanduser(path)):  # pathlib raises over another's folder
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


def weights(config: dict, dataset: str) -> str | None:
    """SHA-256 of the weights that the encoders of a data set begin with; None: there is no file of them.

    Raises: Problem when the file does not exist, or a package that the encoder needs is not installed.
    """
    backbone = loading.resolve(config, "pretrain", dataset)["backbone"]
    try:
        return _weights(backbone["name"], backbone.get("weights"))
    except Problem as problem:
        raise Problem(f"{dataset}: {problem}") from None


@functools.cache
def _weights(name: str, given: str | None) -> str | None:
    return encoders.weights_checksum(name, given)


@functools.cache
def _sha256(path: str) -> str:
    return sha256(path)
