"""Types, ranges and rules of the parameters.

`params.yaml` has the values and their meanings, recipes/rank.yaml the values of `vi-simsiam rank`. Here are the values
that are allowed: `Params` is the whole of params.yaml. A job gets its parameters from
`vi_simsiam.config.loading.resolve` and turns them into a frozen class with `parse`.

A new method is the module of its name in `vi_simsiam/methods`, a class here with the sections of `pretrain` that its
jobs get, and a row of `METHOD_PARAMS`. `loading.check` names the place that is missing.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, overload

from annotated_types import Len
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)

from vi_simsiam.core.errors import Problem
from vi_simsiam.core.text import nearest, shorten

STEPS = ("download", "cache_views", "pretrain", "probe", "uncertainty", "plot")
METHOD_MODULES = Path(__file__).parents[1] / "methods"

RESNETS = ("resnet10", "resnet18", "resnet34", "resnet50")  # of this project, with any width
LITE = "efficientnet_lite0"  # its weights are a package
TIMM = "timm/"  # beginning of the names of timm's encoders
PRETRAINED = "pretrained"  # value of `weights`: those published with the encoder

# Corruptions of CIFAR-10-C in vi_simsiam.evaluation.corruptions.
Corruption = Literal[
    "gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur", "motion_blur", "zoom_blur", "snow",
    "fog", "brightness", "contrast", "elastic_transform", "pixelate", "jpeg_compression",
]  # fmt: skip
CORRUPTIONS: tuple[str, ...] = get_args(Corruption)


def _in_order(values: list[Any]) -> list[Any]:
    if values[0] > values[1]:
        raise ValueError("must rise, lowest value first")
    return values


def _rising(values: list[Any]) -> list[Any]:
    if any(a >= b for a, b in pairwise(values)):
        raise ValueError("must rise, weakest first")
    return values


def _unique(values: list[Any]) -> list[Any]:
    if twice := [value for i, value in enumerate(values) if value in values[:i]]:
        raise ValueError(f"duplicate entry {twice[0]!r}")
    return values


def _recipe_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):  # names become folders, wildcards and parts of commands
        raise ValueError("a name has letters, digits, '_', '-' and '.', and begins with a letter or digit")
    return name


def _known_recipe(name: str, info: ValidationInfo) -> str:
    recipes = (info.context or {}).get("recipes", [name])  # without a context, as in a job, any name is known
    if name not in recipes:
        raise ValueError(f"must be one of the recipes {', '.join(map(str, recipes))}{nearest(name, recipes)}")
    return name


def _known_method(name: str) -> str:
    if name not in METHOD_PARAMS:
        module = name.isidentifier() and (METHOD_MODULES / f"{name}.py").is_file()
        row = f" (methods/{name}.py exists: add its row to METHOD_PARAMS in config/schema.py)" * module
        raise ValueError(f"must be one of {', '.join(METHODS)}{row or nearest(name, METHODS)}")
    return name


def _known_encoder(name: str) -> str:
    if name not in (*RESNETS, LITE) and not (name.startswith(TIMM) and len(name) > len(TIMM)):
        names = (*RESNETS, LITE)
        raise ValueError(f"must be one of {', '.join(map(repr, names))}, or timm/<model>{nearest(name, names)}")
    return name


T = TypeVar("T")
AtLeast0 = Annotated[int, Field(ge=0)]
AtLeast1 = Annotated[int, Field(ge=1)]
Width = Annotated[int, Field(ge=1, le=1 << 20)]  # of a layer
Positive = Annotated[float, Field(gt=0, le=1e15)]  # far beyond use, and within single precision
NonNegative = Annotated[float, Field(ge=0, le=1e15)]
Doublings = Annotated[float, Field(ge=0, le=32)]  # at 8, images of 8 bits become black and white; far beyond, NaN
Pixels = Annotated[float, Field(ge=0, le=1024)]
Share = Annotated[float, Field(ge=0, le=1)]
PositiveShare = Annotated[float, Field(gt=0, le=1)]
InnerShare = Annotated[float, Field(gt=0, lt=1)]
NonEmpty = Annotated[str, Field(min_length=1)]
Range = Annotated[list[T], Len(2, 2), AfterValidator(_in_order)]
Strengths = Annotated[list[T], AfterValidator(_rising)]
Unique = Annotated[list[T], AfterValidator(_unique)]
Dataset = Annotated[str, AfterValidator(_known_recipe)]


class Section(BaseModel):
    # strict: `epochs: "60"` is reported as a mistake, not converted.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class DownloadParams(Section):
    source: str | None
    path: NonEmpty | None
    classes: NonEmpty | None
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
        if self.path is not None and self.source not in (None, "files"):  # "files": set by `resolve`
            raise ValueError("source and path exclude each other; leave one of them null")
        return self


class AugmentationParams(Section):
    crop_scale: Range[PositiveShare]
    crop_ratio: Range[Positive]
    flip: Share
    jitter: Share
    brightness: Share
    contrast: Share
    saturation: Share
    hue: Annotated[float, Field(ge=0, le=0.5)]
    grey: Share
    blur: Share
    blur_sigma: Range[Positive]
    noise: Share = 0.0  # stores of earlier versions do not say
    noise_sigma: Range[PositiveShare] = Field(default=[0.02, 0.2])


class CacheViewsParams(Section):
    size: Annotated[int, Field(ge=8, le=1024)]
    train_images: Annotated[int, Field(ge=2)] | None
    test_images: Annotated[int, Field(ge=2)] | None
    test_fraction: InnerShare
    groups: NonEmpty | None = None
    labels: bool = True
    evaluate_on: Literal["test", "validation"]
    left_out: Share
    depth: Literal["auto"] | Annotated[int, Field(ge=8, le=16)]
    seed: AtLeast0
    per_image: AtLeast0
    least_views: AtLeast0 = 0  # results of earlier versions do not have it
    test_per_image: Annotated[int, Field(ge=2)]
    augmentation: AugmentationParams

    @field_validator("groups")
    @classmethod
    def _pattern(cls, groups: str | None) -> str | None:
        try:
            if groups is not None and re.compile(groups).groups > 1:
                raise ValueError("has more than one part in parentheses; the one that names the group is enough")
        except re.error as error:
            raise ValueError(f"is no regular expression: {error}") from None
        return groups

    @field_validator("per_image")
    @classmethod
    def _two_views(cls, count: int) -> int:
        if count == 1:
            raise ValueError("must be 0 (fresh views) or at least 2 (training needs two)")
        return count


class BackboneParams(Section):
    """The encoder. A job gets no entry that has its default (see `encoders.used`).

    Attributes:
        name: of RESNETS, LITE, or timm/<model>.
        width, stem: of a ResNet of the project.
        weights: null, `pretrained`, a file, or the folder of a trained model.
        size: height and width in pixels to which images are resized for the encoder; None: the size that timm
            states, or that of the trained model whose folder is named as weights; other ResNets resize nothing.
        frozen: True leaves the encoder as its weights are, and trains only the layers after it.
        lr_factor: the encoder's learning rate as a multiple of that of the layers after it.
    """

    name: Annotated[str, AfterValidator(_known_encoder)]
    width: Annotated[int, Field(ge=4, le=512)] | None = None
    stem: Literal["3x3", "3x3/2", "7x7"] | None = None
    weights: NonEmpty | None = None
    size: Annotated[int, Field(ge=8, le=1024)] | None = None
    frozen: bool = False
    lr_factor: Positive = 1.0

    @model_validator(mode="after")
    def _of_one_kind(self) -> "BackboneParams":
        if self.name in RESNETS and (self.width is None or self.stem is None):
            raise ValueError(f"{self.name} needs width and stem")
        if self.name in RESNETS and self.weights == PRETRAINED:
            raise ValueError(
                f"no weights were published for {self.name} of this project: name a file or the folder of a trained "
                "model, or take timm/<model>"
            )
        if self.frozen and self.weights is None:
            raise ValueError("frozen keeps the encoder as it is, and without weights it is random: name weights")
        return self


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


class UntrainedParams(Section):
    """Parameters of the untrained encoder's job: an encoder that never trains has no training parameters."""

    backbone: BackboneParams


