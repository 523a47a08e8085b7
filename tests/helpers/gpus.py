"""A GPU to compare with the CPU: a pretended one, or, for `make gpu-check`, a real one."""

import contextlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch

from helpers.pretended_gpu import Seen, pretended_gpu


@dataclass(frozen=True)
class Gpu:
    """A way to have a GPU.

    Attributes:
        use: returns a block in which torch finds the GPU, and which notes what happens on it.
        pretended: True if its numbers are the CPU's to the bit.
    """

    use: Callable[[], AbstractContextManager[Seen]]
    pretended: bool

    def assert_same(self, found: Any, expected: Any, rtol: float = 1e-3, atol: float = 1e-4) -> None:
        """Numbers, arrays, tensors, or lists and dictionaries of these, are equal; tolerances are a real GPU's."""
        rtol, atol = (0, 0) if self.pretended else (rtol, atol)
        torch.testing.assert_close(found, expected, rtol=rtol, atol=atol, equal_nan=True)


@contextlib.contextmanager
def _real_gpu() -> Iterator[Seen]:
    """Note what waits, of which torch warns."""
    seen = Seen()

    def note(message: Any, *_: Any, **__: Any) -> None:
        if "synchroniz" in str(message):
            seen.wait("wait")

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = note
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield seen
        finally:
            torch.cuda.set_sync_debug_mode("default")


PRETENDED = Gpu(pretended_gpu, pretended=True)
REAL = Gpu(_real_gpu, pretended=False)
