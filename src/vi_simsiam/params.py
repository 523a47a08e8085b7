"""Parameters: their types, their ranges, and which job gets which.

`params.yaml` is the only home of values; this module is the only home of what they may be. It is imported by
the Snakefile on every call, so it needs nothing heavy.
"""

import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from annotated_types import Len
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vi_simsiam.errors import Problem

Method = Literal["untrained", "simsiam", "vi_simsiam", "vae"]
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


class _Section(BaseModel):
    # strict: `epochs: "60"` is a mistake worth hearing about, not something to convert silently.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class DownloadParams(_Section):
    source: str | None
    mirrors: list[Annotated[str, Field(pattern=r"^(https?://[^/]|file://(localhost)?/)")]]
    retries: Annotated[int, Field(ge=0, le=20)]


class AugmentationParams(_Section):
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


class CacheViewsParams(_Section):
    size: Annotated[int, Field(ge=8, le=1024)]
    train_images: Annotated[int, Field(ge=2)] | None
    test_images: Annotated[int, Field(ge=2)] | None
    test_fraction: InnerShare
    seed: AtLeast0
    per_image: AtLeast0
    test_per_image: Annotated[int, Field(ge=2)]
    augmentation: AugmentationParams


class BackboneParams(_Section):
    name: Literal["resnet10", "resnet18", "resnet34", "resnet50"]
    width: Annotated[int, Field(ge=4, le=512)]
    stem: Literal["3x3", "3x3/2", "7x7"]


class ProjectorParams(_Section):
    layers: Annotated[int, Field(ge=1, le=4)]
    hidden: AtLeast1
    out: Annotated[int, Field(ge=2)]


class PredictorParams(_Section):
    hidden: AtLeast1


class ViSimSiamParams(_Section):
    objective: Literal["decoupled", "beta", "warmup", "likelihood"]
    beta: Share
    warmup: InnerShare
    kappa_input: Literal["features", "projection"]
    kappa_hidden: AtLeast1
    kappa_gain: Positive
    kappa_detach: bool


class VaeParams(_Section):
    latent: AtLeast1
    sigma: Positive


class PretrainParams(_Section):
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
    knn_every: AtLeast0
    projector: ProjectorParams | None = None
    predictor: PredictorParams | None = None
    vi_simsiam: ViSimSiamParams | None = None
    vae: VaeParams | None = None


class UntrainedParams(_Section):
    """What the job of the untrained encoder gets: an encoder that never trains has no training parameters."""

    backbone: BackboneParams


class ProbeParams(_Section):
    k: AtLeast1
    temperature: Positive
    C: Positive
    batch_size: AtLeast1


class UncertaintyParams(_Section):
    crop_areas: Annotated[list[PositiveShare], Len(2)]
    seed: AtLeast0
    bootstrap: Annotated[int, Field(ge=100)]
    batch_size: AtLeast1


class PlotParams(_Section):
    quantiles: Annotated[int, Field(ge=2, le=100)]
    grid_images: Annotated[int, Field(ge=1, le=400)]


class _PretrainSection(PretrainParams):
    """In the file every method's part must be there, so that the file shows all there is to change."""

    projector: ProjectorParams
    predictor: PredictorParams
    vi_simsiam: ViSimSiamParams
    vae: VaeParams


_SECTIONS: dict[str, type[_Section]] = {
    "download": DownloadParams,
    "cache_views": CacheViewsParams,
    "pretrain": _PretrainSection,
    "probe": ProbeParams,
    "uncertainty": UncertaintyParams,
    "plot": PlotParams,
}
STEPS: tuple[str, ...] = tuple(_SECTIONS)
AXES = ("datasets", "methods", "seeds")

# Parts of `pretrain` that only some methods use. The others' jobs do not get them, so a change does not rerun those.
_USED_BY = {
    "projector": {"simsiam", "vi_simsiam"},
    "predictor": {"simsiam", "vi_simsiam"},
    "vi_simsiam": {"vi_simsiam"},
    "vae": {"vae"},
}

