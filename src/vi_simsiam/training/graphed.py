"""What a GPU computes in every step as one CUDA graph: recorded once, and from then on launched by a single call.

Launching kernel by kernel takes the CPU longer than the kernels take the GPU, many times as long for small networks
(docs/running_large.md).
"""

import gc
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from vi_simsiam.core.errors import Problem

# Calls before the recording, in which cuDNN looks for its fastest algorithms and libraries are loaded: a recording must
# not hold these. PyTorch's documentation has as many.
_AS_IT_IS = 3


class Graphed:
    """A function on a GPU that is recorded and replayed.

    A replay repeats what the GPU did: numbers of Python that went into it stay as they were, those of its tensors are
    read anew, and random numbers go on as they would without it.

    Args:
        function: of tensors, which have the same shapes in every call, and of a phase. What it gives, and whatever else
            it leaves in tensors, it must compute from these and from tensors that stay where they are, without
            waiting for the GPU.
    """

    def __init__(self, function: Callable[[tuple[Tensor, ...], Any], dict[str, Tensor]]):
        self.function, self.stream = function, torch.cuda.Stream()
        self.calls, self.phase = 0, None
        self.graph: Any = None  # a torch.cuda.CUDAGraph, of this phase

    def __call__(self, tensors: tuple[Tensor, ...], phase: Any) -> dict[str, Tensor]:
        """What the function gives; these tensors hold until the next call. It is recorded anew for another phase.

        Raises: Problem where it cannot be recorded.
        """
        if phase != self.phase:
            self.calls, self.phase, self.graph = 0, phase, None
        self.calls += 1
        if self.calls <= _AS_IT_IS:
            return self._beside(lambda: self.function(tensors, phase))
        if self.graph is None:
            self.given = tuple(torch.empty_like(tensor) for tensor in tensors)
            self._record()
        for place, tensor in zip(self.given, tensors, strict=True):
            place.copy_(tensor)
        self.graph.replay()
        return dict(self.results)

    def _beside(self, call: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """On the stream that is recorded, as autograd wants gradients to come from where they came from before."""
        here = torch.cuda.current_stream()
        self.stream.wait_stream(here)
        with torch.cuda.stream(self.stream):
            results = call()
        here.wait_stream(self.stream)
        return results

    def _record(self) -> None:
        self.graph = torch.cuda.CUDAGraph()
        collects = gc.isenabled()
        gc.disable()  # an older graph among the garbage would be given back in the midst of this one, and break it
        try:
            # Other threads may pin memory meanwhile.
            with torch.cuda.graph(self.graph, stream=self.stream, capture_error_mode="thread_local"):
                self.results = self.function(self.given, self.phase)
        except RuntimeError as error:
            first = error.__context__ or error  # which torch's own next error would hide
            why = str(first).partition("\n")[0] or type(first).__name__
            raise Problem(f"pretrain.cuda_graph: a step cannot be recorded here ({why}). Set it to false.") from error
        finally:
            if collects:
                gc.enable()
