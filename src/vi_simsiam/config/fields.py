"""What all sections of parameters share: the base class, and types of numbers with their ranges."""

from itertools import pairwise
from typing import Annotated, Any

from annotated_types import Len
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

AtLeast0 = Annotated[int, Field(ge=0)]
AtLeast1 = Annotated[int, Field(ge=1)]
Width = Annotated[int, Field(ge=1, le=1 << 20)]  # of a layer
Positive = Annotated[float, Field(gt=0, le=1e15)]  # far enough, and within single precision
NonNegative = Annotated[float, Field(ge=0, le=1e15)]
Doublings = Annotated[float, Field(ge=0, le=32)]  # at 8, images of 8 bits are black and white; far beyond, NaN
Pixels = Annotated[float, Field(ge=0, le=1024)]
Share = Annotated[float, Field(ge=0, le=1)]
PositiveShare = Annotated[float, Field(gt=0, le=1)]
InnerShare = Annotated[float, Field(gt=0, lt=1)]


def _in_order(values: list[float]) -> list[float]:
    if values[0] > values[1]:
        raise ValueError("must rise, lowest value first")
    return values


def _rising(values: list[float]) -> list[float]:
    if any(a >= b for a, b in pairwise(values)):
        raise ValueError("must rise, weakest first")
    return values


def number_range(kind: Any) -> Any:
    """Two numbers, the second not below the first."""
    return Annotated[list[kind], Len(2, 2), AfterValidator(_in_order)]


def strengths(kind: Any) -> Any:
    """Any number of strengths, each above the one before."""
    return Annotated[list[kind], AfterValidator(_rising)]


class Section(BaseModel):
    # strict: `epochs: "60"` is a mistake worth hearing about, not something to convert silently.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
