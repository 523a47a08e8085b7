"""The table of figures: file name, function and caption. The Snakefile imports it, so it imports nothing heavy.

A new figure takes two places: a function in a module of this folder, and a row here.
"""

from typing import NamedTuple


class FigureRow(NamedTuple):
    """Function and caption of a figure.

    Args:
        function: "module:function" of this folder. It takes the list of runs and returns a matplotlib figure.
        caption: for the report.
        params: fields of the step's parameters that the function takes after the runs.
    """

    function: str
    caption: str
    params: tuple[str, ...] = ()


_BARS = "Bars are 95 % intervals over test images within one seed (mean of the seeds), small dots the seeds."

# By file name, in the order of drawing.
FIGURES: dict[str, FigureRow] = {
    "claims.svg": FigureRow(
        "claims:claims",
        "Each claim's quantity with its 95 % interval over test images and seeds, the threshold, and the verdict by "
        "the rule of docs/reading.md. The thick bar is the part of the interval that is due to the test images (within "
        "one seed, mean of the seeds), small dots are the seeds, the claimed side is tinted; * marks a verdict that "
        "does not survive the correction for multiple testing.",
        params=("margin",),
    ),
    "methods.svg": FigureRow(
        "methods:methods",
        "All methods compared: accuracy on whole test images and on graded crops, and for each certainty score how "
        "well it tells right from wrong predictions of the linear probe, and images whose nearest other test image has "
        "their class from other images (AUROC; 0.5 is chance). " + _BARS,
    ),
    "leaderboard.svg": FigureRow(
        "leaderboard:leaderboard",
        "Every certainty score of every method by task, mean over seeds with its 95 % interval over test images and "
        "seeds. Filled: no other score without labels is shown to be better on the same images and seeds (95 %, with "
        "a correction for the number of comparisons); hollow: another is. Grey: not ranked, mostly because "
        "it needs labels.",
    ),
    "accuracy_by_certainty.svg": FigureRow(
        "certainty:accuracy_by_certainty",
        "Accuracy in groups of equal size by certainty: by each method's own score, or by k-NN density for a method "
        "that has none. " + _BARS,
        params=("quantiles",),
    ),
    "risk_coverage.svg": FigureRow(
        "certainty:risk_coverage",
        "Error rate of the linear probe on the share of test images, and of graded crops, with the highest certainty, "
        "for every score of every method (mean over seeds; a method's own score is the thick line), with the ideal and "
        "a random order.",
    ),
    "crops.svg": FigureRow(
        "information:crops",
        "Kappa (median, middle 50 % and 90 %) and k-NN accuracy of every method against the area of graded crops of "
        "the test images. " + _BARS,
    ),
    "augmentations.svg": FigureRow(
        "information:augmentations",
        "Kappa (median, middle 50 % and 90 %) against the area of a crop and against the strength of each augmentation "
        "applied alone to the whole test images, with Spearman's rank correlation ρ and its 95 % interval over test "
        "images and seeds. Thin lines are the seeds' medians.",
    ),
    "kappa_vs_dino.svg": FigureRow(
        "kappa:kappa_vs_dino",
        "Kappa against minus the entropy of DINO's categorical output, of the same test images (means over seeds; of "
        "more than 2,000 images the number per hexagon), with Spearman's rank correlation ρ per seed.",
    ),
    "kappa_histogram.svg": FigureRow(
        "kappa:kappa_histogram",
        "Distribution of kappa over whole test images and over graded crops of them; the upper axis gives kappa as "
        "the expected cosine kappa / (kappa + d - 1), the agreement that the network predicts for another view.",
    ),
    "kappa_grids.png": FigureRow(
        "grids:kappa_grids",
        "Test images with the highest and with the lowest kappa (mean over seeds), with their classes; then those of "
        "lowest and of highest kappa within each class.",
        params=("grid_images",),
    ),
    "embedding_map.png": FigureRow(
        "embedding:embedding_map",
        "t-SNE map of VI-SimSiam's features (directions; at most 2,000 test images, first seed), coloured by kappa and "
        "by class. Distances between groups on such a map mean little.",
    ),
    "training_curves.svg": FigureRow(
        "training:training_curves",
        "Training loss of each method, agreement of two views (cosine, and the cosine that kappa predicts), "
        "quantiles of kappa (median, middle 50 % and 90 %), spread of the embedding, k-NN accuracy, and how well the "
        "method's own certainty score tells where that k-NN is right, by epoch. Thin lines are the seeds.",
    ),
    "objective_terms.svg": FigureRow(
        "training:objective_terms",
        "Estimates of the three terms of the objective, J_align, J_uniform and J_KL, by epoch, also where a method "
        "only optimises part of them. Larger is better; each method has a scale of its own. Thin lines are the seeds.",
    ),
}
