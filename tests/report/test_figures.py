"""The figures of the plot step: their texts, their contents, and their reproducible bytes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from helpers.plot_inputs import RIVALS, opened, reopened, write_results
from helpers.project import ROOT
from vi_simsiam.config.schema import METHODS, PlotParams
from vi_simsiam.core.errors import Problem
from vi_simsiam.evaluation.scores import SCORES, Score
from vi_simsiam.report.figures import style
from vi_simsiam.report.figures.certainty import risk_at
from vi_simsiam.report.figures.draw import draw_figures, figure_functions
from vi_simsiam.report.figures.embedding import tsne
from vi_simsiam.report.figures.grids import kappa_grids
from vi_simsiam.report.figures.kappa import NO_KAPPA
from vi_simsiam.report.figures.leaderboard import leaderboard
from vi_simsiam.report.figures.methods import methods as method_comparison
from vi_simsiam.report.figures.registry import FIGURES, FigureRow
from vi_simsiam.report.figures.style import drawing_style, log_ticks, method_style
from vi_simsiam.report.figures.training import training_curves
from vi_simsiam.report.runs import verify

PARAMS = PlotParams(quantiles=5, grid_images=12, margin=0.02)
KAPPA_FIGURES = ("kappa_histogram.svg", "kappa_grids.png", "embedding_map.png", "augmentations.svg")


def drawn(root: Path, only: tuple[str, ...] = (), **kwargs) -> Path:
    """The figures of made-up results, all of them or `only` some."""
    functions = {name: function for name, function in figure_functions().items() if not only or name in only}
    draw_figures(functions, opened(root, **kwargs), PARAMS, root / "figures")
    return root / "figures"


def texts(path: Path) -> list[str]:
    """Every text of an SVG file, in order."""
    return ["".join(node.itertext()) for node in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")]


@pytest.fixture(scope="module")
def figures(tmp_path_factory) -> Path:
    """Grey images by six methods, images in colour by one, two seeds of each."""
    root = tmp_path_factory.mktemp("many")
    names = write_results(root, seeds=(0, 1)) + write_results(root, ("colour",), ("vi_simsiam",), seeds=(0, 1))
    draw_figures(figure_functions(), reopened(names, root), PARAMS, root / "figures")
    return root / "figures"


def test_every_declared_figure_is_drawn_and_nothing_else(figures):
    assert {path.name for path in figures.iterdir()} == set(FIGURES)
    assert all(row.caption.endswith(".") for row in FIGURES.values())


@pytest.mark.parametrize(
    "row, said",
    [
        (FigureRow("kappa:kappa_of_nothing", "."), "new.svg names kappa:kappa_of_nothing, which is not there"),
        (FigureRow("nowhere:kappa_histogram", "."), "new.svg names nowhere:kappa_histogram, which is not there"),
        (FigureRow("kappa:kappa_histogram", ".", ("bins",)), "new.svg names bins, no parameter of the step plot"),
    ],
)
def test_a_row_without_its_function_is_named(monkeypatch, row, said):
    monkeypatch.setitem(FIGURES, "new.svg", row)
    with pytest.raises(Problem, match=r"report/figures/registry\.py") as caught:
        figure_functions()
    assert said in str(caught.value)


# Some of the texts of each figure: axes with units, titles with the number of images and seeds, a number.
EXPECTED = {
    "training_curves.svg": "epoch|loss of VI-SimSiam|expected from κ|digits: 1,400 training images, 2 seeds",
    "kappa_histogram.svg": "κ|expected cosine|% of images per bin|colour: VI-SimSiam, 100 test images, 2 seeds",
    "accuracy_by_certainty.svg": "accuracy|group by certainty, lowest first (about 20 each)|VI-SimSiam by κ|"
    "DINO by −entropy|SimCLR by k-NN density|colour: 100 test images, 2 seeds",
    "risk_coverage.svg": "coverage|risk (error rate)|VI-SimSiam, κ: AURC 0.100|DINO, −entropy: AURC 0.300",
    "claims.svg": "kappa_falls_with_cropping|rank correlation with κ|0.80 [0.77, 0.83]|supported|not supported|"
    "inconclusive|digits: claims about VI-SimSiam, 100 test images, 2 seeds",
    "kappa_vs_dino.svg": "κ of VI-SimSiam (mean over seeds)|−entropy of DINO (nats)|digits: 100 test images, 2 seeds",
    "objective_terms.svg": "J_KL: towards the prior|not estimated|digits: terms of the objective in nats, 2 seeds",
    "crops.svg": "crop area / image area|κ|k-NN accuracy|SimSiam|digits: 100 test images per area, 2 seeds",
    "augmentations.svg": "brightness, factor 2^±x|blur, σ in pixels|ρ = +0.50 [+0.47, +0.53]|"
    "digits: VI-SimSiam, 100 test images, 2 seeds, one augmentation at a time",
    "leaderboard.svg": "errors|AUROC|share|κ|feature norm|not ranked|digits: 100 test images, 2 seeds",
    "methods.svg": "probe, graded crops|accuracy|−entropy|true crop area|AUROC (0.5: chance)|"
    "digits: 100 test images, 11 graded crops of each, 2 seeds",
}


@pytest.mark.parametrize("name", EXPECTED)
def test_axes_and_titles_say_what_is_shown_in_which_unit_and_of_how_many(figures, name):
    found = texts(figures / name)
    assert [text for text in EXPECTED[name].split("|") if text not in found] == []


def test_augmentations_have_a_panel_each_where_there_are_graded_images(figures):
    found = texts(figures / "augmentations.svg")
    assert found.count("hue, ± turns") == 1 and found.count("blur, σ in pixels") == 2  # hue: of colour images
    assert found.count("ρ = −0.31 [−0.34, −0.28]") == 2


def test_letters_are_at_least_7_points(figures):
    for path in figures.glob("*.svg"):
        sizes = re.findall(r"font-size: ([\d.]+)px", path.read_text())
        assert sizes and min(map(float, sizes)) >= 7, path.name


@pytest.mark.filterwarnings("error")
def test_without_kappa_every_figure_is_there_and_says_so(tmp_path):
    folder = drawn(tmp_path, methods=("untrained", "simsiam"))
    assert {path.name for path in folder.iterdir()} == set(FIGURES)
    for name in KAPPA_FIGURES:
        if name.endswith(".svg"):
            assert texts(folder / name) == [NO_KAPPA]
    assert NO_KAPPA in texts(folder / "crops.svg") and "SimSiam" in texts(folder / "crops.svg")
    assert matplotlib.image.imread(folder / "kappa_grids.png").min() < 0.5  # the sentence, in black
    assert texts(folder / "claims.svg") == ["no claim can be decided: no method with kappa in this run"]
    assert texts(folder / "kappa_vs_dino.svg") == ["needs VI-SimSiam and DINO on the same data, with equal seeds"]


def test_methods_with_a_certainty_that_is_not_kappa_are_drawn_by_it(tmp_path):
    """Their history has quantiles of it in kappa's columns, which belong on no axis of kappa."""
    names = ("accuracy_by_certainty.svg", "training_curves.svg")
    folder = drawn(tmp_path / "with", names, methods=("vi_simsiam", *RIVALS))
    words = {"VI-SimSiam by κ", "MCInfoNCE by κ of MCInfoNCE", "temperature by 1/τ", "concentration by κ, explicit"}
    assert words <= set(texts(folder / "accuracy_by_certainty.svg"))
    shown = texts(folder / "training_curves.svg")
    assert "loss of MCInfoNCE" in shown and "κ, expected cosine" in shown
    without = drawn(tmp_path / "without", ("training_curves.svg",), methods=("mcinfonce", "temperature"))
    assert "κ: no method has it" in texts(without / "training_curves.svg")