# A data set's name becomes a folder, a wildcard and a part of commands.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def load(path: str | Path = "params.yaml") -> dict[str, Any]:
    """Read and check a parameter file.

    Returns: the mapping as written, checked.
    Raises: Problem naming the file and every fault in it.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"{path} cannot be read: {error}") from None
    try:
        params = yaml.load(text, Loader=_StrictLoader)  # a SafeLoader: tags are refused
    except yaml.YAMLError as error:
        raise Problem(f"{path} is not valid YAML: {error}") from None
    check(params, str(path))
    return params


def check(params: Any, source: str = "params.yaml") -> None:
    """Raise a `Problem` that lists every fault: its key, its value, and what is allowed. `source` names the file."""
    faults = list(_faults(params))
    if faults:
        raise Problem(f"{source}: " + (faults[0] if len(faults) == 1 else "\n  - ".join(["", *faults])))


def resolve(params: Mapping[str, Any], step: str, dataset: str | None = None, method: str | None = None) -> dict:
    """The parameters of one job: the step's section, overridden by the data set's recipe.

    Args:
        params: the whole (checked) mapping.
        step: name of the step.
        dataset: name of a recipe; None for the step that is about all data sets (`plot`).
        method: for `pretrain`, the method, whose job gets only what it uses.
    """
    section = dict(params[step])
    if dataset is not None:
        section = _merged(section, (params["recipes"].get(dataset) or {}).get(step) or {})
    if step == "pretrain" and method is not None:
        if method == "untrained":
            section = {"backbone": section["backbone"]}
        section = {key: value for key, value in section.items() if method in _USED_BY.get(key, {method})}
    if step == "download" and section.get("source") is None:
        section["source"] = dataset
    return section


def parse(step: str, job: Mapping[str, Any], method: str | None = None) -> Any:
    """The job's parameters (from `resolve`) as the step's frozen class, `UntrainedParams` for that method."""
    kind = {"pretrain": UntrainedParams if method == "untrained" else PretrainParams}.get(step, _SECTIONS[step])
    try:
        return kind.model_validate(job)
    except ValidationError as error:
        raise Problem(f"parameters of step {step}: " + "; ".join(_sentences(error, step))) from None


def _faults(params: Any):
    if not isinstance(params, Mapping):
        yield f"the file must hold keys and values, not {_shown(params)}"
        return
    known = (*AXES, *_SECTIONS, "recipes")
    for key in params:
        if key not in known:
            yield f"{key}: unknown key{_nearest(str(key), known)}; known are {', '.join(known)}"
    for key in known:
        if key not in params:
            yield f"{key}: missing"
    recipes = params.get("recipes", {})
    if not isinstance(recipes, Mapping):
        yield f"recipes = {_shown(recipes)}: must map data set names to recipes"
        recipes = {}
    yield from _axis_faults(params, recipes)
    sound = {}
    for name, kind in _SECTIONS.items():
        if name in params:
            faults = list(_section_faults(kind, params[name], name))
            sound[name] = not faults
            yield from faults
    for name, recipe in recipes.items():
        yield from _recipe_faults(str(name), recipe, params, sound)


def _axis_faults(params: Mapping[str, Any], recipes: Mapping[str, Any]):
    allowed = {
        "datasets": (lambda v: v in recipes, f"one of the recipes {', '.join(map(str, recipes))}"),
        "methods": (lambda v: v in METHODS, f"one of {', '.join(METHODS)}"),
        "seeds": (lambda v: isinstance(v, int) and not isinstance(v, bool) and v >= 0, "a whole number >= 0"),
    }
    for axis, (accepts, sentence) in allowed.items():
        values = params.get(axis)
        if values is None and axis not in params:
            continue
        if not isinstance(values, list) or not values:
            yield f"{axis} = {_shown(values)}: must be a list with at least one entry, each {sentence}"
            continue
        for i, value in enumerate(values):
            if not isinstance(value, Hashable) or not accepts(value):
                yield f"{axis} = {_shown(value)}: must be {sentence}"
            elif value in values[:i]:
                yield f"{axis} = {_shown(value)}: stands in the list twice"


def _section_faults(kind: type[_Section], section: Any, name: str):
    try:
        kind.model_validate(section)
    except ValidationError as error:
        yield from _sentences(error, name)
        return
    if name.endswith("cache_views"):
        augmentation = section["augmentation"]
        for key in ("crop_scale", "crop_ratio", "blur_sigma"):
            low, high = augmentation[key]
            if low > high:
                yield f"{name}.augmentation.{key} = {_shown(augmentation[key])}: must rise, lowest value first"
        if section["per_image"] == 1:
            yield f"{name}.per_image = 1: must be 0 (fresh views) or at least 2 (training needs two)"


def _recipe_faults(name: str, recipe: Any, params: Mapping[str, Any], sound: Mapping[str, bool]):
    where = f"recipes.{name}"
    if not _NAME.fullmatch(name):
        yield f"{where}: a name is made of letters, digits, '_', '-' and '.', and begins with a letter or digit"
    if recipe is None:
        return
    if not isinstance(recipe, Mapping):
        yield f"{where} = {_shown(recipe)}: must hold sections ({', '.join(_SECTIONS)})"
        return
    for step, override in recipe.items():
        if step not in _SECTIONS or step == "plot":
            choices = [known for known in _SECTIONS if known != "plot"]
            yield f"{where}.{step}: unknown section{_nearest(str(step), choices)}; known are {', '.join(choices)}"
        elif override is not None and not isinstance(override, Mapping):
            yield f"{where}.{step} = {_shown(override)}: must hold keys of section {step}"
        elif sound.get(step):
            yield from _section_faults(_SECTIONS[step], _merged(params[step], override or {}), f"{where}.{step}")


def _sentences(error: ValidationError, where: str):
    for fault in error.errors():
        key = ".".join([where, *(str(part) for part in fault["loc"])])
        if fault["type"] == "extra_forbidden":
            yield f"{key}: unknown key"
        elif fault["type"] == "missing":
            yield f"{key}: missing"
        else:
            yield f"{key} = {_shown(fault['input'])}: {fault['msg'][0].lower()}{fault['msg'][1:]}{_hint(fault)}"


def _hint(fault: Mapping[str, Any]) -> str:
    value = fault["input"]
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d+e[-+]?\d+", value, re.IGNORECASE):
        return f" (YAML reads {value} as text: write {float(value)!r})"
    return ""


def _nearest(word: str, choices) -> str:
    from difflib import get_close_matches

    found = get_close_matches(word, list(choices), n=1)
    return f" (did you mean {found[0]}?)" if found else ""


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _merged(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the values of `override`, section by section; neither is changed."""
    out = dict(base)
    for key, value in override.items():
        both = isinstance(value, Mapping) and isinstance(out.get(key), Mapping)
        out[key] = _merged(out[key], value) if both else value
    return out


class _StrictLoader(yaml.SafeLoader):
    """A SafeLoader that refuses a key given twice (YAML would silently keep the last)."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen: set = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable) or key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} stands twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)
