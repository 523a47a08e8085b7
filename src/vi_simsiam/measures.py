"""The measures of a run: which score is compared with what. docs/metrics.md defines each."""

import pandas as pd

from vi_simsiam.metrics import Bootstrap, Estimate

# Scores by the names of their columns; a method has some of them.
# What is drawn for an augmented view. Those that do not vary in the data give no measure.
AUGMENTATIONS = ("crop_area", "flip", "brightness", "contrast", "saturation", "hue", "grey", "blur_sigma")
SCORES = ("kappa", "posterior_precision", "feature_norm", "view_agreement", "knn_density", "probe_confidence")


def measure(
    images: pd.DataFrame, crops: pd.DataFrame, views: pd.DataFrame, resamples: int, seed: int
) -> dict[str, Estimate]:
    """Every measure that the tables of one run allow, with its interval.

    Args:
        images, crops, views: the tables of the step `uncertainty`: a row per test image, per graded crop, per
            augmented view.
        resamples, seed: of the bootstrap over images.

    Returns: estimates by name; a score's measures end on `/<score>`. Measures that are undefined on these data (all
        predictions right, a constant score) are left out.
    """
    boot = Bootstrap(len(images), resamples, seed)
    whole = dict(images.items())
    of_crop = crops["index"].to_numpy()
    out: dict[str, Estimate | None] = {
        "crop_knn_top1": boot.mean(crops["knn_correct"], of_crop),
        "crop_probe_top1": boot.mean(crops["correct"], of_crop),
        "auroc_crop_correct/crop_area": boot.auroc(crops["area"], crops["correct"], of_crop),
    }
    for score in SCORES:
        if score in whole:
            out[f"auroc_correct/{score}"] = boot.auroc(whole[score], whole["correct"])
        if score in crops:
            out[f"auroc_crop_correct/{score}"] = boot.auroc(crops[score], crops["correct"], of_crop)
            out[f"spearman_crop_area/{score}"] = boot.spearman(crops[score], crops["area"], of_crop)
    if "kappa" in whole:
        # What kappa should be by the theory: how well another view's embedding can be predicted.
        mean_over_views = views.groupby("index")["kappa"].mean().to_numpy()
        out["spearman_view_agreement/kappa"] = boot.spearman(mean_over_views, whole["view_agreement"])
        out["expected_cosine_mean"] = boot.mean(whole["expected_cosine"])
        for name in AUGMENTATIONS:
            if name in views:
                out[f"spearman_view_{name}/kappa"] = boot.spearman(views["kappa"], views[name], views["index"])
    return {name: estimate for name, estimate in out.items() if estimate is not None}