@pytest.mark.slow
def test_the_legend_of_nine_methods_is_inside_the_figure(tmp_path):
    methods = ("untrained", "simsiam", "vi_simsiam", "simclr", "dino", *RIVALS)
    runs = opened(tmp_path, methods=methods, seeds=(0, 1), images=10)
    with drawing_style():
        for draw in (leaderboard, method_comparison, training_curves):
            figure = draw(runs)
            figure.draw_without_rendering()
            (legend,) = [legend for part in figure.subfigs for legend in part.legends]
            box, strip = legend.get_window_extent(), legend.figure.bbox
            assert len(legend.texts) >= 8 and box.x0 >= 0 and box.x1 <= figure.bbox.width
            assert strip.y0 - 1 <= box.y0 and box.y1 <= strip.y1 + 1


def test_each_method_has_a_look_that_its_scores_share(monkeypatch):
    """Also methods without a row in the table of looks."""
    methods = (*METHODS, "new_a", "new_b")
    monkeypatch.setattr(style, "METHODS", methods)
    styles = [method_style(method) for method in methods]
    for look in ("label", "colour", "marker", "line"):
        assert len({getattr(style, look) for style in styles}) == len(styles), look
    new = Score("lost_mass", "a toy", "[0, 1]", method="new_a")
    for row in (*SCORES.values(), new):
        if row.method:
            assert style.score_colour(row) == method_style(row.method).colour


