"""Encoders of timm (Wightman, github.com/huggingface/pytorch-image-models). timm is imported when one is built."""

from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor, nn

from vi_simsiam.core.errors import Problem

_CHANNELS = 3  # grey images are copied to all three


class TimmEncoder(nn.Module):
    """Map images to the features that the model's classifier reads.

    Args:
        model: name in timm, with or without the tag of its weights.
        size: height and width of its images in pixels.

    Attributes:
        net: timm's model without its classifier, with random weights.
        dim: number of features.
        head: names of the classifier's layers, which are left out.

    Raises: Problem without timm, for an unknown name, an impossible size, or features of more than one dimension.
    """

    def __init__(self, model: str, size: int):
        super().__init__()
        self.model, self.size = model, size
        self.net = _created(model, size)
        classifier = _config(model).get("classifier") or ()
        self.head = (classifier,) if isinstance(classifier, str) else tuple(classifier)
        with torch.no_grad():
            features = self.net.eval()(torch.zeros(1, _CHANNELS, size, size))
        if features.ndim != 2:
            raise Problem(
                f"timm/{model} gives {tuple(features.shape)} for an image, not a row of features. Name another."
            )
        self.dim = features.shape[1]
        self.net.train()

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, size, size) standardised images to (B, dim) features."""
        return self.net(images)


def preprocessing(model: str) -> dict[str, Any]:
    """The fields `input_size`, `mean`, `std` and `interpolation` of the model's `ImageSpec`, as timm states them.

    Raises: Problem for a name that timm does not know, and for a model of images that are not square or not in colour.
    """
    config = _config(model)
    channels, height, width = config["input_size"]
    if channels != _CHANNELS or height != width:
        raise Problem(
            f"timm/{model} takes images of {height} x {width} x {channels}, not square colour images. Name another."
        )
    # torch has these two; Lanczos, which few models use, is closer to bicubic.
    interpolation = "bilinear" if config["interpolation"] == "bilinear" else "bicubic"
    mean, std = tuple(config["mean"]), tuple(config["std"])
    return {"input_size": height, "mean": mean, "std": std, "interpolation": interpolation}


def published(model: str, size: int) -> dict[str, Tensor]:
    """The weights that timm publishes for a model, fetched from its hub unless this machine has them.

    Raises: Problem if timm has none or does not know the name, or if they cannot be fetched.
    """
    config = _config(model)
    if not any(config.get(key) for key in ("hf_hub_id", "url", "file")):
        raise Problem(f"timm has no weights for {model}: take another model, a file, or weights: null.")
    try:
        return _created(model, size, pretrained=True).state_dict()
    except Problem:
        raise
    except Exception as error:  # of the hub, the network, the disk: each library raises other classes
        reason = str(error).partition("\n")[0].rstrip(".") or type(error).__name__
        raise Problem(
            f"the weights of timm/{model} cannot be fetched from {config.get('hf_hub_id') or config.get('url')}: "
            f"{reason}. Run where there is a network, or give their file as pretrain.backbone.weights; "
            "efficientnet_lite0 needs no network."
        ) from None


def _timm() -> Any:
    try:
        import timm
    except ImportError as error:
        raise Problem(
            f"the encoder needs the package timm, which cannot be imported ({error}). Please install it: "
            "pip install 'vi-simsiam[timm]'"
        ) from None
    return timm


def _config(model: str) -> dict[str, Any]:
    """timm's description of a model's weights. Raises: Problem with similar names for an unknown model."""
    timm = _timm()
    try:
        if not timm.is_model(model):
            raise RuntimeError(f"unknown model {model}")
        config = timm.models.get_pretrained_cfg(model, allow_unregistered=False)
    except RuntimeError:  # timm's, of a model or of a tag
        names = [*timm.list_models(), *timm.list_pretrained()]
        near = get_close_matches(model, names, n=3)
        hint = f"did you mean {', '.join(near)}?" if near else "timm.list_models() has the names"
        raise Problem(
            f"pretrain.backbone.name = timm/{model}: timm {timm.__version__} has no such model; {hint}"
        ) from None
    if config is None:
        raise Problem(f"pretrain.backbone.name = timm/{model}: timm states no input size for it; take another model.")
    return config.to_dict()


def _created(model: str, size: int, pretrained: bool = False) -> nn.Module:
    config = _config(model)
    # Only models with position embeddings of a fixed size take it.
    sized = {"img_size": size} if config.get("fixed_input_size") and size != config["input_size"][1] else {}
    try:
        return _timm().create_model(model, pretrained=pretrained, num_classes=0, **sized)
    except (TypeError, AssertionError) as error:
        if not sized:
            raise
        raise Problem(
            f"timm/{model} takes images of {config['input_size'][1]} pixels, and cannot be made for {size} ({error}): "
            "set pretrain.backbone.size to null."
        ) from None
