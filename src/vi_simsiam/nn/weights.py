"""Weights of an encoder from a file of any origin, read without executing code and matched by name."""

import io
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from vi_simsiam.core.errors import Problem
from vi_simsiam.core.text import shorten

_BELOW = ("state_dict", "model_state_dict", "model", "net")  # sections of the files of training programs
_WRAPPER = "module."  # prefix of all names after training on several devices
_FAULTS = 4  # lines of torch's message about tensors that do not fit


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors file or of a checkpoint of torch, by name.

    Raises: Problem if the file is missing, damaged, needs code to be read, has no named tensors, or has numbers that
        are not finite.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Problem(f"the weights {path} cannot be read: {error.strerror}.") from None
    try:
        if path.suffix == ".safetensors":
            content: Any = safetensors.torch.load(data)
        else:
            content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # readers raise many classes for a damaged file
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise Problem(
            f"the weights {path} ({len(data)} bytes) are damaged, or no file of tensors alone: {shorten(reason)}. "
            "Copy the file again, or save the network's state_dict() by itself."
        ) from None
    tensors = _tensors(content)
    if not tensors:
        raise Problem(f"the weights {path} hold no tensors by name: save the network's state_dict().")
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise Problem(f"the weights {path} hold numbers that are not finite, in {name}.")
    return tensors


def _tensors(content: Any) -> dict[str, Tensor]:
    """The named tensors in the contents of a file, at the top or in a section of a training program."""
    for key in _BELOW:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping):
        return {}
    tensors = {str(name): tensor for name, tensor in content.items() if isinstance(tensor, Tensor)}
    if all(name.startswith(_WRAPPER) for name in tensors):
        return {name.removeprefix(_WRAPPER): tensor for name, tensor in tensors.items()}
    return tensors


def fit(encoder: nn.Module, tensors: Mapping[str, Tensor], origin: str, head: Iterable[str] = ()) -> None:
    """Give an encoder its weights.

    Args:
        encoder: changed in place.
        tensors: by the names of its state.
        origin: of the tensors, for messages.
        head: names of the layers that follow the encoder (its classifier); their tensors are left out.

    Raises: Problem that names the tensors that are missing, of another shape, or of another network.
    """
    state = encoder.state_dict()
    layers = tuple(f"{name}." for name in head)
    given = {name: tensor for name, tensor in tensors.items() if name in state or not name.startswith(layers)}
    try:
        encoder.load_state_dict(given)
    except RuntimeError as error:
        faults = [textwrap.shorten(line.strip(" \t."), 120) for line in str(error).splitlines()[1 : _FAULTS + 1]]
        raise Problem(
            f"{origin} are not those of this encoder; {'; '.join(faults)}. Name the encoder that they belong to in "
            "pretrain.backbone, or other weights."
        ) from None