def test_the_untrained_encoder_alone_has_no_curves(tmp_path):
    folder = drawn(tmp_path, ("training_curves.svg", "objective_terms.svg"), methods=("untrained",))
    assert texts(folder / "training_curves.svg") == ["no method with training in this run"]
    assert texts(folder / "objective_terms.svg") == ["no method with terms of the objective in this run"]


@pytest.mark.parametrize(
    "kwargs",
    [
        {"images": 1, "epochs": 1, "methods": ("vi_simsiam", "dino")},
        pytest.param({"images": 2, "epochs": 1, "methods": ("vi_simsiam",), "seeds": (0, 1)}, marks=pytest.mark.slow),
        pytest.param({"methods": ("vi_simsiam",), "extra": False, "name": f"{'long ' * 9}"}, marks=pytest.mark.slow),
        {"methods": ("vi_simsiam",), "labels": False},
    ],
    ids=["1 image", "2 images", "long names", "no labels"],
)
@pytest.mark.filterwarnings("error")
def test_unusual_runs_are_drawn_without_a_warning(tmp_path, kwargs):
    assert {path.name for path in drawn(tmp_path, **kwargs).iterdir()} == set(FIGURES)


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
def test_measures_and_features_that_are_undefined_are_left_out(tmp_path):
    names = write_results(tmp_path, methods=("simsiam", "vi_simsiam", "dino"), seeds=(0, 1))
    for name in names:
        (tmp_path / "results/uncertainty" / name / "metrics.json").write_text("{}")
        np.save(tmp_path / "results/probe" / name / "features_test.npy", np.full((100, 16), 2, np.float32))
    draw_figures(figure_functions(), reopened(names, tmp_path), PARAMS, tmp_path / "figures")
    assert "ρ = not estimated" in texts(tmp_path / "figures/augmentations.svg")
    found = texts(tmp_path / "figures/claims.svg")
    assert "competitive_knn" in found and "kappa_alive" not in found


def test_a_data_set_without_labels_says_so_beside_one_with_labels(tmp_path):
    names = write_results(tmp_path, methods=("vi_simsiam",))
    names += write_results(tmp_path, ("mine",), methods=("vi_simsiam",), labels=False)
    draw_figures(figure_functions(), reopened(names, tmp_path), PARAMS, tmp_path)
    found = {path.name: texts(path) for path in tmp_path.glob("*.svg")}
    assert found["accuracy_by_certainty.svg"].count("no labelled images") == 4
    assert found["risk_coverage.svg"].count("VI-SimSiam: no labelled images") == 2
    assert "k-NN accuracy: no labelled images" in found["crops.svg"]
    assert found["methods.svg"].count("no labelled images") == 7  # four accuracies, three AUROCs
    assert found["claims.svg"].count("kappa_alive") == 2 > found["claims.svg"].count("accuracy_rises_with_kappa")


def test_names_with_odd_characters_are_text(tmp_path):
    found = texts(drawn(tmp_path, ("crops.svg",), datasets=("a$b$ & <c>",), methods=("vi_simsiam",)) / "crops.svg")
    assert "a$b$ & <c>: 100 test images per area, 1 seed" in found


def test_risk_by_hand():
    """Certain and right, certain and wrong, right, wrong: of the highest half one of two is wrong."""
    score, wrong = [4, 3, 2, 1], [0, 1, 0, 1]
    assert risk_at([0.25, 0.5, 0.75, 1], score, wrong) == pytest.approx([0, 1 / 2, 1 / 3, 1 / 2])
    shuffled = [2, 0, 3, 1]
    assert risk_at([0.5], np.take(score, shuffled), np.take(wrong, shuffled)) == pytest.approx([1 / 2])
    # Equal scores count as in every order: one error in the upper pair, two in the lower.
    assert risk_at([0.25, 0.5, 0.75, 1], [2, 2, 1, 1], [0, 1, 1, 1]) == pytest.approx([1 / 2, 1 / 2, 2 / 3, 3 / 4])


