"""Encoder and certainty of a trained model as ONNX, for programs without PyTorch."""

import io
import warnings
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import replacing
from vi_simsiam.models.model import Model

_PACKAGES = ("onnx", "onnxscript")


class _Outputs(nn.Module):
    """The network of the file: images to features (N, dim) and the method's own scores (N,), float32."""

    def __init__(self, model: Model):
        super().__init__()
        self.network = model.network

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        features = self.network.backbone(self.network.standardised(images))
        scores = self.network.own_scores(features, images)
        return features, *(scores[name].float() for name in self.network.certainty_scores)


def write(model: Model, path: Path) -> tuple[str, ...]:
    """Write a model as ONNX, for any number of images. Returns: names of the outputs.

    Raises: Problem where a package is missing, the exporter fails, or the file cannot be written.
    """
    if missing := [name for name in _PACKAGES if find_spec(name) is None]:
        raise Problem(f"export needs {' and '.join(missing)}. Please install it: pip install 'vi-simsiam[onnx]'")
    images = model.description["images"]
    names = ("features", *model.network.certainty_scores)
    example = torch.rand(2, images["channels"], images["size"], images["size"])
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                _Outputs(model).eval(), (example,), input_names=["images"], output_names=list(names),
                dynamic_shapes={"images": {0: torch.export.Dim("n")}}, dynamo=True, verbose=False,
            )  # fmt: skip
    except Exception as error:  # the exporter raises many kinds
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise Problem(f"{path}: the model cannot be written as ONNX: {reason}") from None
    with replacing(path) as temporary:
        program.save(temporary)
    return names
