"""A function on a GPU as one CUDA graph: recorded once, then launched by a single call.

The CPU takes longer to launch kernels one by one than the GPU takes to run them, many times longer for small networks
(docs/running_large.md).
"""

import gc
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from vi_simsiam.core.errors import Problem

# Calls before the recording, as many as in PyTorch's documentation. In these, cuDNN picks its fastest algorithms and
# libraries are loaded, which must not happen during a recording.
_WARM_UP = 3


class Graphed:
    """A function on a GPU that is recorded and replayed.

    A replay launches the recorded kernels: Python numbers keep their recorded values, tensors are read again, and
    the random generator advances as without a graph.

    Args:
        function: takes tensors, of the same shapes in every call, and a phase. It reads and writes only these
            tensors and tensors whose memory does not move, and does not wait for the GPU.
    """

    def __init__(self, function: Callable[[tuple[Tensor, ...], Any], dict[str, Tensor]]):
        self.function, self.stream = function, torch.cuda.Stream()
        self.calls, self.phase = 0, None
        self.graph: Any = None  # a torch.cuda.CUDAGraph, of this phase

    def __call__(self, tensors: tuple[Tensor, ...], phase: Any) -> dict[str, Tensor]:
        """Call the function; its results are valid until the next call. A change of phase causes a new recording.

        Raises: Problem if the function cannot be recorded.
        """
        if phase != self.phase:
            self.calls, self.phase, self.graph = 0, phase, None
        self.calls += 1
        if self.calls <= _WARM_UP:
            return self._on_the_stream(lambda: self.function(tensors, phase))
        if self.graph is None:
            self.inputs = tuple(torch.empty_like(tensor) for tensor in tensors)
            self._record()
        for place, tensor in zip(self.inputs, tensors, strict=True):
            place.copy_(tensor)
        self.graph.replay()
        return dict(self.results)

    def _on_the_stream(self, call: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """Call on the stream of the recording, because autograd expects gradients on the stream of earlier calls."""
        here = torch.cuda.current_stream()
        self.stream.wait_stream(here)
        with torch.cuda.stream(self.stream):
            results = call()
        here.wait_stream(self.stream)
        return results

    def _record(self) -> None:
        self.graph = torch.cuda.CUDAGraph()
        collects = gc.isenabled()
        gc.disable()  # freeing an older graph during the recording would break it
        try:
            # thread_local: other threads may pin memory during the recording.
            with torch.cuda.graph(self.graph, stream=self.stream, capture_error_mode="thread_local"):
                self.results = self.function(self.inputs, self.phase)
        except RuntimeError as error:
            cause = error.__context__ or error  # torch's next error hides the cause
            why = str(cause).partition("\n")[0] or type(cause).__name__
            raise Problem(f"pretrain.cuda_graph: a step cannot be recorded here ({why}). Set it to false.") from error
        finally:
            if collects:
                gc.enable()
