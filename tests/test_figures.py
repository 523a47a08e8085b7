"""The figures of the plot step: what they say, and that they are the same every time."""

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
from plot_inputs import write_results

from vi_simsiam.figures.gallery import DRAWINGS, draw_figures
from vi_simsiam.figures.information import _kappa_by_parameter
from vi_simsiam.figures.kappa import NO_KAPPA, accuracy_in_groups, kappa_grids
from vi_simsiam.figures.names import FIGURES
from vi_simsiam.figures.style import _cosine_ticks, _log_ticks, drawing_style
from vi_simsiam.params import PlotParams
from vi_simsiam.results import open_runs
from vi_simsiam.summary import wilson

PARAMS = PlotParams(quantiles=5, grid_images=12)
KAPPA_FIGURES = ("kappa_histogram.svg", "kappa_grids.png", "accuracy_by_kappa.svg", "augmentations.svg")


def drawn(root: Path, **kwargs) -> Path:
    runs = open_runs(write_results(root, **kwargs), root / "data", root / "results")
    draw_figures(runs, PARAMS, root / "figures")
    return root / "figures"


def texts(path: Path) -> list[str]:
    """Every text of an SVG file, in order."""
    return ["".join(node.itertext()) for node in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")]


@pytest.fixture(scope="module")
def figures(tmp_path_factory) -> Path:
    """Two data sets, four methods, two seeds."""
    return drawn(tmp_path_factory.mktemp("many"), datasets=("digits", "colour"), seeds=(0, 1))


def test_every_declared_figure_is_drawn_and_nothing_else(figures):
    assert set(DRAWINGS) == set(FIGURES)
    assert {path.name for path in figures.iterdir()} == set(FIGURES)
    assert all(caption.endswith(".") for caption in FIGURES.values())


# Some of the texts that each figure must have: axes with units, titles with the number of images and seeds.
EXPECTED = {
    "training_curves.svg": """epoch|loss of SimSiam|loss of VI-SimSiam|loss of VAE|cosine of two views|expected from κ|
        κ, expected cosine|embedding std × √d|k-NN (leave-one-out)|digits: 1,400 training images, 2 seeds""",
    "kappa_histogram.svg": """κ|expected cosine|% of images per bin|whole images|crops, 10 % of the area|
        crops, 60 % of the area|colour: VI-SimSiam, 100 test images, 2 seeds""",
    "accuracy_by_kappa.svg": """accuracy|group by κ, lowest first (about 20 each)|linear probe|k-NN|
        group by κ, lowest first (about 220 each)|graded crops (11 areas)""",
    "crops.svg": """crop area / image area|κ|expected cosine|k-NN accuracy|untrained|SimSiam|VI-SimSiam|VAE|
        digits: 100 test images per area, 2 seeds""",
    "augmentations.svg": """crop area / image area|brightness factor|contrast factor|blur σ (pixels)|horizontal flip|
        digits: VI-SimSiam, 100 test images, 2 seeds, 800 augmented views""",
    "methods.svg": """k-NN, whole images|probe, graded crops|accuracy|error detection, whole images|κ|feature norm|
        posterior precision|true crop area|AUROC (0.5: chance)|
        digits: 100 test images, 11 graded crops of each, 2 seeds""",
}


@pytest.mark.parametrize("name", EXPECTED)
def test_axes_and_titles_say_what_is_shown_in_which_unit_and_of_how_many(figures, name):
    found = texts(figures / name)
    assert [text for text in map(str.strip, EXPECTED[name].split("|")) if text not in found] == []


def test_augmentations_show_only_parameters_that_vary(figures):
    found = texts(figures / "augmentations.svg")
    assert not {"hue shift (turns)", "saturation factor", "grey"} & set(found)
    assert found.count("ρ = +0.31 [+0.28, +0.34]") == 2 * 5


def test_letters_are_at_least_7_points(figures):
    for path in figures.glob("*.svg"):
        sizes = re.findall(r"font-size: ([\d.]+)px", path.read_text())
        assert sizes and min(map(float, sizes)) >= 7, path.name


def test_without_kappa_every_figure_is_there_and_says_so(tmp_path):
    folder = drawn(tmp_path, methods=("untrained", "simsiam"))
    for name in KAPPA_FIGURES:
        if name.endswith(".svg"):
            assert texts(folder / name) == [NO_KAPPA]
    assert NO_KAPPA in texts(folder / "crops.svg") and "SimSiam" in texts(folder / "crops.svg")
    assert matplotlib.image.imread(folder / "kappa_grids.png").min() < 0.5  # the sentence, in black


def test_the_untrained_encoder_alone_has_no_curves(tmp_path):
    folder = drawn(tmp_path, methods=("untrained",))
    assert texts(folder / "training_curves.svg") == ["no method with training in this run"]


@pytest.mark.parametrize("kwargs", [{"images": 5, "epochs": 1}, {"labels": False}])
@pytest.mark.filterwarnings("error")
def test_small_and_unlabelled_runs_are_drawn_without_a_warning(tmp_path, kwargs):
    assert {path.name for path in drawn(tmp_path, **kwargs).iterdir()} == set(FIGURES)


def test_without_labels_the_figures_say_so(tmp_path):
    folder = drawn(tmp_path, labels=False, methods=("vi_simsiam",))
    assert texts(folder / "accuracy_by_kappa.svg").count("no labelled images") == 2
    assert "k-NN accuracy: no labelled images" in texts(folder / "crops.svg")


def test_names_with_odd_characters_are_text(tmp_path):
    found = texts(drawn(tmp_path, datasets=("a$b$ & <c>",), methods=("vi_simsiam",)) / "crops.svg")
    assert "a$b$ & <c>: 100 test images per area, 1 seed" in found


def test_accuracy_rises_through_groups_made_so():
    """100 images of rising kappa; wrong in the lowest fifth, right in every second of the next, then always."""
    table = pd.DataFrame({"index": range(100), "label": 0, "kappa": np.arange(100.0)})
    table["correct"] = [i >= 40 or (i >= 20 and i % 2 == 1) for i in range(100)]
    table = table.sample(frac=1, random_state=0)
    estimates = accuracy_in_groups(table, "correct", 5)
    assert [e.estimate for e in estimates] == [0, 0.5, 1, 1, 1]
    assert [e.n for e in estimates] == [20] * 5
    assert estimates[1] == wilson(np.arange(20) % 2)


def test_grids_hold_the_extremes_and_never_share_an_image(tmp_path):
    runs = open_runs(
        write_results(tmp_path, methods=("vi_simsiam",), seeds=(0, 1)), tmp_path / "data", tmp_path / "results"
    )
    pixels = runs[0].test_images()
    order = np.argsort(runs[0].images["kappa"] + runs[1].images["kappa"], kind="stable").to_numpy()
    for images, shown in ((12, 12), (80, 50)):  # of 100 images
        with drawing_style():
            figure = kappa_grids(runs, images)
        highest, lowest = figure.subfigs[0].axes
        for axes, expected in ((highest, order[::-1][:shown]), (lowest, order[:shown])):
            found = [np.asarray(image.get_array()) for image in axes.get_images()]
            np.testing.assert_array_equal(found, pixels[expected][..., 0])
            names = [text.get_text() for text in axes.texts]
            assert names == [f"class {runs[0].images['label'][i]}" for i in expected]


def test_kappa_by_parameter_keeps_views_apart_that_were_not_changed():
    value = pd.Series([0.0] * 100 + list(np.linspace(0.1, 2, 400)))
    kappa = pd.Series([7.0] * 100 + list(np.linspace(1, 5, 400)))
    table = _kappa_by_parameter(value, kappa, off=0.0)
    assert table.index[0] == 0 and table.loc[0.0].tolist() == [7.0] * 5
    assert len(table) == 9 and table.index[1] == pytest.approx(0.1 + 1.9 / 16)
    assert table[0.5].iloc[1] == pytest.approx(np.median(kappa[100:150]), abs=0.02)
    switched = _kappa_by_parameter(pd.Series([True, False, True]), pd.Series([1.0, 2.0, 3.0]), off=None)
    assert switched[0.5].to_dict() == {False: 2.0, True: 2.0}


def test_ticks_are_round_few_and_inside():
    assert _log_ticks(15, 620) == [20, 50, 100, 200, 500]
    assert _log_ticks(0.5, 3e6) == [1, 10, 100, 1000, 10000, 100000, 1000000][::2]
    assert _log_ticks(41, 48) and all(41 <= tick <= 48 for tick in _log_ticks(41, 48))
    assert _cosine_ticks(127 * 0.25, 127 * 4, 128) == [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]


def test_the_list_of_figures_is_cheap_to_import():
    code = "import sys, vi_simsiam.figures.names; print({'matplotlib', 'pandas', 'torch', 'numpy'} & set(sys.modules))"
    source = Path(__file__).parent.parent / "src"
    assert subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, text=True).stdout == "set()\n"


