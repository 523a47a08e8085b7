"""Parameters of how test images are altered: graded augmentations and corruptions."""

from typing import Annotated, Literal

from annotated_types import Len
from pydantic import Field, field_validator

from vi_simsiam.config.fields import AtLeast1, Doublings, NonNegative, Pixels, Section, Share, strengths

# Of CIFAR-10-C, as vi_simsiam.uncertainty.corruptions makes them.
CORRUPTIONS = (
    "gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur", "motion_blur", "zoom_blur", "snow",
    "fog", "brightness", "contrast", "elastic_transform", "pixelate", "jpeg_compression",
)  # fmt: skip


class GradedParams(Section):
    """Strengths of each graded augmentation; an empty list leaves it out."""

    brightness: strengths(Doublings)
    contrast: strengths(Doublings)
    saturation: strengths(Doublings)
    hue: strengths(Annotated[float, Field(ge=0, le=0.5)])
    grey: strengths(Share)
    blur: strengths(Pixels)
    noise: strengths(NonNegative)
    occlusion: strengths(Share)


class CorruptionsParams(Section):
    """Which corruptions, each at which severities, of how many test images (None: all)."""

    names: list[Literal[CORRUPTIONS]]
    severities: Annotated[strengths(Annotated[int, Field(ge=1, le=5)]), Len(1)]
    images: AtLeast1 | None

    @field_validator("names")
    @classmethod
    def _each_once(cls, names: list[str]) -> list[str]:
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"{twice} stands in the list twice")
        return names
