"""The table of certainty scores: the meaning of each, the method that states it, and its look in figures.

A new score of a method takes two places: the method's module (`certainty_scores`, and `certainty` or
`image_certainty`), and a row here.
"""

import ast
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vi_simsiam.config.schema import METHODS
from vi_simsiam.core.errors import Problem
from vi_simsiam.core.text import nearest

LABELS = "labels"


@dataclass(frozen=True)
class Score:
    """A certainty score: larger always means more certain.

    Args:
        name: its column in the tables of the step `uncertainty`.
        meaning: what it is, for readers of this table.
        explained: one sentence for people who look at the score: what it measures and what it does not.
        range: the values that it can have, with the unit if there is one.
        method: the method that states it; None: it is computed for every method that allows it.
        measured: True if it has the measures of docs/reading.md; only then can it represent its method (`OWN`).
        needs: inputs beside the model and the image, such as `LABELS` of training images. A score that needs labels is
            listed with the others but not ranked among them.
        label: for people; by default the name in words.
        colour, line: how figures that compare scores draw it; by default in the colour of its method.
        place: in figures and the gallery, smallest first; rows of equal place in the order of the table.
    """

    name: str
    meaning: str
    range: str
    explained: str = ""
    method: str | None = None
    measured: bool = True
    needs: str = ""
    label: str = ""
    colour: str = ""
    line: str | tuple = "-"
    place: int = 5  # after the scores of other methods, before those of all methods

    def __post_init__(self):
        object.__setattr__(self, "label", self.label or self.name.replace("_", " "))


# Tables have this order. The first of `OWN` that a table has represents its method.
_ROWS = (
    Score(
        "kappa", "concentration of the predicted distribution of the latent", "(0, inf)", method="vi_simsiam",
        explained="How well the model expects to predict another view of the image; higher is more certain. It does "
        "not say if people agree on the image, or if something in it is defective or rare.",
        label="κ", place=1,
    ),
    Score(
        "negative_entropy", "minus the entropy of the categorical output", "[-ln K, 0] nats", method="dino",
        explained="How surely DINO's teacher puts the image into one of its prototypes; it is no class of anybody's.",
        label="−entropy", place=3,
    ),
    Score(
        "posterior_precision", "minus the mean log sigma of the posterior", "[-7, 7] nats", method="vae",
        explained="How narrow the VAE's code of the image is; it follows pixels more than what they show.",
        place=4,
    ),
    Score(
        "sampled_kappa", "concentration of the distribution that samples of the embedding are drawn from", "(0, inf)",
        method="mcinfonce",
        explained="How little the embedding of the image may be scattered before it is lost among other images; it "
        "depends on which others there are.",
        label="κ of MCInfoNCE",
    ),
    Score(
        "inverse_temperature", "1 / tau(x), the factor on the image's cosines", "(0, 1 / lowest)", method="temperature",
        explained="How sharply the model tells another view of the image from other images; many images can share its "
        "highest value.",
        label="1/τ",
    ),
    Score(
        "concentration", "concentration that multiplies the cosine of the views", "(0, inf)", method="concentration",
        explained="The cosine with another view of the image that the model expects, times a constant.",
        label="κ, explicit",
    ),
    Score(
        "rate", "rate of the exponential distribution of the views' distance", "(0, inf)", method="exponential",
        explained="One over the distance from another view of the image that the model expects.",
        label="rate of the distance",
    ),
    Score(
        "feature_norm", "length of the features", "[0, inf)",
        explained="How strongly the encoder responds to the image; few encoders were trained to make it a certainty.",
        colour="#999999", line=(0, (2, 1)), place=9,
    ),
    Score(
        "embedding_norm", "length of the projection, of which the loss sees the direction alone", "[0, inf)",
        explained="How far the projection of the image lies from that of an average one, in which no direction stands "
        "out; nothing in the loss asks for it.",
        colour="#AA4499", line=(0, (4, 1, 1, 1, 1, 1)), place=9,
    ),
    Score(
        "view_agreement", "mean cosine of the embeddings of an image's V views, over all pairs", "[-1/(V-1), 1]",
        needs="views",
        explained="How similar random crops and colourings of the image are to the model. Those of a texture agree "
        "even if it shows nothing.",
        colour="#0072B2", line=(0, (1, 1)), place=7,
    ),
    Score(
        "kappa_view_mean", "geometric mean of kappa over an image's views", "(0, inf)",
        needs="views",
        explained="κ of random crops and colourings of the image instead of the whole.",
        label="κ, mean over views", colour="#E69F00", line=(0, (5, 1)), place=2,
    ),
    Score(
        "knn_density", "mean cosine to the k nearest training images", "[-1, 1]",
        needs="training images",
        explained="Similarity to the nearest images: low for images unlike all others, such as rare things and "
        "defects. A common image can still be hard.",
        label="k-NN density", colour="#56B4E9", line=(0, (5, 1, 1, 1)), place=8,
    ),
    Score(
        "neighbour_consistency", "overlap of the image's k nearest images among the seeds of a method", "[0, 1]",
        needs="other seeds",
        explained="Whether models that differ in their random numbers alone agree on what an image is like; it is of "
        "all of them together.",
        colour="#117733", line=(0, (3, 1, 1, 1)), place=8,
    ),
    Score(
        "probe_confidence", "largest probability of the linear probe", "[1/classes, 1]",
        needs=LABELS,
        explained="How sure a classifier that was trained with labels is of its class; it can be sure and wrong.",
        colour="#222222", line=(0, (3, 1)), place=6,
    ),
    Score(
        "loss_prediction", "minus the mean log loss of the k nearest labelled training images", "[-4.5, 13.9]",
        needs=LABELS,
        explained="How well a classifier that was trained with labels does on images like this one.",
        colour="#661100", line=(0, (1, 2)), place=6,
    ),
    Score(
        "expected_cosine", "kappa / (kappa + d - 1): it ranks as kappa does, so it is not measured again", "(0, 1)",
        explained="Agreement with another view that κ predicts, as a cosine; it orders images as κ does.",
        method="vi_simsiam", measured=False, place=10,
    ),
    Score(
        "crop_area", "no score: the true area of a graded crop, for comparison", "(0, 1]",
        explained="How much of the image a crop holds: no score, but what crops differ in.",
        measured=False, label="true crop area", colour="#000000", place=11,
    ),
)  # fmt: skip
SCORES: dict[str, Score] = {row.name: row for row in _ROWS}
MEASURED: tuple[str, ...] = tuple(row.name for row in _ROWS if row.measured)
OWN: tuple[str, ...] = tuple(row.name for row in _ROWS if row.measured and row.method is not None)
IN_FIGURES: tuple[str, ...] = tuple(row.name for row in sorted(_ROWS, key=lambda row: row.place))
COMMON = "knn_density"  # shown for a method that states no score


