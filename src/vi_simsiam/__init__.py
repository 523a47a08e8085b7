"""VI-SimSiam: self-supervised representations with their uncertainty (arXiv 2203.11437)."""

from importlib import import_module
from os import PathLike
from typing import Any


def load(folder: str | PathLike, device: str | None = None) -> Any:
    """Read a trained model: `vi_simsiam.load("results/pretrain/digits/vi_simsiam/seed0").score(["photos"])`.

    Args:
        folder: the model's, in results/pretrain or copied to any other place. No code in it is executed.
        device: by default the GPU if there is one, else the CPU.

    Returns: vi_simsiam.models.model.Model.
    Raises: vi_simsiam.core.errors.Problem when a file is missing, damaged or of an older version.
    """
    # Imported here, because every job imports this file: a change of what it imports would rerun them all.
    return import_module("vi_simsiam.models.model").load(folder, device)
