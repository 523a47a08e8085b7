"""A pretended GPU: tensors that say `cuda:0`, are computed on the CPU, and may not meet those of the CPU.

A tensor lies on the pretended GPU when its storage is marked. What Python asks of tensors passes `_Functions`, which
answers for the device and moves tensors; what torch computes passes `_Operations`, which refuses a mix of devices as
CUDA does, notes what would wait for the GPU, and marks the results. Numbers are the CPU's, so whatever
runs here must give the CPU's results bit for bit.

It knows nothing of speed, memory, streams, several GPUs, cuDNN, or whether CUDA has a kernel for a type. Autocast is
the CPU's. Threads that a program starts see no pretended GPU: they may pin memory, and no more.
"""

import contextlib
import functools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from helpers.pretended_graph import Graph, name_of, tensors_in
from helpers.project import ROOT

GPU = torch.device("cuda", 0)


class DeviceMix(RuntimeError):
    """An operation on tensors of two devices, which CUDA refuses."""


class Wait(NamedTuple):
    """Where a program waits until the GPU has done all that it was given.

    Attributes:
        what: kind of operation.
        where: file and line of the project's innermost code.
        function: that it is in.
    """

    what: str
    where: str
    function: str


class Seen:
    """What happened on a GPU.

    Attributes:
        waits: in their order.
    """

    def __init__(self):
        self.waits: list[Wait] = []
        self.graph: Graph | None = None  # that is recorded now

    def clear(self) -> None:
        self.waits.clear()

    def wait(self, what: str) -> None:
        file, line, function = _place()
        if self.graph is not None:
            raise RuntimeError(f"operation not permitted when stream is capturing: {what} at {file}:{line}")
        self.waits.append(Wait(what, f"{file}:{line}", function))


@functools.cache
def _inside(file: str) -> str | None:
    """Path of a file in the project; None: a file of another package, or a helper of tests."""
    if not file.startswith(str(ROOT)) or "site-packages" in file or Path(file).parent == Path(__file__).parent:
        return None
    return Path(file).relative_to(ROOT).as_posix().removeprefix("src/").removeprefix("vi_simsiam/")


def _place() -> tuple[str, int, str]:
    """File, line and function of the project that runs now."""
    frame = sys._getframe(1)
    while frame is not None:
        if (file := _inside(frame.f_code.co_filename)) is not None:
            return file, frame.f_lineno, frame.f_code.co_qualname.split(".<")[0]
        frame = frame.f_back
    return "?", 0, "?"


def on_gpu(tensor: Tensor) -> bool:
    """True if a tensor lies on the pretended GPU."""
    return getattr(tensor.untyped_storage(), "on_gpu", False)


def _mark(values: Any) -> Any:
    for tensor in tensors_in(values):
        tensor.untyped_storage().on_gpu = True
    return values


def _pinned(tensor: Tensor) -> bool:
    return getattr(tensor.untyped_storage(), "pinned", False)


def _pin(tensor: Tensor, *_: Any) -> Tensor:
    if on_gpu(tensor):
        raise RuntimeError("cannot pin a tensor of cuda:0: only dense CPU tensors can be pinned")
    copy = tensor.detach().clone()
    copy.untyped_storage().pinned = True
    return copy


# Operations that end only when the CPU knows a number which the GPU has computed.
_READS = {
    "_local_scalar_dense": "item", "nonzero": "nonzero", "masked_select": "masked_select", "equal": "equal",
    "_unique2": "unique", "unique_dim": "unique", "unique_consecutive": "unique", "bincount": "bincount",
    "repeat_interleave": "repeat_interleave", "_linalg_check_errors": "check of linear algebra",
}  # fmt: skip
_INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index"}
_TWO_DEVICES = {"copy_", "_to_copy", "index", "_unsafe_index"}  # `index` is looked at more closely


