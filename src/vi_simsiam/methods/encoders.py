"""The encoder that a training begins with: its network, its weights and its preprocessing of images."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from vi_simsiam.config.encoder_params import MODEL_FILES, weights_files
from vi_simsiam.config.schema import LITE, PRETRAINED, RESNETS, TIMM, BackboneParams
from vi_simsiam.core import record
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import read_json
from vi_simsiam.nn import timm_encoders, weights
from vi_simsiam.nn.backbones import ResNet
from vi_simsiam.nn.efficientnet_lite import EfficientNetLite0
from vi_simsiam.nn.timm_encoders import TimmEncoder

# (pixel - 127) / 128 of pixels in [0, 255] is what it was trained on (github.com/tensorflow/tpu, efficientnet/lite).
_LITE_IMAGES = {
    "input_size": 224, "mean": (127 / 255,) * 3, "std": (128 / 255,) * 3, "interpolation": "bicubic",
}  # fmt: skip


def network(backbone: BackboneParams, channels: int, size: int) -> nn.Module:
    """An encoder with random weights.

    Args:
        backbone: parameters; the weights that they name are not read.
        channels: of standardised images. size: their height and width.
    """
    if backbone.name in RESNETS:
        assert backbone.width is not None and backbone.stem is not None  # BackboneParams refuses a ResNet without
        return ResNet(backbone.name, backbone.width, backbone.stem, channels)
    return EfficientNetLite0() if backbone.name == LITE else TimmEncoder(_timm_name(backbone), size)


def preprocessing(backbone: BackboneParams) -> dict[str, Any]:
    """Fields of an ImageSpec that the encoder sets, in place of those of the data set.

    An encoder that begins with a trained model has that model's; otherwise a ResNet of the project sets none.

    Raises: Problem for a damaged model, and as `timm_encoders.preprocessing`.
    """
    if (folder := _model_folder(backbone)) is not None:
        fields = _of_model(folder)
    elif backbone.name == LITE:
        fields = _LITE_IMAGES
    elif backbone.name in RESNETS:
        fields = {}
    else:
        fields = timm_encoders.preprocessing(_timm_name(backbone))
    return fields if backbone.size is None else fields | {"input_size": backbone.size}


def initial_weights(backbone: BackboneParams, size: int) -> tuple[dict[str, Tensor], str] | None:
    """The initial tensors of an encoder, and their origin in words; None: it keeps its random ones.

    Args:
        size: height and width in pixels of the images that the encoder gets.

    Raises: Problem if they are missing, damaged, or cannot be fetched.
    """
    if backbone.weights is None:
        return None
    files = weights_files(backbone.name, backbone.weights)
    if not files:
        return timm_encoders.published(_timm_name(backbone), size), f"the published weights of {backbone.name}"
    if (folder := _model_folder(backbone)) is not None:
        return _of_folder(folder, backbone), f"the weights of {folder}"
    tensors = weights.read(files[0])
    if backbone.name == LITE and backbone.weights == PRETRAINED:
        tensors = _renamed(tensors)
    return tensors, f"the weights {files[0]}"


def load(encoder: nn.Module, tensors: dict[str, Tensor], origin: str) -> None:
    """Load the tensors of `initial_weights` into an encoder of `network`. Raises: Problem if they do not fit."""
    if isinstance(encoder, TimmEncoder | EfficientNetLite0):
        weights.fit(encoder.net, tensors, origin, encoder.head)
    else:
        weights.fit(encoder, tensors, origin, ("fc",))


def software(backbone: BackboneParams) -> dict[str, str]:
    """Versions of the packages that only this kind of encoder needs."""
    return {"timm": version("timm")} if backbone.name.startswith(TIMM) else {}


def _timm_name(backbone: BackboneParams) -> str:
    return backbone.name.removeprefix(TIMM)


def _model_folder(backbone: BackboneParams) -> Path | None:
    """The folder of the trained model that `weights` names; None: it names no folder."""
    if backbone.weights in (None, PRETRAINED):
        return None
    folder = Path(backbone.weights).expanduser()
    return folder if folder.is_dir() else None


def _of_model(folder: Path) -> dict[str, Any]:
    """The fields of `preprocessing`, of a trained model's encoder."""
    record.verify(folder, *MODEL_FILES)
    images = read_json(folder / "model.json")["images"]
    fields = {name: tuple(images[name]) for name in ("mean", "std")}
    return fields | {
        "input_size": images.get("input_size", images["size"]),
        "interpolation": images.get("interpolation", "bilinear"),
    }


def _of_folder(folder: Path, backbone: BackboneParams) -> dict[str, Tensor]:
    """The encoder's tensors of a trained model. Raises: Problem if that model has another encoder."""
    record.verify(folder, *MODEL_FILES)
    theirs = read_json(folder / "model.json")["params"]["backbone"]
    for key in ("name", "width", "stem"):
        ours = getattr(backbone, key)
        if theirs.get(key) != ours:
            raise Problem(
                f"pretrain.backbone.{key} = {ours}: the model in {folder}, which pretrain.backbone.weights names, has "
                f"{theirs.get(key)}. Set it to that."
            )
    begin = "backbone.net." if backbone.name not in RESNETS else "backbone."
    tensors = weights.read(folder / "model.safetensors")
    return {name.removeprefix(begin): tensor for name, tensor in tensors.items() if name.startswith(begin)}


def _renamed(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The package's weights under the encoder's names: the same layers in the same order, then a classifier."""
    encoder = [tensor for name, tensor in tensors.items() if not name.startswith("_fc.")]
    return dict(zip(EfficientNetLite0().net.state_dict(), encoder, strict=False))  # `weights.fit` compares the shapes