def score(name: str) -> Score:
    """Row of a score; a score without one, as of an old model, gets a plain label and colour."""
    return SCORES.get(name) or Score(name, meaning="", range="")


def stated(method: str) -> tuple[str, ...]:
    """The certainty scores that a method's module states, read without running it; none where it inherits them."""
    module = Path(__file__).parents[1] / "methods" / f"{method}.py"
    for node in ast.walk(ast.parse(module.read_bytes())):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if node.value and any(isinstance(name, ast.Name) and name.id == "certainty_scores" for name in targets):
                with suppress(ValueError):  # no plain tuple: the step `uncertainty` sees it
                    return ast.literal_eval(node.value)
    return ()


def require_rows(method: str, names: Iterable[str]) -> None:
    """Check that every certainty score that a method states has a row in this table, and that rows name methods.

    Raises: Problem naming the score and this file.
    """
    for known in _ROWS:
        if known.method not in (None, *METHODS):
            raise Problem(
                f"the certainty score {known.name!r} in src/vi_simsiam/evaluation/scores.py: {known.method!r} is no "
                f"method{nearest(str(known.method), METHODS)}. Write one of {', '.join(METHODS)}."
            )
    if isinstance(names, str):
        raise Problem(
            f"method {method}: certainty_scores = {names!r} is a text, not a tuple. Write ({names!r},), with the comma."
        )
    for name in names:
        if score(name).method is None:
            raise Problem(
                f"method {method} states the certainty score {name!r}, which has no row of a method in the table of "
                "src/vi_simsiam/evaluation/scores.py. Add one, under a name that no score of all methods has."
            )
