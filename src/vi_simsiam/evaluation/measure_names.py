"""Names of the measures of a run. The start of a run imports this module, so it imports nothing heavy."""

from vi_simsiam.config.schema import GradedParams
from vi_simsiam.core.text import nearest
from vi_simsiam.evaluation import scores

# Random parameters of an augmented view. One that does not vary in the data gives no measure.
AUGMENTATIONS = (
    "crop_area", "flip", "brightness", "contrast", "saturation", "hue", "grey", "blur_sigma", "noise_sigma",
)  # fmt: skip
# Properties of a whole image that its score is ranked against, where they are known.
PROPERTIES = ("gradient_energy", "rms_contrast", "label_entropy")

# Names of a score's measures, before the slash. Those of `_OF_A_NAME` end on the name of a data set or corruption.
_OF_SCORES = {
    "auroc_correct", "r_auroc", "aurc", "e_aurc",
    "auroc_crop_correct", "aurc_crop", "e_aurc_crop", "spearman_crop_area", "crop_below_whole",
    "spearman_severity", "corrupted_below_clean", "auroc_corrupted_correct", "spearman_view_agreement",
    *(f"spearman_{name}" for name in (*PROPERTIES, *GradedParams.model_fields)),
    *(f"spearman_view_{name}" for name in AUGMENTATIONS),
}  # fmt: skip
_OF_A_NAME = ("ood_auroc_", "ood_fpr95_", "spearman_corruption_")
# Measures that rank scores (`report.leaderboard`); the last one exists for each other data set.
RANKED = (
    "auroc_correct", "auroc_crop_correct", "auroc_corrupted_correct", "r_auroc", "crop_below_whole",
    "corrupted_below_clean", "spearman_label_entropy", "ood_auroc_",
)  # fmt: skip
_OF_RUNS = ("expected_cosine_mean", "crop_knn_top1", "crop_probe_top1", "auroc_crop_correct/crop_area")


def why_unknown(name: str) -> str | None:
    """The part of a measure's name that no run can have, in a sentence; None for a known name."""
    measured, slash, score = name.partition("/")
    if name in _OF_RUNS:
        return None
    if not slash or not (measured in _OF_SCORES or measured.startswith(_OF_A_NAME)):
        return f"no measure is called {measured!r}{nearest(measured, [*_OF_SCORES, *_OF_RUNS])}"
    if score not in scores.MEASURED:
        return f"{score!r} is no score that is measured{nearest(score, scores.MEASURED)}"
    return None
