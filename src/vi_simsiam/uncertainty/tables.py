"""The tables of the step `uncertainty`: what a frozen model, its probe and its neighbours say of test images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from vi_simsiam.config.schema import UncertaintyParams
from vi_simsiam.data.store import Store
from vi_simsiam.probing.features import batches
from vi_simsiam.uncertainty import graded, scores
from vi_simsiam.uncertainty.human_labels import label_entropy
from vi_simsiam.uncertainty.measures import Tables
from vi_simsiam.uncertainty.ood import matched
from vi_simsiam.uncertainty.salience import salience
from vi_simsiam.uncertainty.scorer import Scorer, neighbour_correct, view_mean

_FEATURES = 10_000  # rows of features that are scored at once
_NO_IMAGES = {"dataset": pd.Series(dtype=str), "index": pd.Series(dtype=np.int64)}


def evaluate(
    scorer: Scorer, store: Store, features: np.ndarray, others: Sequence[Store], params: UncertaintyParams
) -> Tables:
    """Score everything that the store's test split and other data sets offer.

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

    whole = scorer.score(batches(pictures, size, scorer.prepares))
    images = _judged(pd.DataFrame({"index": range(len(truth)), "label": truth}), whole)
    images["view_agreement"] = agreement
    if "kappa" in views:
        images["kappa_view_mean"] = view_mean(views["kappa"].to_numpy(), views["index"].to_numpy())
    if (truth >= 0).any():
        images["neighbour_correct"] = neighbour_correct(torch.from_numpy(features), torch.from_numpy(truth))
    images = images.assign(**salience(pictures))
    if entropy is not None:
        images["label_entropy"] = entropy

    boxes = graded.graded_boxes(len(truth), params.crop_areas, store.size, params.seed)
    crops = pd.DataFrame(boxes).assign(label=truth[boxes["index"]])
    crops = _judged(crops, scorer.score(graded.crop_batches(pictures, boxes, size, scorer.prepares)))
    return Tables(images, crops, _graded(scorer, store, whole, params), views, _others(scorer, store, others, size))


@torch.no_grad()
def own_scores(scorer: Scorer) -> pd.DataFrame:
    """A row per training image: index, and the method's own scores of the image as it is.

    The training saw views of these images, so the model may be more certain of them than of others like them.
    """
    parts = [scorer.model.certainty(features.to(scorer.device)) for features in scorer.bank.split(_FEATURES)]
    columns = {name: torch.cat([part[name] for part in parts]).double().cpu().numpy() for name in parts[0]}
    return pd.DataFrame({"index": range(len(scorer.bank)), **columns})


def _graded(scorer: Scorer, store: Store, whole: dict[str, np.ndarray], params: UncertaintyParams) -> pd.DataFrame:
    """A row per image, augmentation and strength; strength 0 of each is the untouched image, scored once."""
    pictures, truth = store.images("test"), np.array(store.labels("test"))
    augmentations = graded.Augmentations(pictures, params.seed, scorer.prepares)
    steps = graded.steps(params.graded.model_dump(), store.channels)
    rows = {"index": np.arange(len(truth)), "label": truth}
    parts = []
    for name in dict.fromkeys(name for name, _ in steps):
        parts.append(_judged(pd.DataFrame(rows | {"augmentation": name, "strength": 0.0}), whole))
        for strength in (strength for other, strength in steps if other == name):
            changed = scorer.score(augmentations.batches(name, strength, params.batch_size))
            parts.append(_judged(pd.DataFrame(rows | {"augmentation": name, "strength": strength}), changed))
    if not parts:
        empty = pd.DataFrame(rows | {"augmentation": "", "strength": 0.0})
        return _judged(empty, whole).iloc[:0]
    return pd.concat(parts, ignore_index=True)


def _others(scorer: Scorer, store: Store, others: Sequence[Store], batch_size: int) -> pd.DataFrame:
    """A row per test image of each other data set: its scores."""
    parts = [pd.DataFrame(_NO_IMAGES)]
    for other in others:
        pictures = matched(other.images("test"), store.size, store.channels)
        columns = scorer.score(batches(pictures, batch_size, scorer.prepares))
        columns = {name: values for name, values in columns.items() if name in scores.MEASURED}
        parts.append(pd.DataFrame({"dataset": other.dataset, "index": np.arange(len(pictures)), **columns}))
    return pd.concat(parts[1:], ignore_index=True) if others else parts[0]


def _judged(table: pd.DataFrame, columns: dict[str, np.ndarray]) -> pd.DataFrame:
    """The table with the columns of `Scorer.score`, and whether the predictions among them are right, if any are."""
    table = table.assign(**columns)
    for column, prediction in (("correct", "predicted"), ("knn_correct", "knn_predicted")):
        if prediction in table:
            table[column] = table[prediction] == table["label"]
    return table
