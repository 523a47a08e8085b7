"""Methods by name. Each lives in the module of its name and is imported only when it is used."""

from importlib import import_module

from vi_simsiam.config.schema import METHODS, PretrainParams, UntrainedParams
from vi_simsiam.methods.base import ImageSpec, Losses, Method

__all__ = ["ImageSpec", "Losses", "Method", "build"]


def build(name: str, params: PretrainParams | UntrainedParams, images: ImageSpec) -> Method:
    """A new network of method `name` (one of params.METHODS), initialised from torch's global generator."""
    if name not in METHODS:
        raise ValueError(f"unknown method {name!r}: known are {', '.join(METHODS)}")
    return import_module(f"vi_simsiam.methods.{name}").METHOD(params, images)
