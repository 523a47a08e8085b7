"""VI-SimSiam's heads on a frozen encoder, trained without labels on the photographs to rank."""

import io
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from pydantic import ValidationError

from vi_simsiam.cli.rank.encoding import AUGMENTATION, Encoder
from vi_simsiam.config import loading
from vi_simsiam.config.encoder_params import MODEL_FILES, meant, weights_checksum
from vi_simsiam.config.schema import (
    LITE,
    PRETRAINED,
    RESNETS,
    TIMM,
    BackboneParams,
    UntrainedParams,
    parse,
    sentences,
)
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.files import read_json, replacing
from vi_simsiam.core.record import NAME, RunRecord, new_result
from vi_simsiam.core.text import nearest
from vi_simsiam.data.store import RowView, SplitName
from vi_simsiam.methods import ImageSpec, Method, build, encoders
from vi_simsiam.models import reference, saved
from vi_simsiam.training import trainer
from vi_simsiam.training.alarms import TrainingAlarm
from vi_simsiam.training.history import HISTORY
from vi_simsiam.transforms.views import Views

METHOD = "vi_simsiam"
LITE_SIZE = 96  # pixels: a fifth of the computation of 224
# Fewest steps and epochs: measured on folders of 300 to 10,000 images (docs/choosing_parameters.md).
_STEPS, _EPOCHS = 800, 16
_BATCH = 64  # largest batch
_RECIPE = Path(loading.__file__).parent / "recipes" / "rank.yaml"


@dataclass(frozen=True)
class Images:
    """Stored photographs as training images: a `data.store.TrainingImages`.

    Attributes, beside those of a Store:
        encoder: of the photographs.
        rows: (N,) of the photographs in its store.
        features: (N, V, dim) float16 of their views.
        mean, std: not used, because the frozen encoder has its own.
    """

    encoder: Encoder
    rows: np.ndarray
    features: np.ndarray | RowView
    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.5,)

    @property
    def size(self) -> int:
        return self.encoder.model.images.size

    @property
    def channels(self) -> int:
        return self.encoder.model.images.channels

    @property
    def depth(self) -> int:
        return self.encoder.model.images.depth

    def array(self, name: str) -> RowView:
        return RowView(self.encoder.store.array(name), self.rows)

    def images(self, split: SplitName) -> RowView:
        return self.array("pixels")

    def views(self, split: SplitName) -> np.ndarray | RowView:
        return self.features

    def labels(self, split: SplitName) -> np.ndarray:
        return np.full(len(self.rows), -1)


def backbone(name: str, size: int | None) -> BackboneParams:
    """Parameters of the frozen encoder that `--encoder` names.

    Args:
        name: efficientnet_lite0, timm/<model>, or the folder of a trained model.
        size: side of its input in pixels; None: LITE_SIZE for efficientnet_lite0, the encoder's default for others.

    Raises: Problem with the nearest names for an unknown one; where a package is missing.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        missing = [file for file in (*MODEL_FILES, NAME) if not (folder / file).is_file()]
        if missing:
            raise Problem(f"--encoder {name}: not a trained model's folder, {missing[0]} is missing{meant(folder)}.")
        theirs = read_json(folder / "model.json")["params"]["backbone"]
        params = {key: theirs[key] for key in ("name", "width", "stem") if key in theirs} | {"weights": str(folder)}
    elif name == LITE or name.startswith(TIMM):
        params = {"name": name, "weights": PRETRAINED}
        size = LITE_SIZE if size is None and name == LITE else size
    else:
        hint = meant(folder) or nearest(name, (LITE, *(TIMM + model for model in RESNETS)))
        raise Problem(
            f"--encoder {name}: there is no such encoder or folder{hint}. Name {LITE}, timm/<model>, or the folder of "
            "a trained model."
        )
    try:
        return BackboneParams(**params, size=size, frozen=True)
    except ValidationError as error:
        raise Problem(f"--encoder {name}: {'; '.join(sentences(error, BackboneParams, 'it'))}.") from None


def encoder(params: BackboneParams, device: torch.device, depth: int) -> Method:
    """Build the frozen encoder with its weights, on the device and in evaluation mode.

    Args:
        depth: bits that 16-bit grey images use, 8 to 16.

    Raises: Problem for an unknown model of timm, weights that are not installed, cannot be fetched or do not fit.
    """
    try:
        weights_checksum(params.name, params.weights)  # reports a missing package before any work
        preprocessing = encoders.preprocessing(params)
        size, channels = preprocessing["input_size"], len(preprocessing["mean"])
        model = build(
            "untrained", UntrainedParams(backbone=params), ImageSpec(size, channels, depth=depth, **preprocessing)
        )
        weights = encoders.initial_weights(params, size)
        assert weights is not None  # because `backbone` names some
        model.load_encoder_weights(*weights)
    except Problem as problem:
        key = f"pretrain.backbone.name = {params.name}: "
        raise Problem(f"--encoder {params.name}: {str(problem).replace(key, '')}") from None
    return model.eval().to(device, memory_format=torch.channels_last)


def train(
    params: BackboneParams, images: Images, seed: int, device: torch.device, folder: Path, steps: int | None = None
) -> dict[str, Any]:
    """Train the heads on the photographs' features and write the model's folder, as the step `pretrain` does.

    Args:
        params: of the encoder.
        images: at least two.
        seed: of the heads' weights and of the order of the photographs.
        folder: an earlier model in it is replaced.
        steps: of the training, rounded up to whole epochs; None: `_STEPS` or `_EPOCHS`, whichever takes longer.

    Returns: "epochs", "steps" and "batch" (photographs). Raises: Problem when an alarm stops the training.
    """
    count = len(images.rows)
    batch = min(_BATCH, 1 << max(1, (count // 2).bit_length() - 1))
    per_epoch = count // batch
    epochs = max(_EPOCHS, -(-_STEPS // per_epoch)) if steps is None else -(-steps // per_epoch)
    job = {
        **loading.read(_RECIPE)["pretrain"],
        "backbone": params.model_dump(exclude_defaults=True),
        "epochs": epochs,
        "batch_size": batch,
        "warmup_epochs": epochs // 10,
    }
    record = RunRecord("rank", job, seed=seed)
    before = torch.get_num_threads()
    try:
        with redirect_stdout(io.StringIO()):  # drops the line per epoch, which history.csv has
            parsed = parse("pretrain", job, METHOD)
            views = Views(AUGMENTATION, images.size, images.channels)  # not drawn: the trainer reads stored ones
            model, history = trainer.pretrain(METHOD, parsed, images, views, seed, device=device)
    except TrainingAlarm as alarm:
        reason = str(alarm).partition(". ")[0]
        raise Problem(
            f"the heads cannot be trained on these photographs: {reason}. "
            "Name more photographs, a trained model with --run, or --no-kappa."
        ) from None
    finally:
        torch.set_num_threads(before)
    description = saved.describe(
        METHOD,
        job,
        model.images,
        seed=seed,
        classes=(),
        weights=weights_checksum(params.name, params.weights),
        software=encoders.software(params),
    )
    with new_result(folder) as out:
        saved.save(out, model, description)
        model.backbone = images.encoder.fast_model().backbone  # the one that has encoded the photographs
        reference.write(out, model, images, images.array("whole"), device)
        with replacing(out / "history.csv") as temporary:
            pd.DataFrame(history, columns=HISTORY).to_csv(temporary, index=False)
        record.write(out, str(device))
    return {"epochs": epochs, "steps": epochs * per_epoch, "batch": batch}
