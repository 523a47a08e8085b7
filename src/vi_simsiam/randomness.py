"""Random numbers that depend on what they are for, never on what ran before.

Every draw names its purpose, usually (seed, epoch, what for). A resumed training, a second process or another
order of the jobs therefore sees the same numbers, and two methods with the same seed see the same views.
"""

import hashlib
import json

import torch


def generator(*purpose: str | int) -> torch.Generator:
    """A fresh CPU generator whose state is a function of `purpose` alone.

    Args:
        purpose: one or more strings and integers, e.g. `generator(seed, epoch, "views")`. Order and type count:
            ("1", 2), (1, 2) and (12,) are different purposes.

    Raises:
        TypeError: a part of the purpose is neither a string nor an integer (a float or an object may print
            differently on another machine).
    """
    for part in purpose:
        if isinstance(part, bool) or not isinstance(part, str | int):
            raise TypeError(f"a purpose is made of strings and integers, not {part!r}")
    digest = hashlib.sha256(json.dumps(purpose).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big", signed=True))
