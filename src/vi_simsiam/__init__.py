"""VI-SimSiam: self-supervised representations with their uncertainty (arXiv 2203.11437)."""

from importlib import import_module
from os import PathLike
from typing import Any


def load(folder: str | PathLike, device: str | None = None) -> Any:
    """Read a trained model: `vi_simsiam.load("results/pretrain/digits/vi_simsiam/seed0").score(["photos"])`.

    Args:
        folder: of the model, in results/pretrain or wherever it was copied to. No code in it is executed.
        device: the GPU if there is one unless named.

    Returns: vi_simsiam.models.model.Model.
    Raises: vi_simsiam.core.errors.Problem when a file is missing, damaged or of an older version.
    """
    # By its name: the digest of every job holds this file and what it imports.
    return import_module("vi_simsiam.models.model").load(folder, device)