class PretrainParams(Section):
    """Parameters that all trainings share; a method's class adds the sections of the method."""

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
    cuda_graph: bool = True  # models of earlier versions do not have it
    knn_every: AtLeast0
    least_steps: AtLeast0 = 0  # models of earlier versions do not have it

    @property
    def processes(self) -> int:
        """Number of processes that train together, on all machines."""
        return self.devices * self.nodes


class ProjectedTraining(PretrainParams):
    projector: ProjectorParams


class SimSiamTraining(ProjectedTraining):
    predictor: PredictorParams


class ViSimSiamTraining(SimSiamTraining):
    vi_simsiam: ViSimSiamParams


class SimClrTraining(ProjectedTraining):
    simclr: SimClrParams


class DinoTraining(ProjectedTraining):
    dino: DinoParams


class VaeTraining(PretrainParams):
    vae: VaeParams


class McInfoNceTraining(ProjectedTraining):
    mcinfonce: McInfoNceParams


class TemperatureTraining(ProjectedTraining):
    temperature: TemperatureParams


class ConcentrationTraining(SimClrTraining):
    concentration: ConcentrationParams


class ExponentialTraining(SimSiamTraining):
    exponential: ScalarHeadParams


# Parameters of each method's jobs. A change of other parameters of `pretrain` reruns none of them.
METHOD_PARAMS: dict[str, type[PretrainParams] | type[UntrainedParams]] = {
    "untrained": UntrainedParams,
    "simsiam": SimSiamTraining,
    "vi_simsiam": ViSimSiamTraining,
    "simclr": SimClrTraining,
    "dino": DinoTraining,
    "vae": VaeTraining,
    "mcinfonce": McInfoNceTraining,
    "temperature": TemperatureTraining,
    "concentration": ConcentrationTraining,
    "exponential": ExponentialTraining,
}
METHODS: tuple[str, ...] = tuple(METHOD_PARAMS)


