"""Every figure's file name and what it shows, for the rule that declares the files and for the report."""

_BARS = "Bars are 95 % intervals over test images within one seed (mean of the seeds), small dots the seeds."

FIGURES: dict[str, str] = {
    "training_curves.svg": (
        "Training loss of each method, agreement of two views (cosine, and the cosine that kappa predicts), "
        "quantiles of kappa (median, middle 50 % and 90 %), spread of the embedding, and k-NN accuracy, by epoch."
    ),
    "kappa_histogram.svg": (
        "Distribution of kappa over whole test images and over graded crops of them; the upper axis gives kappa as "
        "the expected cosine kappa / (kappa + d - 1), the agreement that the network predicts for another view."
    ),
    "kappa_grids.png": "Test images with the highest and with the lowest kappa (mean over seeds), with their classes.",
    "accuracy_by_kappa.svg": (
        "Accuracy in groups of equal size by kappa, on whole test images and on graded crops of them. " + _BARS
    ),
    "crops.svg": (
        "Kappa (median, middle 50 % and 90 %) and k-NN accuracy of every method against the area of graded crops of "
        "the test images. " + _BARS
    ),
    "augmentations.svg": (
        "Kappa (median, middle 50 % and 90 %) of augmented views of the test images against each parameter of the "
        "augmentation that varies, with Spearman's rank correlation ρ and its 95 % interval."
    ),
    "methods.svg": (
        "All methods compared: accuracy on whole test images and on graded crops, and how well each certainty score "
        "tells right from wrong predictions of the linear probe (AUROC; 0.5 is chance). " + _BARS
    ),
}
