"""Stop a training that has died, so that it never becomes a result. docs/method.md describes what goes wrong."""

import math
from typing import TYPE_CHECKING

from vi_simsiam.core.errors import Problem

if TYPE_CHECKING:  # report/claim_rows.py imports the bounds, and must not import torch
    from vi_simsiam.methods import Method

# No run recovers from values below these (measured: docs/method.md, "What goes wrong").
DEAD_COSINE = 0.01  # mean of kappa / (kappa + d - 1)
DEAD_SPREAD = 0.05  # embedding std x sqrt(d); 1 is an even spread over the sphere


class TrainingAlarm(Problem):
    """A training run that cannot give a meaningful result."""


def check_epoch(row: dict[str, float | None], grace: int, method: "type[Method]") -> None:
    """Raise TrainingAlarm when an epoch's history row shows a dead run.

    Args:
        row: history row; epoch, loss, expected_cosine, embedding_std, kappa_q50 and kappa_range are read.
        grace: number of first epochs in which only the loss is checked: kappa and the spread start low.
        method: class of the trained model, with its `certainty_bounds` and `collapse_way_out`.
    """
    epoch, loss = row["epoch"] or 0, row["loss"]
    bounds = method.certainty_bounds
    certainty = bounds.what if bounds else "kappa"
    if loss is None or not math.isfinite(loss):
        way_out = f" {bounds.way_out}" if bounds and math.isfinite(bounds.high) else ""
        raise TrainingAlarm(
            f"the loss is {loss} in epoch {epoch}: the training diverged. Lower pretrain.lr, or raise "
            f"pretrain.warmup_epochs.{way_out}"
        )
    if epoch <= grace:
        return
    cosine = row.get("expected_cosine")
    if cosine is not None and cosine < DEAD_COSINE:
        raise TrainingAlarm(
            f"kappa has collapsed: in epoch {epoch} the mean expected cosine kappa / (kappa + d - 1) is {cosine:.2g}, "
            f"the latent distribution is uniform and kappa no longer learns. {method.collapse_way_out}"
        )
    median = row.get("kappa_q50")
    if bounds and median is not None and not bounds.low <= median <= bounds.high:
        flat = median < bounds.low
        raise TrainingAlarm(
            f"{certainty} has {'collapsed' if flat else 'run away'}: in epoch {epoch} its median is {median:.2g}, as "
            f"if {bounds.flat if flat else bounds.sure}. {bounds.way_out}"
        )
    if row.get("kappa_range") == 0 and epoch > 1:  # at the first step kappa is the same for all images
        raise TrainingAlarm(
            f"{certainty} no longer tells images apart: in epoch {epoch} all images of each batch have the same. Lower "
            "pretrain.lr or pretrain.weight_decay, or check that cache_views.augmentation changes the images."
        )
    spread = row.get("embedding_std")
    if spread is not None and spread < DEAD_SPREAD:
        raise TrainingAlarm(
            f"the representation has collapsed: in epoch {epoch} the embeddings' std is {spread:.2g} of an even "
            "spread: all images map to the same point. Lower pretrain.lr, raise pretrain.batch_size, or check that "
            "cache_views.augmentation leaves the images recognisable."
        )