class _Operations(TorchDispatchMode):
    """Every operation of torch, below autograd."""

    def __init__(self, seen: Seen):
        super().__init__()
        self.seen = seen
        self.making = False  # True while new tensors belong to the GPU

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        tensors = tensors_in((*args, *kwargs.values()))
        if not self.making and not any(map(on_gpu, tensors)):
            return func(*args, **kwargs)
        name = name_of(func)
        self._refuse(name, args, tensors)
        self._note_waits(name, args, kwargs)
        if self.seen.graph is not None:
            self.seen.graph.keep(func, args, kwargs)
        result = func(*args, **kwargs)
        if name != "copy_":  # whose target stays where it is
            _mark(result)
        if self.seen.graph is not None:
            self.seen.graph.record(func, args, kwargs, result)
        return result

    def _refuse(self, name: str, args: tuple, tensors: list[Tensor]) -> None:
        # CUDA computes with a number that lies on the CPU, but does not join it to its tensors.
        strangers = [t for t in tensors if not on_gpu(t) and (t.dim() > 0 or name in ("cat", "stack"))]
        if strangers and (name not in _TWO_DEVICES or (name in _INDEXING and not on_gpu(args[0]))):
            file, line, _ = _place()
            shapes = ", ".join(str(tuple(t.shape)) for t in strangers)
            raise DeviceMix(f"{name} at {file}:{line} gets tensors of cuda:0, and of the CPU those of shape {shapes}")

    def _note_waits(self, name: str, args: tuple, kwargs: dict) -> None:
        if name in _READS:
            self.seen.wait(_READS[name])
        elif name in _INDEXING:
            for index in args[1]:
                if index is not None and index.dtype in (torch.bool, torch.uint8):
                    self.seen.wait("boolean index")
                elif index is not None and not on_gpu(index) and index.dim() > 0:
                    self.seen.wait("index on the CPU")
        elif name == "copy_" and on_gpu(args[0]) != on_gpu(args[1]) and args[1].dim() > 0:
            soon = args[2] if len(args) > 2 else kwargs.get("non_blocking", False)
            if not (soon and _pinned(args[1])):
                self.seen.wait("copy between the devices")


class _Functions(TorchFunctionMode):
    """What Python calls of torch; inside of a call it is off."""

    def __init__(self, seen: Seen, operations: _Operations):
        super().__init__()
        self.seen, self.operations = seen, operations
        self.answers = {
            Tensor.device.__get__: lambda tensor: GPU if on_gpu(tensor) else torch.device("cpu"),
            Tensor.is_cuda.__get__: on_gpu,
            Tensor.is_cpu.__get__: lambda tensor: not on_gpu(tensor),
            Tensor.get_device: lambda tensor: 0 if on_gpu(tensor) else -1,
            Tensor.numpy: functools.partial(_on_the_cpu, Tensor.numpy),
            Tensor.__array__: functools.partial(_on_the_cpu, Tensor.__array__),
            Tensor.tolist: self._tolist,
            Tensor.to: self._to,
            Tensor.cpu: lambda tensor, **kwargs: self._to(tensor, "cpu", **kwargs),
            Tensor.cuda: lambda tensor, _=None, **kwargs: self._to(tensor, GPU, **kwargs),
            Tensor.new_tensor: lambda tensor, data, **kwargs: self._made(
                torch.tensor, data, **({"device": GPU if on_gpu(tensor) else "cpu", "dtype": tensor.dtype} | kwargs)
            ),
            torch.tensor: lambda data, **kwargs: self._made(torch.tensor, data, **kwargs),
            torch.as_tensor: lambda data, **kwargs: self._made(torch.as_tensor, data, **kwargs),
            torch.nn.functional.one_hot: self._one_hot,
            Tensor.backward: self._backward,
        }

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func in self.answers:
            return self.answers[func](*args, **kwargs)
        device = kwargs.get("device")
        if device is None or not _is_gpu(device):
            return func(*args, **kwargs)
        # A tensor is made on the GPU. torch itself, which finds no GPU here, makes it on the CPU.
        if kwargs.get("generator") is not None:
            raise DeviceMix(f"{func.__name__}: expected a generator of cuda:0, found one of the CPU")
        self.operations.making, before = True, self.operations.making
        try:
            return _mark(func(*args, **kwargs | {"device": "cpu"}))
        finally:
            self.operations.making = before

    def _to(self, tensor: Tensor, *args: Any, copy: bool = False, **kwargs: Any) -> Tensor:
        if args and isinstance(args[0], Tensor):
            args = (GPU if on_gpu(args[0]) else torch.device("cpu"), args[0].dtype, *args[1:])
        device, dtype, non_blocking, memory_format = torch._C._nn._parse_to(*args, **kwargs)
        source = on_gpu(tensor)
        target = source if device is None else _is_gpu(device)
        wanted = {"dtype": dtype or tensor.dtype, "memory_format": memory_format or torch.preserve_format}
        moved = tensor.to(**wanted, copy=copy or source != target)
        if source != target:
            if source or not (non_blocking and _pinned(tensor)):
                self.seen.wait("copy to the CPU" if source else "copy to the GPU of memory that is not pinned")
            moved.untyped_storage().on_gpu = target
        return moved

    def _made(self, make: Any, data: Any, device: Any = None, **kwargs: Any) -> Tensor:
        if isinstance(data, Tensor):
            return self._to(data, device or (GPU if on_gpu(data) else "cpu"), kwargs.get("dtype"))
        made = make(data, **kwargs)
        return made if device is None or not _is_gpu(device) else self._to(made, GPU)

    def _tolist(self, tensor: Tensor) -> Any:
        if on_gpu(tensor):
            self.seen.wait("tolist")
        return tensor.tolist()

    def _one_hot(self, tensor: Tensor, num_classes: int = -1) -> Tensor:
        """torch looks at the numbers first where it believes to be on a CPU."""
        if not on_gpu(tensor) or num_classes < 0:
            return torch.nn.functional.one_hot(tensor, num_classes)
        zeros = tensor.new_zeros(*tensor.shape, num_classes)
        return zeros.scatter_(-1, tensor.unsqueeze(-1), 1)

    def _backward(self, tensor: Tensor, gradient=None, retain_graph=None, create_graph=False, inputs=None) -> None:
        with self:  # for functions whose gradients are written in Python
            torch.autograd.backward(tensor, gradient, retain_graph, create_graph, inputs=inputs)


