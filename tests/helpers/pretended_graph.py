"""The CUDA graph of the pretended GPU: it records operations of torch, and a replay repeats them."""

import functools
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes


def tensors_in(value: Any) -> list[Tensor]:
    """The tensors in an operation's arguments or results."""
    if isinstance(value, Tensor):
        return [value]
    return [tensor for part in value for tensor in tensors_in(part)] if isinstance(value, tuple | list) else []


@functools.cache
def name_of(operation: Any) -> str:
    return operation._schema.name.removeprefix("aten::")


def _address(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _written(func: Any, args: tuple, kwargs: dict) -> list[Tensor]:
    """The tensors that an operation writes into."""
    if name_of(func) == "native_batch_norm":  # whose running statistics torch does not mark
        return tensors_in(args[3:5])
    arguments = func._schema.arguments
    given = {argument.name: value for argument, value in zip(arguments, args, strict=False)} | kwargs
    marked = [argument.name for argument in arguments if argument.alias_info and argument.alias_info.is_write]
    return [tensor for name in marked if name in given for tensor in tensors_in((given[name],))]


class Graph:
    """A CUDA graph of the pretended GPU. As on a GPU, a recorded operation is done by a replay and not before."""

    def __init__(self):
        # Function, arguments, and which of its results are new.
        self.operations: list[tuple[Any, tuple, dict, list[tuple[int, Tensor]]]] = []
        self.before: list[tuple[Any, Any]] = []
        self.known: set[int] = set()  # addresses of stored tensors, and of those that the recording makes

    def keep(self, func: Any, args: tuple, kwargs: dict) -> None:
        """Store the numbers that an operation is about to overwrite."""
        for tensor in _written(func, args, kwargs):
            if _address(tensor) not in self.known:
                self.known.add(_address(tensor))
                self.before.append((tensor.untyped_storage(), tensor.untyped_storage().clone()))

    def record(self, func: Any, args: tuple, kwargs: dict, result: Any) -> None:
        given = {_address(tensor) for tensor in tensors_in((*args, *kwargs.values()))}
        new = [(i, tensor) for i, tensor in enumerate(tensors_in((result,))) if _address(tensor) not in given]
        self.known |= {_address(tensor) for _, tensor in new}
        self.operations.append((func, args, kwargs, new))

    def end(self) -> None:
        for storage, numbers in self.before:
            storage.copy_(numbers)
        for *_, new in self.operations:
            for _, tensor in new:
                if tensor.is_floating_point():
                    tensor.fill_(torch.nan)

    @torch.no_grad()
    def replay(self) -> None:
        with _disable_current_modes():
            for func, args, kwargs, new in self.operations:
                again = tensors_in((func(*args, **kwargs),))
                for i, tensor in new:
                    tensor.copy_(again[i])