def test_the_map_is_the_same_every_time_and_keeps_groups_apart():
    rng = np.random.default_rng(0)
    label = np.arange(90) % 3
    features = 5 * np.eye(8)[label] + rng.normal(0, 0.3, (90, 8))
    places = tsne(features * rng.uniform(1, 9, (90, 1)))  # lengths do not matter, directions do
    assert places.shape == (90, 2) and np.array_equal(tsne(features), tsne(features.copy()))
    centre = np.array([places[label == i].mean(0) for i in range(3)])
    distance = np.linalg.norm(places[:, None] - centre, axis=-1)
    assert (distance.argmin(1) == label).all()
    assert tsne(features[:4]) is None and tsne(np.ones((30, 8))) is None and tsne(features * np.nan) is None


def test_grids_hold_the_extremes_and_never_share_an_image(tmp_path):
    runs = opened(tmp_path, methods=("vi_simsiam",), seeds=(0, 1))
    pixels = runs[0].test_images()
    order = np.argsort(runs[0].images["kappa"] + runs[1].images["kappa"], kind="stable").to_numpy()
    for images, shown in ((12, 12), (80, 50)):  # of 100 images
        with drawing_style():
            figure = kappa_grids(runs, images)
        highest, lowest, by_class = figure.subfigs[0].axes
        for axes, expected in ((highest, order[::-1][:shown]), (lowest, order[:shown])):
            found = [np.asarray(image.get_array()) for image in axes.get_images()]
            np.testing.assert_array_equal(found, pixels[expected][..., 0])
            names = [text.get_text() for text in axes.texts]
            assert names == [f"class {runs[0].images['label'][i]}" for i in expected]
        label = runs[0].images["label"].to_numpy()
        found = np.asarray([np.asarray(image.get_array()) for image in by_class.get_images()])
        some = pixels[order[label[order] == 0]][..., 0]
        assert len(some) >= 10  # of class 0, five from either end, in pairs
        np.testing.assert_array_equal(found[:10:2], some[:5])
        np.testing.assert_array_equal(found[1:10:2], some[::-1][:5])
        assert [text.get_text() for text in by_class.texts] == [f"class {i}" for i in range(10)]


def test_ticks_are_round_few_and_inside():
    assert log_ticks(15, 620) == [20, 50, 100, 200, 500]
    assert log_ticks(0.5, 3e6) == [1, 10, 100, 1000, 10000, 100000, 1000000][::2]
    assert log_ticks(41, 48) and all(41 <= tick <= 48 for tick in log_ticks(41, 48))


def test_the_list_of_figures_is_cheap_to_import():
    heavy = "{'matplotlib', 'pandas', 'torch', 'numpy'}"
    code = f"import sys, vi_simsiam.report.figures.registry; print({heavy} & set(sys.modules))"
    source = ROOT / "src"
    assert subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, text=True).stdout == "set()\n"


@pytest.mark.slow
def test_bytes_depend_on_the_inputs_alone(tmp_path):
    """Not on the process, its threads, the order of the runs, the user's settings or a HOME that cannot be written."""
    some = sorted(FIGURES)[::4]
    first = drawn(tmp_path, some, methods=("untrained", "vi_simsiam"))
    (tmp_path / "matplotlibrc").write_text("lines.linewidth: 7\nfont.size: 20\nsvg.fonttype: path\n")
    names = ["digits/vi_simsiam/seed0", "digits/untrained/seed0"]
    nowhere = {"HOME": str(tmp_path / "matplotlibrc" / "home"), "MATPLOTLIBRC": str(tmp_path), "OMP_NUM_THREADS": "1"}
    out = tmp_path / "out put"
    command = [sys.executable, ROOT / "src/plot.py", "--params", PARAMS.model_dump_json(), "--runs", *names]
    command += ["--data", tmp_path / "data", "--results", tmp_path / "results", "--out", out]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | nowhere)
    assert done.returncode == 0, done.stderr
    for name in some:
        assert (out / "figures" / name).read_bytes() == (first / name).read_bytes(), name
    written = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert written == {
        "summary.csv", "summary.txt", "measures.csv", "claims.csv", "quantiles.csv", "leaderboard.csv", "ranking.csv",
        "gallery.html", "metrics.json", "run.json", *(f"figures/{name}" for name in FIGURES),
    }  # fmt: skip
    table = pd.read_csv(out / "summary.csv")
    assert table["method"].tolist() == ["untrained", "vi_simsiam"]
    assert json.loads((out / "run.json").read_text())["params"] == PARAMS.model_dump()


def test_a_missing_input_is_named(tmp_path):
    names = write_results(tmp_path, methods=("simsiam",))
    (tmp_path / "results/probe" / names[0] / "probe.json").unlink()
    with pytest.raises(Problem, match=r"probe\.json is missing"):
        verify(reopened(names, tmp_path))