def _on_the_cpu(function: Any, tensor: Tensor, *args: Any, **kwargs: Any) -> Any:
    if on_gpu(tensor):
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first.")
    return function(tensor, *args, **kwargs)


def _is_gpu(device: Any) -> bool:
    return torch.device(device).type == "cuda"


_autocast = torch.autocast


def _cpus_autocast(device_type: str, *args: Any, **kwargs: Any) -> torch.autocast:
    return _autocast("cpu", *args, **kwargs)


@contextlib.contextmanager
def pretended_gpu() -> Iterator[Seen]:
    """In this block torch finds one GPU, `cuda:0`, which has bf16."""
    seen = Seen()
    cuda = {
        "is_available": True, "device_count": 1, "current_device": 0, "is_bf16_supported": True, "set_device": None,
        "get_device_capability": (9, 0), "get_device_name": "pretended", "synchronize": None, "empty_cache": None,
        "is_current_stream_capturing": False, "current_stream": mock.Mock(),
    }  # fmt: skip
    with contextlib.ExitStack() as stack:
        for name, value in cuda.items():
            stack.enter_context(mock.patch(f"torch.cuda.{name}", lambda *_, value=value, **__: value))
        stack.enter_context(mock.patch("torch.Tensor.pin_memory", _pin))
        stack.enter_context(mock.patch("torch.Tensor.is_pinned", _pinned))
        stack.enter_context(mock.patch("torch.autocast", _cpus_autocast))

        @contextlib.contextmanager
        def recording(graph: Graph, **_: Any) -> Iterator[None]:
            state, seen.graph = torch.get_rng_state(), graph
            try:
                yield
            finally:
                seen.graph = None
                with _disable_current_modes():
                    graph.end()
                torch.set_rng_state(state)

        for name, value in {
            "CUDAGraph": Graph,
            "graph": recording,
            "Stream": mock.Mock,
            "stream": contextlib.nullcontext,
        }.items():
            stack.enter_context(mock.patch(f"torch.cuda.{name}", value))
        operations = _Operations(seen)
        stack.enter_context(operations)
        stack.enter_context(_Functions(seen, operations))
        yield seen
