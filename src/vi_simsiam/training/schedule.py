"""Length of a training and its learning rate."""

import math

from vi_simsiam.config.schema import PretrainParams


def with_enough_steps(params: PretrainParams, per_epoch: int) -> PretrainParams:
    """Return parameters with epochs for at least `least_steps` steps, and the same share of warm-up epochs.

    Args:
        per_epoch: steps in an epoch.
    """
    epochs = max(params.epochs, -(-params.least_steps // per_epoch))
    warmup = round(params.warmup_epochs * epochs / params.epochs)
    return params.model_copy(update={"epochs": epochs, "warmup_epochs": warmup})


def learning_rate(step: int, steps: int, warmup_steps: int, peak: float) -> float:
    """Linear warm-up to `peak` over `warmup_steps`, then half a cosine down to 0 at `steps`.

    Args:
        step: optimiser step, from 0.
        steps: steps of the whole training.
        warmup_steps: may be 0; a warm-up as long as the training never reaches the cosine.
        peak: the largest rate.
    """
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    return peak * (1 + math.cos(math.pi * (step - warmup_steps) / max(1, steps - warmup_steps))) / 2
