"""The table of claims. The start of a run checks it, so this module imports nothing heavy."""

from typing import TYPE_CHECKING, NamedTuple

from vi_simsiam.core.errors import Problem
from vi_simsiam.core.text import nearest
from vi_simsiam.evaluation.measure_names import why_unknown
from vi_simsiam.training.alarms import DEAD_COSINE

if TYPE_CHECKING:  # of numpy
    from vi_simsiam.stats.intervals import Estimate

# Range of a quantity, by its scale.
RANGES = {"difference": (-1.0, 1.0), "correlation": (-1.0, 1.0), "probability": (0.0, 1.0), "cosine": (0.0, 1.0)}


class Claim(NamedTuple):
    """A statement that a quantity lies on one side of a threshold.

    Args:
        name: of the claim, in snake_case.
        scale: kind of the quantity, a key of `RANGES`; a probability is an AUROC or a share.
        threshold: the bound.
        above: True: the quantity is larger than the threshold; False: smaller.
    """

    name: str
    scale: str
    threshold: float
    above: bool = True

    def verdict(self, interval: "Estimate") -> str:
        """`supported` or `not supported` where the whole interval lies on one side, else `inconclusive`."""
        if self.threshold < interval.ci_low:
            return "supported" if self.above else "not supported"
        if self.threshold > interval.ci_high:
            return "not supported" if self.above else "supported"
        return "inconclusive"


# Claims about one measure: (claim, name of the measure in metrics.json), in the order of the table. Each claim is about
# the methods that have the measure.
INFORMATION = (
    (Claim("kappa_alive", "cosine", DEAD_COSINE), "expected_cosine_mean"),
    (Claim("kappa_falls_with_cropping", "correlation", 0), "spearman_crop_area/kappa"),
    (Claim("crops_below_whole", "probability", 0.5), "crop_below_whole/kappa"),
)
OUTCOMES = (
    (Claim("accuracy_rises_with_kappa", "probability", 0.5), "auroc_correct/kappa"),
    (Claim("crop_accuracy_rises_with_kappa", "probability", 0.5), "auroc_crop_correct/kappa"),
    (Claim("kappa_finds_wrong_neighbours", "probability", 0.5), "r_auroc/kappa"),
    (Claim("low_kappa_less_gradient", "correlation", 0), "spearman_gradient_energy/kappa"),
    (Claim("low_kappa_less_contrast", "correlation", 0), "spearman_rms_contrast/kappa"),
    (Claim("kappa_matches_view_agreement", "correlation", 0), "spearman_view_agreement/kappa"),
    (Claim("kappa_follows_human_uncertainty", "correlation", 0, above=False), "spearman_label_entropy/kappa"),
)


def check_claims() -> None:
    """Check the rows above, before any work. Raises: Problem for a scale or a measure that does not exist."""
    for claim, measure in (*INFORMATION, *OUTCOMES):
        fault = why_unknown(measure)
        if claim.scale not in RANGES:
            fault = f"{claim.scale!r} is no scale{nearest(claim.scale, RANGES)}"
        if fault is not None:
            raise Problem(f"the claim {claim.name!r} in src/vi_simsiam/report/claim_rows.py: {fault}. Correct its row.")
