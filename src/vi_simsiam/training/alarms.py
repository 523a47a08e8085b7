"""Training that has died is stopped and never becomes a result. docs/method.md says what goes wrong."""

import math
from typing import NamedTuple

from vi_simsiam.core.errors import Problem

# Below these a run does not come back (measured: docs/method.md, "What goes wrong").
DEAD_COSINE = 0.01  # mean of kappa / (kappa + d - 1)
DEAD_SPREAD = 0.05  # embedding std x sqrt(d); 1 is an even spread over the sphere


class TrainingAlarm(Problem):
    """A training run that cannot give a meaningful result."""


class Bounds(NamedTuple):
    """Between which a method's median certainty (the history's `kappa_q50`) says something, and what to do beyond.

    Args:
        what: the certainty is.
        low, high: the bounds.
        flat, sure: what is wrong below the one and above the other.
        way_out: from either.
    """

    what: str
    low: float
    high: float
    flat: str
    sure: str
    way_out: str


_BOUNDS = {
    "temperature": Bounds(
        "1 / tau", 0.01, math.inf, "all images of a batch look alike to every image, and none is told apart", "",
        "Lower pretrain.temperature.gain or pretrain.lr, or check that cache_views.augmentation leaves the images "
        "recognisable.",
    ),
    "concentration": Bounds(
        "kappa", 1e-6, 1e6, "the views of an image do not agree at all", "nothing bounds it",
        "Raise pretrain.concentration.l2, or lower pretrain.concentration.weight or pretrain.concentration.gain.",
    ),
    "exponential": Bounds(
        "the rate", 0.1, 1e4, "the views of an image lie farther apart than opposite points", "its views are the same",
        "Lower pretrain.exponential.gain, or give cache_views.augmentation more to change.",
    ),
}  # fmt: skip
# From a kappa that has collapsed.
_WAYS_OUT = {
    "vi_simsiam": "Lower pretrain.vi_simsiam.kappa_gain, or set pretrain.vi_simsiam.objective to decoupled, to beta "
    "with beta 1, or to warmup with a longer warmup.",
    "mcinfonce": "Lower pretrain.mcinfonce.gain, or raise pretrain.mcinfonce.expected_cosine or "
    "pretrain.mcinfonce.critic.",
}


def check_epoch(row: dict[str, float | None], grace: int, method: str = "vi_simsiam") -> None:
    """Raise TrainingAlarm when an epoch's history row shows a dead run.

    Args:
        row: of the history; reads epoch, loss, expected_cosine, embedding_std, kappa_q50.
        grace: epochs at the start in which only NaN counts: kappa and the spread start low while views disagree.
        method: whose training it is.
    """
    epoch = row["epoch"]
    bounds = _BOUNDS.get(method)
    if not math.isfinite(row["loss"]):
        way_out = f" {bounds.way_out}" if bounds and math.isfinite(bounds.high) else ""
        raise TrainingAlarm(
            f"the loss is {row['loss']} in epoch {epoch}: the training diverged. Lower pretrain.lr, or raise "
            f"pretrain.warmup_epochs.{way_out}"
        )
    if epoch <= grace:
        return
    cosine = row.get("expected_cosine")
    if cosine is not None and cosine < DEAD_COSINE:
        way_out = _WAYS_OUT.get(method, "Lower pretrain.lr, or raise pretrain.warmup_epochs.")
        raise TrainingAlarm(
            f"kappa has collapsed: in epoch {epoch} the mean expected cosine kappa / (kappa + d - 1) is {cosine:.2g}, "
            f"the latent distribution is uniform and kappa no longer learns. {way_out}"
        )
    median = row.get("kappa_q50")
    if bounds and median is not None and not bounds.low <= median <= bounds.high:
        flat = median < bounds.low
        raise TrainingAlarm(
            f"{bounds.what} has {'collapsed' if flat else 'run away'}: in epoch {epoch} its median is {median:.2g}, as "
            f"if {bounds.flat if flat else bounds.sure}. {bounds.way_out}"
        )
    spread = row.get("embedding_std")
    if spread is not None and spread < DEAD_SPREAD:
        raise TrainingAlarm(
            f"the representation has collapsed: in epoch {epoch} the embeddings' std is {spread:.2g} of an even "
            "spread: all images map to the same point. Lower pretrain.lr, raise pretrain.batch_size, or check that "
            "cache_views.augmentation leaves the images recognisable."
        )
