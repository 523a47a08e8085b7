"""Random numbers that depend on their purpose, never on what ran before.

Every draw names its purpose, usually (seed, epoch, what for). A resumed training, a second process or another
order of the jobs therefore sees the same numbers, and two methods with the same seed see the same views.
"""

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def seed(*purpose: str | int) -> int:
    """A 64-bit seed, >= 0, that is a function of `purpose` alone.

    Args:
        purpose: one or more strings and integers, e.g. `seed(3, 17, "views")`. Order and type count:
            ("1", 2), (1, 2) and (12,) are different purposes.
    """
    digest = hashlib.sha256(json.dumps(purpose).encode()).digest()
    return int.from_bytes(digest[:8], "big")


def generator(*purpose: str | int) -> "torch.Generator":
    """A fresh CPU generator seeded with `seed(*purpose)`."""
    import torch  # here, so that what needs no tensors does not wait for torch

    return torch.Generator().manual_seed(seed(*purpose))


class Generators(dict[str, "torch.Generator"]):
    """A generator for each name, `generator(*purpose, name)`, made when the name is first used.

    A draw depends on the purpose, the name, and the earlier draws under this name. So a new name never changes the
    numbers of the others.
    """

    def __init__(self, *purpose: str | int):
        super().__init__()
        self.purpose = purpose

    def __missing__(self, name: str) -> "torch.Generator":
        self[name] = generator(*self.purpose, name)
        return self[name]
