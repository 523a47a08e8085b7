"""Types, ranges and rules of the parameters.

`params.yaml` is the only home of values; this module is the only home of what they may be. A job gets its parameters as
`vi_simsiam.config.loading.resolve` made them and turns them into a frozen class with `parse`.

A new method is a row of `PARTS` and the module of its name in `vi_simsiam/methods`. Parameters of its own are a class
here, a field of `PretrainParams` and a section in params.yaml. `loading.check` names what of these is missing.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, get_args

from annotated_types import Len
from pydantic import Field, ValidationError, ValidationInfo, create_model, field_validator, model_validator

from vi_simsiam.config import reading
from vi_simsiam.config.alterations import CorruptionsParams, GradedParams
from vi_simsiam.config.encoders import BackboneParams
from vi_simsiam.config.fields import (
    AtLeast0,
    AtLeast1,
    InnerShare,
    NonNegative,
    Positive,
    PositiveShare,
    Section,
    Share,
    Width,
    number_range,
)
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.text import brief

# Each method with the sections of `pretrain` that its jobs get beside what all trainings share. A change of another
# section does not rerun them.
PARTS: dict[str, tuple[str, ...]] = {
    "untrained": (),
    "simsiam": ("projector", "predictor"),
    "vi_simsiam": ("projector", "predictor", "vi_simsiam"),
    "simclr": ("projector", "simclr"),
    "dino": ("projector", "dino"),
    "vae": ("vae",),
    "mcinfonce": ("projector", "mcinfonce"),
    "temperature": ("projector", "temperature"),
    "concentration": ("projector", "simclr", "concentration"),
    "exponential": ("projector", "predictor", "exponential"),
}
METHODS: tuple[str, ...] = tuple(PARTS)


class DownloadParams(Section):
    source: str | None
    path: Annotated[str, Field(min_length=1)] | None
    classes: Annotated[str, Field(min_length=1)] | None
    mirrors: list[Annotated[str, Field(pattern=r"^(https?://[^/]|file://(localhost)?/)")]]
    retries: Annotated[int, Field(ge=0, le=20)]

    @field_validator("classes")
    @classmethod
    def _of_a_path(cls, classes: str | None, others: ValidationInfo) -> str | None:
        if classes is not None and others.data.get("path", "") is None:
            raise ValueError("chooses among the folders of `path`, which is null")
        return classes

    @model_validator(mode="after")
    def _one_place(self) -> "DownloadParams":
        if self.path is not None and self.source not in (None, "files"):  # which `resolve` sets
            raise ValueError("source and path exclude each other; leave one of them null")
        return self


class AugmentationParams(Section):
    crop_scale: number_range(PositiveShare)
    crop_ratio: number_range(Positive)
    flip: Share
    jitter: Share
    brightness: Share
    contrast: Share
    saturation: Share
    hue: Annotated[float, Field(ge=0, le=0.5)]
    grey: Share
    blur: Share
    blur_sigma: number_range(Positive)
    noise: Share = 0.0  # stores of earlier versions do not say
    noise_sigma: number_range(PositiveShare) = Field(default=[0.02, 0.2])


class CacheViewsParams(Section):
    size: Annotated[int, Field(ge=8, le=1024)]
    train_images: Annotated[int, Field(ge=2)] | None
    test_images: Annotated[int, Field(ge=2)] | None
    test_fraction: InnerShare
    evaluate_on: Literal["test", "validation"]
    left_out: Share
    depth: Literal["auto"] | Annotated[int, Field(ge=8, le=16)]
    seed: AtLeast0
    per_image: AtLeast0
    test_per_image: Annotated[int, Field(ge=2)]
    augmentation: AugmentationParams

    @field_validator("per_image")
    @classmethod
    def _two_views(cls, count: int) -> int:
        if count == 1:
            raise ValueError("must be 0 (fresh views) or at least 2 (training needs two)")
        return count


class ProjectorParams(Section):
    layers: Annotated[int, Field(ge=1, le=4)]
    hidden: Width
    out: Annotated[int, Field(ge=2, le=1 << 20)]


class PredictorParams(Section):
    hidden: Width


class ViSimSiamParams(Section):
    objective: Literal["decoupled", "beta", "warmup", "likelihood"]
    beta: Share
    warmup: InnerShare
    kappa_input: Literal["features", "projection"]
    kappa_hidden: Width
    kappa_gain: Positive
    kappa_detach: bool


class SimClrParams(Section):
    temperature: Positive


class DinoParams(Section):
    prototypes: Annotated[int, Field(ge=2, le=1 << 20)]
    student_temperature: Positive
    teacher_temperature: Positive
    teacher_momentum: Annotated[float, Field(ge=0, lt=1)]
    centre_momentum: Annotated[float, Field(ge=0, lt=1)]


class VaeParams(Section):
    latent: Width
    sigma: Positive


class ScalarHeadParams(Section):
    hidden: Width
    gain: Positive


class McInfoNceParams(ScalarHeadParams):
    samples: Annotated[int, Field(ge=1, le=4096)]
    critic: Positive
    expected_cosine: InnerShare


class TemperatureParams(ScalarHeadParams):
    lowest: Positive


class ConcentrationParams(ScalarHeadParams):
    weight: Positive
    l2: NonNegative


class ExponentialParams(ScalarHeadParams):
    pass


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
    nodes: Annotated[int, Field(ge=1, le=1024)] = 1  # models from before it was a parameter have one
    sync_batchnorm: bool
    compile: bool = False  # models of earlier versions do not say, here and below
    cuda_graph: bool = True
    knn_every: AtLeast0
    projector: ProjectorParams | None = None
    predictor: PredictorParams | None = None
    vi_simsiam: ViSimSiamParams | None = None
    simclr: SimClrParams | None = None
    dino: DinoParams | None = None
    vae: VaeParams | None = None
    mcinfonce: McInfoNceParams | None = None
    temperature: TemperatureParams | None = None
    concentration: ConcentrationParams | None = None
    exponential: ExponentialParams | None = None

    @property
    def processes(self) -> int:
        """That train together, on all machines."""
        return self.devices * self.nodes


class UntrainedParams(Section):
    """What the job of the untrained encoder gets: an encoder that never trains has no training parameters."""

    backbone: BackboneParams


class ProbeParams(Section):
    k: AtLeast1
    temperature: Positive
    C: Positive
    batch_size: AtLeast1


class UncertaintyParams(Section):
    crop_areas: Annotated[list[PositiveShare], Len(2)]
    graded: GradedParams
    corruptions: CorruptionsParams
    ood: list[str]
    soft_labels: Annotated[str, Field(pattern=r"\.npy$")] | None
    seed: AtLeast0
    bootstrap: Annotated[int, Field(ge=100)]
    batch_size: AtLeast1


class PlotParams(Section):
    quantiles: Annotated[int, Field(ge=2, le=100)]
    grid_images: Annotated[int, Field(ge=1, le=400)]
    margin: InnerShare


# Sections of `pretrain` that only some methods use.
METHOD_SECTIONS: tuple[str, ...] = tuple(
    name for name, field in PretrainParams.model_fields.items() if field.default is None
)
# In the file each of them must be there, so that the file shows all there is to change.
_PretrainSection = create_model(
    "_PretrainSection",
    __base__=PretrainParams,
    **{name: (get_args(PretrainParams.model_fields[name].annotation)[0], ...) for name in METHOD_SECTIONS},
)


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
            section = isinstance(fault["input"], Mapping)
            yield f"{key}: unknown key" + section * ", and config/schema.py has no class for such a section"
        elif fault["type"] == "value_error" and isinstance(fault["input"], Mapping | Section):  # rule of a section
            yield f"{key}: {fault['ctx']['error']}"
        elif fault["type"] == "value_error":
            yield f"{key} = {brief(fault['input'])}: {fault['ctx']['error']}"
        elif fault["type"] == "missing":
            yield f"{key}: missing"
        else:
            yield f"{key} = {brief(fault['input'])}: {fault['msg'][0].lower()}{fault['msg'][1:]}{_hint(fault)}"


def _hint(fault: Mapping[str, Any]) -> str:
    value = fault["input"]
    if isinstance(value, str) and (number := reading.number(value)) is not None:
        return f" ({reading.written(value)} is text: write {reading.written(number)})"
    quotes = fault["type"] == "string_type" and not isinstance(value, list | Mapping | None)
    return " (text that looks like something else is written in quotes)" * quotes
