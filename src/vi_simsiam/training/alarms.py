"""Training that has died is stopped and never becomes a result. docs/method.md says what goes wrong."""

import math

from vi_simsiam.core.errors import Problem

# Below these a run does not come back (measured: docs/method.md, "What goes wrong").
DEAD_COSINE = 0.01  # mean of kappa / (kappa + d - 1)
DEAD_SPREAD = 0.05  # embedding std x sqrt(d); 1 is an even spread over the sphere


class TrainingAlarm(Problem):
    """A training run that cannot give a meaningful result."""


def check_epoch(row: dict[str, float | None], grace: int) -> None:
    """Raise TrainingAlarm when an epoch's history row shows a dead run.

    Args:
        row: of the history; reads epoch, loss, expected_cosine, embedding_std.
        grace: epochs at the start in which only NaN counts: kappa and the spread start low while views disagree.
    """
    epoch = row["epoch"]
    if not math.isfinite(row["loss"]):
        raise TrainingAlarm(
            f"the loss is {row['loss']} in epoch {epoch}: the training diverged. Lower pretrain.lr, or raise "
            "pretrain.warmup_epochs."
        )
    if epoch <= grace:
        return
    cosine = row.get("expected_cosine")
    if cosine is not None and cosine < DEAD_COSINE:
        raise TrainingAlarm(
            f"kappa has collapsed: in epoch {epoch} the mean expected cosine kappa / (kappa + d - 1) is {cosine:.2g}, "
            "the latent distribution is uniform and kappa no longer learns. Lower pretrain.vi_simsiam.kappa_gain, or "
            "set pretrain.vi_simsiam.objective to decoupled, to beta with beta 1, or to warmup with a longer warmup."
        )
    spread = row.get("embedding_std")
    if spread is not None and spread < DEAD_SPREAD:
        raise TrainingAlarm(
            f"the representation has collapsed: in epoch {epoch} the embeddings' std is {spread:.2g} of an even "
            "spread: all images map to the same point. Lower pretrain.lr, raise pretrain.batch_size, or check that "
            "cache_views.augmentation leaves the images recognisable."
        )
