"""Methods by name. Each is in the module of its name, which is imported when the method is used."""

from importlib import import_module
from typing import Any

from vi_simsiam.config.schema import PretrainParams, UntrainedParams
from vi_simsiam.core.errors import Problem
from vi_simsiam.methods.base import ImageSpec, Losses, Method

__all__ = ["ImageSpec", "Losses", "Method", "build", "method_class"]


def build(name: str, params: PretrainParams | UntrainedParams, images: ImageSpec) -> Method:
    """A new network of a method, initialised from torch's global generator."""
    return method_class(name)(params, images)


def method_class(name: str) -> Any:
    """The class of a method, a `Method` whose arguments are the parameters and the images.

    Raises: Problem if the method's module does not name its class.
    """
    module = import_module(f"vi_simsiam.methods.{name}")
    if not hasattr(module, "METHOD"):
        raise Problem(
            f"src/vi_simsiam/methods/{name}.py has no METHOD: end it with `METHOD = ` and the method's class."
        )
    return module.METHOD
