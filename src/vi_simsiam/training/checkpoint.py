"""Resumable training state, outside any engine's outputs: neither Snakemake nor DVC deletes it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from vi_simsiam.core.files import replacing


def save_checkpoint(path: Path, model: nn.Module, optimizer: torch.optim.SGD, progress: dict[str, Any]) -> None:
    """Write model, momentum and `progress` (anything JSON) to one file of tensors; whole or not at all."""
    tensors = {f"model.{name}": t.detach().cpu().contiguous() for name, t in model.state_dict().items()}
    for i, parameter in enumerate(model.parameters()):
        momentum = optimizer.state.get(parameter, {}).get("momentum_buffer")
        if momentum is not None:
            tensors[f"momentum.{i}"] = momentum.detach().cpu().contiguous()
    text = json.dumps(progress)
    with replacing(path) as temporary:
        safetensors.torch.save_file(tensors, temporary, metadata={"progress": text, "sha256": _sha256(tensors, text)})


def load_checkpoint(path: Path, model: nn.Module, optimizer: torch.optim.SGD) -> dict[str, Any] | None:
    """Restore what `save_checkpoint` wrote, in place, and return its `progress`.

    Returns None, with model and optimiser untouched, when there is no checkpoint or it is damaged: a checkpoint saves
    time, and without one the training starts from the beginning and ends at the same result.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        if _sha256(tensors, metadata["progress"]) != metadata["sha256"]:
            raise ValueError("its SHA-256 is not the one it was written with")
        progress = json.loads(metadata["progress"])
    except FileNotFoundError:
        return None
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        print(f"warning: the checkpoint {path} cannot be used ({error}); training starts at epoch 1", flush=True)
        return None
    model.load_state_dict({k.removeprefix("model."): t for k, t in tensors.items() if k.startswith("model.")})
    for i, parameter in enumerate(model.parameters()):
        if (momentum := tensors.get(f"momentum.{i}")) is not None:
            # The layout (channels_last) of the parameter, so that the update adds up in the same order as before.
            optimizer.state[parameter]["momentum_buffer"] = torch.empty_like(parameter).copy_(momentum)
    return progress


def _sha256(tensors: dict[str, Tensor], progress: str) -> str:
    digest = hashlib.sha256(progress.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
