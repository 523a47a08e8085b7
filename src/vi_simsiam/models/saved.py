"""A trained model on disk: its weights and its description, without code, sufficient on any machine."""

from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError

from vi_simsiam.config.schema import parse
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import read_json, replacing, write_json
from vi_simsiam.methods import ImageSpec, Method, build

FORMAT = 1
_REMOVED = {"compile"}  # parameters that only models of earlier versions have


def save(folder: Path, model: Method, description: dict[str, Any]) -> None:
    """Write model.safetensors and model.json to a folder, which is made if need be. description: from `describe`."""
    tensors = {name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()}
    with replacing(folder / "model.safetensors") as temporary:
        safetensors.torch.save_file(tensors, temporary)
    write_json(folder / "model.json", description)


def describe(method: str, params: dict[str, Any], images: ImageSpec, **extra: Any) -> dict[str, Any]:
    """Contents of model.json: everything that rebuilding the network and preparing its images needs."""
    resized = {"input_size": images.input_size, "interpolation": images.interpolation}
    return {
        "format": FORMAT,
        "method": method,
        "params": params,
        "images": {
            "size": images.size,
            "channels": images.channels,
            "mean": list(images.mean),
            "std": list(images.std),
            **({} if images.depth == 16 else {"depth": images.depth}),
            **(resized if images.input_size is not None else {}),
        },
        **extra,
    }


def load(folder: Path, device: torch.device | str = "cpu") -> tuple[Method, dict[str, Any]]:
    """Load a model, in evaluation mode and channels-last format, and its description.

    No code in the files is executed. Raises: Problem when a file is missing, damaged or of another format.
    """
    description = read_json(folder / "model.json")
    try:
        if description["format"] != FORMAT:
            raise ValueError(f"format {description['format']}")
        method, spec = description["method"], description["images"]
        images = ImageSpec(**spec | {"mean": tuple(spec["mean"]), "std": tuple(spec["std"])})
        known = {name: value for name, value in description["params"].items() if name not in _REMOVED}
        params = parse("pretrain", known, method)
    except (AttributeError, KeyError, TypeError, ValueError, Problem) as error:
        raise Problem(
            f"{folder / 'model.json'} is incomplete, or another version wrote it ({error}). Use that version, or run "
            "`pretrain` again."
        ) from None
    model = build(method, params, images)
    path = folder / "model.safetensors"
    try:
        model.load_state_dict(safetensors.torch.load_file(path))
    except FileNotFoundError:
        raise Problem(f"{path} does not exist. Run the step `pretrain`.") from None
    except (SafetensorError, RuntimeError) as error:
        raise Problem(
            f"{path} is damaged or belongs to another model. Delete it and run `pretrain`. ({error})"
        ) from None
    return model.to(device, memory_format=torch.channels_last).eval(), description