class ProbeParams(Section):
    k: AtLeast1
    temperature: Positive
    C: Positive
    batch_size: AtLeast1


class GradedParams(Section):
    """Strengths of each graded augmentation; an empty list leaves it out."""

    brightness: Strengths[Doublings]
    contrast: Strengths[Doublings]
    saturation: Strengths[Doublings]
    hue: Strengths[Annotated[float, Field(ge=0, le=0.5)]]
    grey: Strengths[Share]
    blur: Strengths[Pixels]
    noise: Strengths[NonNegative]
    occlusion: Strengths[Share]


class CorruptionsParams(Section):
    """Names and severities of the corruptions, and the number of test images that they alter (None: all)."""

    names: Unique[Corruption]
    severities: Annotated[Strengths[Annotated[int, Field(ge=1, le=5)]], Len(1)]
    images: AtLeast1 | None


class UncertaintyParams(Section):
    crop_areas: Annotated[list[PositiveShare], Len(2)]
    graded: GradedParams
    corruptions: CorruptionsParams
    ood: Unique[Dataset]
    soft_labels: Annotated[str, Field(pattern=r"\.npy$")] | None
    seed: AtLeast0
    bootstrap: Annotated[int, Field(ge=100)]
    batch_size: AtLeast1


class PlotParams(Section):
    quantiles: Annotated[int, Field(ge=2, le=100)]
    grid_images: Annotated[int, Field(ge=1, le=400)]
    margin: InnerShare


# params.yaml has the sections of all methods, so it shows everything that can be changed.
_METHOD_SECTIONS: dict[str, Any] = {
    name: (field.annotation, field)
    for params in METHOD_PARAMS.values()
    for name, field in params.model_fields.items()
    if name not in PretrainParams.model_fields
}
PretrainSection = create_model("PretrainSection", __base__=PretrainParams, **_METHOD_SECTIONS)


class Recipe(Section):
    """A data set's recipe. The sections that it changes are complete: `loading.check` adds the inherited values."""

    like: str | None = None
    download: DownloadParams | None = None
    cache_views: CacheViewsParams | None = None
    pretrain: PretrainSection | None = None  # type: ignore[valid-type]
    probe: ProbeParams | None = None
    uncertainty: UncertaintyParams | None = None


class Params(Section):
    """The whole of params.yaml."""

    datasets: Annotated[Unique[Dataset], Len(1)]
    methods: Annotated[Unique[Annotated[str, AfterValidator(_known_method)]], Len(1)]
    seeds: Annotated[Unique[AtLeast0], Len(1)]
    download: DownloadParams
    cache_views: CacheViewsParams
    pretrain: PretrainSection  # type: ignore[valid-type]  # made from METHOD_PARAMS
    probe: ProbeParams
    uncertainty: UncertaintyParams
    plot: PlotParams
    recipes: dict[Annotated[str, AfterValidator(_recipe_name)], Recipe]


