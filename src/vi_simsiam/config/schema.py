"""Types and ranges of the parameters.

`params.yaml` is the only home of values; this module is the only home of what they may be. A job gets its parameters as
`vi_simsiam.config.loading.resolve` made them and turns them into a frozen class with `parse`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, get_args

from annotated_types import Len
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vi_simsiam.core.errors import Problem

Method = Literal["untrained", "simsiam", "vi_simsiam", "simclr", "dino", "vae"]
METHODS: tuple[str, ...] = get_args(Method)

AtLeast0 = Annotated[int, Field(ge=0)]
AtLeast1 = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
PositiveShare = Annotated[float, Field(gt=0, le=1)]
InnerShare = Annotated[float, Field(gt=0, lt=1)]


def _pair(kind: Any) -> Any:
    return Annotated[list[kind], Len(2, 2)]


class Section(BaseModel):
    # strict: `epochs: "60"` is a mistake worth hearing about, not something to convert silently.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class DownloadParams(Section):
    source: str | None
    path: Annotated[str, Field(min_length=1)] | None
    classes: Annotated[str, Field(min_length=1)] | None
    mirrors: list[Annotated[str, Field(pattern=r"^(https?://[^/]|file://(localhost)?/)")]]
    retries: Annotated[int, Field(ge=0, le=20)]


class AugmentationParams(Section):
    crop_scale: _pair(PositiveShare)
    crop_ratio: _pair(Positive)
    flip: Share
    jitter: Share
    brightness: Share
    contrast: Share
    saturation: Share
    hue: Annotated[float, Field(ge=0, le=0.5)]
    grey: Share
    blur: Share
    blur_sigma: _pair(Positive)


class CacheViewsParams(Section):
    size: Annotated[int, Field(ge=8, le=1024)]
    train_images: Annotated[int, Field(ge=2)] | None
    test_images: Annotated[int, Field(ge=2)] | None
    test_fraction: InnerShare
    evaluate_on: Literal["test", "validation"]
    left_out: Share
    seed: AtLeast0
    per_image: AtLeast0
    test_per_image: Annotated[int, Field(ge=2)]
    augmentation: AugmentationParams


class BackboneParams(Section):
    name: Literal["resnet10", "resnet18", "resnet34", "resnet50"]
    width: Annotated[int, Field(ge=4, le=512)]
    stem: Literal["3x3", "3x3/2", "7x7"]


class ProjectorParams(Section):
    layers: Annotated[int, Field(ge=1, le=4)]
    hidden: AtLeast1
    out: Annotated[int, Field(ge=2)]


class PredictorParams(Section):
    hidden: AtLeast1


class ViSimSiamParams(Section):
    objective: Literal["decoupled", "beta", "warmup", "likelihood"]
    beta: Share
    warmup: InnerShare
    kappa_input: Literal["features", "projection"]
    kappa_hidden: AtLeast1
    kappa_gain: Positive
    kappa_detach: bool


class SimClrParams(Section):
    temperature: Positive


class DinoParams(Section):
    prototypes: Annotated[int, Field(ge=2)]
    student_temperature: Positive
    teacher_temperature: Positive
    teacher_momentum: Annotated[float, Field(ge=0, lt=1)]
    centre_momentum: Annotated[float, Field(ge=0, lt=1)]


class VaeParams(Section):
    latent: AtLeast1
    sigma: Positive


class PretrainParams(Section):
    """What one pretraining job gets; parts that its method does not use are None (see `resolve`)."""

    backbone: BackboneParams
    epochs: AtLeast1
    batch_size: Annotated[int, Field(ge=2)]
    lr: Positive
    momentum: Annotated[float, Field(ge=0, lt=1)]
    weight_decay: NonNegative
    warmup_epochs: AtLeast0
    precision: Literal["auto", "bf16", 32]
    threads: Annotated[int, Field(ge=1, le=1024)]
    devices: Annotated[int, Field(ge=1, le=1024)]
    sync_batchnorm: bool
    knn_every: AtLeast0
    projector: ProjectorParams | None = None
    predictor: PredictorParams | None = None
    vi_simsiam: ViSimSiamParams | None = None
    simclr: SimClrParams | None = None
    dino: DinoParams | None = None
    vae: VaeParams | None = None


class UntrainedParams(Section):
    """What the job of the untrained encoder gets: an encoder that never trains has no training parameters."""

    backbone: BackboneParams


class ProbeParams(Section):
    k: AtLeast1
    temperature: Positive
    C: Positive
    batch_size: AtLeast1


class GradedParams(Section):
    """Strengths of each graded augmentation; an empty list leaves it out."""

    brightness: list[NonNegative]
    contrast: list[NonNegative]
    saturation: list[NonNegative]
    hue: list[Annotated[float, Field(ge=0, le=0.5)]]
    grey: list[Share]
    blur: list[NonNegative]
    noise: list[NonNegative]
    occlusion: list[Share]


class UncertaintyParams(Section):
    crop_areas: Annotated[list[PositiveShare], Len(2)]
    graded: GradedParams
    ood: list[str]
    soft_labels: Annotated[str, Field(pattern=r"\.npy$")] | None
    seed: AtLeast0
    bootstrap: Annotated[int, Field(ge=100)]
    batch_size: AtLeast1


class PlotParams(Section):
    quantiles: Annotated[int, Field(ge=2, le=100)]
    grid_images: Annotated[int, Field(ge=1, le=400)]
    margin: InnerShare


class _PretrainSection(PretrainParams):
    """In the file every method's part must be there, so that the file shows all there is to change."""

    projector: ProjectorParams
    predictor: PredictorParams
    vi_simsiam: ViSimSiamParams
    simclr: SimClrParams
    dino: DinoParams
    vae: VaeParams


SECTIONS: dict[str, type[Section]] = {
    "download": DownloadParams,
    "cache_views": CacheViewsParams,
    "pretrain": _PretrainSection,
    "probe": ProbeParams,
    "uncertainty": UncertaintyParams,
    "plot": PlotParams,
}


def parse(step: str, job: Mapping[str, Any], method: str | None = None) -> Any:
    """The job's parameters (from `resolve`) as the step's frozen class, `UntrainedParams` for that method."""
    kind = {"pretrain": UntrainedParams if method == "untrained" else PretrainParams}.get(step, SECTIONS[step])
    try:
        return kind.model_validate(job)
    except ValidationError as error:
        raise Problem(f"parameters of step {step}: " + "; ".join(sentences(error, step))) from None


def sentences(error: ValidationError, where: str) -> Iterator[str]:
    """Every fault that pydantic found, as a sentence with its key (which begins with `where`), value and range."""
    for fault in error.errors():
        key = ".".join([where, *(str(part) for part in fault["loc"])])
        if fault["type"] == "extra_forbidden":
            yield f"{key}: unknown key"
        elif fault["type"] == "missing":
            yield f"{key}: missing"
        else:
            yield f"{key} = {shown(fault['input'])}: {fault['msg'][0].lower()}{fault['msg'][1:]}{_hint(fault)}"


def _hint(fault: Mapping[str, Any]) -> str:
    value = fault["input"]
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d+e[-+]?\d+", value, re.IGNORECASE):
        return f" (YAML reads {value} as text: write {float(value)!r})"
    return ""


def shown(value: Any) -> str:
    """A value as messages show it: not longer than a line."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