def script(root: Path, runs: list[str], **environment: str) -> subprocess.CompletedProcess:
    source = Path(__file__).parent.parent / "src/plot.py"
    command = [sys.executable, source, "--params", '{"quantiles": 5, "grid_images": 12}', "--runs", *runs]
    command += ["--data", root / "data", "--results", root / "results", "--out", root / "out put"]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment)


def test_bytes_depend_on_the_inputs_alone(tmp_path):
    """Not on the process, the order of the runs, the user's settings or a HOME that cannot be written."""
    first = drawn(tmp_path)
    (tmp_path / "matplotlibrc").write_text("lines.linewidth: 7\nfont.size: 20\nsvg.fonttype: path\n")
    names = ["digits/" + name for name in ("vae/seed0", "vi_simsiam/seed0", "simsiam/seed0", "untrained/seed0")]
    nowhere = {"HOME": str(tmp_path / "matplotlibrc" / "home"), "MATPLOTLIBRC": str(tmp_path)}
    done = script(tmp_path, names, **nowhere)
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out put"
    for name in FIGURES:
        assert (out / "figures" / name).read_bytes() == (first / name).read_bytes(), name
    written = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert written == {
        "summary.csv",
        "measures.csv",
        "metrics.json",
        "run.json",
        *(f"figures/{name}" for name in FIGURES),
    }
    table = pd.read_csv(out / "summary.csv")
    assert table["method"].tolist() == ["untrained", "simsiam", "vi_simsiam", "vae"]
    assert json.loads((out / "run.json").read_text())["params"] == {"quantiles": 5, "grid_images": 12}


def test_the_script_explains_a_missing_input(tmp_path):
    names = write_results(tmp_path, methods=("simsiam",))
    (tmp_path / "results/probe" / names[0] / "probe.json").unlink()
    done = script(tmp_path, names)
    assert done.returncode == 1 and done.stderr.startswith("error: ") and "probe.json does not exist" in done.stderr