@overload
def parse(step: Literal["download"], job: Mapping[str, Any]) -> DownloadParams: ...
@overload
def parse(step: Literal["cache_views"], job: Mapping[str, Any]) -> CacheViewsParams: ...
@overload
def parse(step: Literal["pretrain"], job: Mapping[str, Any], method: str) -> PretrainParams | UntrainedParams: ...
@overload
def parse(step: Literal["probe"], job: Mapping[str, Any]) -> ProbeParams: ...
@overload
def parse(step: Literal["uncertainty"], job: Mapping[str, Any]) -> UncertaintyParams: ...
@overload
def parse(step: Literal["plot"], job: Mapping[str, Any]) -> PlotParams: ...


def parse(step: str, job: Mapping[str, Any], method: str | None = None) -> Section:
    """Make the frozen class of a job's parameters.

    Args:
        step: name of the step.
        job: parameters from `loading.resolve`.
        method: of a job of `pretrain`; its row of METHOD_PARAMS is the class.

    Raises: Problem that lists every fault.
    """
    kind: Any = Params.model_fields[step].annotation
    if step == "pretrain":
        if method not in METHOD_PARAMS:
            raise Problem(f"{method}: no such method{nearest(str(method), METHODS)}; known are {', '.join(METHODS)}")
        kind = METHOD_PARAMS[method]
    try:
        return kind.model_validate(job)
    except ValidationError as error:
        raise Problem(f"parameters of step {step}: " + "; ".join(sentences(error, kind, step))) from None


def sentences(error: ValidationError, kind: type[Section], where: str = "") -> Iterator[str]:
    """Write each fault that pydantic found as a sentence with the key, the value and what is allowed.

    Args:
        error: of validating `kind`.
        where: key of the validated section, put before all keys.

    Faults in a recipe's section are left out where the section of params.yaml has faults: the recipe inherits them.
    """
    faulty = {fault["loc"][0] for fault in error.errors()} if kind is Params else set()
    for fault in error.errors():
        loc, above, root = fault["loc"], [where] if where else [], kind
        if kind is Params and loc[0] == "recipes" and loc[2:] and loc[2] != "[key]":
            above, loc, root = ["recipes", str(loc[1])], loc[2:], Recipe
            if loc[0] in faulty:
                continue
        key, fields = _place(loc, root)
        yield ".".join(filter(None, [*above, key])) + _said(fault, key, fields)


def _place(loc: tuple[int | str, ...], kind: type[Section] | None) -> tuple[str, list[str]]:
    """The key of a fault, below `kind`, and the fields of the section that it is in."""
    keys, fields = [], []
    for part in loc:
        if isinstance(part, int):
            keys.append(str(part))
            kind = None
        elif kind is not None:  # else the type that pydantic tried, where there are several, or "[key]"
            keys.append(part)
            fields = list(kind.model_fields)
            annotation = kind.model_fields[part].annotation if part in fields else None
            kinds = (annotation, *get_args(annotation))  # the latter of an optional section
            kind = next((k for k in kinds if isinstance(k, type) and issubclass(k, Section)), None)
    return ".".join(keys), fields


def _said(fault: Any, key: str, fields: list[str]) -> str:
    """The part of a sentence after the key."""
    kind, value = fault["type"], fault["input"]
    if kind == "missing":
        return ": missing"
    if kind == "extra_forbidden":
        name = key.rpartition(".")[2]
        hint = nearest(name, fields)
        if not hint and isinstance(value, Mapping) and name not in STEPS:
            hint = ", and config/schema.py has no class for such a section"
        return f": unknown key{hint}; known are {', '.join(fields)}"
    if kind == "value_error" and isinstance(value, Mapping | Section):  # rule of a section
        return f": {fault['ctx']['error']}"
    if kind in ("model_type", "dict_type"):
        return f" = {shorten(value)}: must hold keys and values"
    if kind == "value_error":
        return f" = {shorten(value)}: {fault['ctx']['error']}"
    return f" = {shorten(value)}: {fault['msg'][0].lower()}{fault['msg'][1:]}{_hint(kind, value, fault.get('ctx', {}))}"


def _hint(kind: str, value: Any, context: Mapping[str, Any]) -> str:
    if kind == "literal_error" and isinstance(value, str):
        return nearest(value, re.findall(r"'([^']*)'", context["expected"]))
    if kind == "string_type" and not isinstance(value, list | Mapping | None):
        return " (text that looks like something else is written in quotes)"
    if kind == "bool_type" and isinstance(value, str):
        return " (write true or false, without quotes)"
    if isinstance(value, str) and re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?", value.strip(), re.IGNORECASE):
        return " (write a number without quotes)"
    return ""
