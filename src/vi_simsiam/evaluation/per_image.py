"""The tables of step `uncertainty`: scores of test images by a frozen model, its probe and its training features."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from vi_simsiam.config.schema import UncertaintyParams
from vi_simsiam.data.store import Store
from vi_simsiam.evaluation import corruptions, graded, knn, scores
from vi_simsiam.evaluation.features import IMAGES_AT_ONCE, batches, images_to_score
from vi_simsiam.evaluation.human_labels import label_entropy
from vi_simsiam.evaluation.measures import Tables
from vi_simsiam.evaluation.salience import salience
from vi_simsiam.evaluation.scorer import Scorer, view_mean
from vi_simsiam.transforms.colour import luma
from vi_simsiam.transforms.resizing import resize
from vi_simsiam.transforms.spatial import to_uint8

_FEATURES = 10_000  # rows of features that are scored at once
_IMAGES = 1024  # of another data set that are resized at once
_NO_IMAGES = {"dataset": pd.Series(dtype=str), "index": pd.Series(dtype=np.int64)}


def evaluate(
    scorer: Scorer, store: Store, features: np.ndarray, others: Sequence[Store], params: UncertaintyParams
) -> Tables:
    """Score the store's test images as they are, cropped, altered and in views, and those of other data sets.

    Args:
        scorer: of the run.
        store: the run's data set.
        features: (n, dim) of its test images.
        others: stores whose test images are out of distribution.
        params: of the step.

    Raises: Problem when the soft labels do not fit the data set.
    """
    pictures, truth, size = store.images("test"), np.array(store.labels("test")), params.batch_size
    entropy = None if params.soft_labels is None else label_entropy(Path(params.soft_labels), store)  # fails early
    views = store.view_parameters("test").copy()
    views["label"] = truth[views["index"]]
    columns, agreement = scorer.score_views(store.views("test"), size)
    views = _judged(views, columns)

    whole = scorer.score_features(features, pictures, size)
    images = _judged(pd.DataFrame({"index": range(len(truth)), "label": truth}), whole)
    images["view_agreement"] = agreement
    if "kappa" in views:
        images["kappa_view_mean"] = view_mean(views["kappa"].to_numpy(), views["index"].to_numpy())
    if (truth >= 0).any():
        right = knn.neighbour_correct(torch.from_numpy(features), torch.from_numpy(truth))
        images["neighbour_correct"] = right.numpy()
    images = images.assign(**salience(pictures))
    if entropy is not None:
        images["label_entropy"] = entropy

    boxes = graded.graded_boxes(len(truth), params.crop_areas, store.size, params.seed)
    crops = pd.DataFrame(boxes).assign(label=truth[boxes["index"]])
    crops = _judged(crops, scorer.score(graded.crop_batches(pictures, boxes, size, scorer.input_device)))
    return Tables(
        images,
        crops,
        _graded(scorer, store, whole, params),
        views,
        _others(scorer, store, others, size),
        _corrupted(scorer, store, whole, params),
    )


@torch.no_grad()
def own_scores(scorer: Scorer, images: np.ndarray) -> pd.DataFrame:
    """A row per training image, uint8 (N, H, W, C): index, and the method's scores of the unaltered image.

    The model was trained on views of these images, so it may be more certain of them than of similar images.
    """
    model = scorer.model.eval()
    rows = IMAGES_AT_ONCE if model.scores_images else _FEATURES
    features, pixels = scorer.train_features.split(rows), images_to_score(model, images, rows)
    parts = [model.own_scores(part.to(scorer.device), some) for part, some in zip(features, pixels, strict=False)]
    columns = {name: torch.cat([part[name] for part in parts]).double().cpu().numpy() for name in parts[0]}
    return pd.DataFrame({"index": range(len(scorer.train_features)), **columns})


@torch.no_grad()
def neighbours(scorer: Scorer, features: np.ndarray) -> np.ndarray:
    """Rows of the k other images nearest to each in the cosine of the embeddings, nearest first: (n, k) int32.

    Args:
        features: (n, dim) of the images; k is the scorer's, or n - 1 if that is less.
    """
    parts = torch.from_numpy(features).split(_FEATURES)
    directions = torch.cat([scorer.model.embedding(part.to(scorer.device)) for part in parts])
    nearest = knn.neighbours(directions, directions, scorer.k, leave_one_out=True)[1]
    return nearest.cpu().numpy().astype(np.int32)


def _graded(scorer: Scorer, store: Store, whole: dict[str, np.ndarray], params: UncertaintyParams) -> pd.DataFrame:
    """A row per image, augmentation and strength; strength 0 of each is the untouched image, scored once."""
    augmentations = graded.Augmentations(store.images("test"), params.seed, scorer.input_device)
    rows = pd.DataFrame({"index": np.arange(len(store.labels("test"))), "label": np.array(store.labels("test"))})
    steps = graded.steps(params.graded.model_dump(), store.channels)
    changed = partial(augmentations.batches, batch_size=params.batch_size)
    return _altered(scorer, rows, whole, ("augmentation", "strength"), steps, changed)


def _corrupted(scorer: Scorer, store: Store, whole: dict[str, np.ndarray], params: UncertaintyParams) -> pd.DataFrame:
    """A row per image, corruption and severity, of some images; severity 0 of each is the untouched image."""
    index = corruptions.chosen(len(store.labels("test")), params.corruptions.images, params.seed)
    corrupted = corruptions.Corruptions(store.images("test"), index, params.seed)
    rows = pd.DataFrame({"index": index, "label": np.array(store.labels("test"))[index]})
    whole = {name: values[index] for name, values in whole.items()}
    steps = [(name, severity) for name in params.corruptions.names for severity in params.corruptions.severities]
    changed = partial(corrupted.batches, batch_size=params.batch_size)
    return _altered(scorer, rows, whole, ("corruption", "severity"), steps, changed)


def _altered(
    scorer: Scorer,
    rows: pd.DataFrame,
    whole: dict[str, np.ndarray],
    columns: tuple[str, str],
    steps: Sequence[tuple[str, Any]],
    changed: Callable[[str, Any], Iterable[Tensor]],
) -> pd.DataFrame:
    """The rows once for each alteration at strength 0, with the scores `whole`, and once for each of its steps.

    Args:
        columns: names of the columns of the alteration and of its strength.
        steps: (alteration, strength) of each, those of an alteration one after the other.
        changed: from an alteration and a strength to batches of the altered images, in the order of `rows`.
    """
    name_column, strength_column = columns
    parts = []
    for name in dict.fromkeys(name for name, _ in steps):
        strengths = [strength for other, strength in steps if other == name]
        zero = 0 * strengths[0]
        parts.append(_judged(rows.assign(**{name_column: name, strength_column: zero}), whole))
        for strength in strengths:
            scored = scorer.score(changed(name, strength))
            parts.append(_judged(rows.assign(**{name_column: name, strength_column: strength}), scored))
    if not parts:
        return _judged(rows.assign(**{name_column: "", strength_column: 0.0}), whole).iloc[:0]
    return pd.concat(parts, ignore_index=True)


def _others(scorer: Scorer, store: Store, others: Sequence[Store], batch_size: int) -> pd.DataFrame:
    """A row per test image of each other data set: its scores."""
    parts = [pd.DataFrame(_NO_IMAGES)]
    for other in others:
        pictures = matched(other.images("test"), store.size, store.channels)
        columns = scorer.score(batches(pictures, batch_size, scorer.input_device))
        columns = {name: values for name, values in columns.items() if name in scores.MEASURED}
        parts.append(pd.DataFrame({"dataset": other.dataset, "index": np.arange(len(pictures)), **columns}))
    return pd.concat(parts[1:], ignore_index=True) if others else parts[0]


def matched(images: np.ndarray, size: int, channels: int) -> np.ndarray:
    """uint8 images (N, H, W, C) as (N, size, size, channels): central square, antialiased; grey <-> RGB by luma.

    Args:
        channels: 1 or 3. A grey image becomes three equal channels, a colour image its luma.
    """
    parts = []
    for start in range(0, len(images), _IMAGES):
        pixels = resize(np.array(images[start : start + _IMAGES]), size)
        if channels < pixels.shape[3]:
            grey = luma(torch.from_numpy(pixels).permute(3, 0, 1, 2).float() / 255)
            pixels = to_uint8(grey[:, None]).numpy()
        parts.append(pixels.repeat(channels // pixels.shape[3], axis=3))
    return np.concatenate(parts)


def _judged(table: pd.DataFrame, columns: dict[str, np.ndarray]) -> pd.DataFrame:
    """The table with the columns of `Scorer.score`, and whether the predictions among them are right, if any are."""
    table = table.assign(**columns)
    for column, prediction in (("correct", "predicted"), ("knn_correct", "knn_predicted")):
        if prediction in table:
            table[column] = table[prediction] == table["label"]
    return table
