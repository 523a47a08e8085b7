"""Made-up results of the earlier steps, in the form that the `plot` step reads."""

import functools
import json
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vi_simsiam.core.record import RunRecord
from vi_simsiam.evaluation.measure_names import RANKED
from vi_simsiam.evaluation.scores import MEASURED, OWN
from vi_simsiam.report.runs import Run, open_runs

STEPS = ("pretrain", "probe", "uncertainty")
DIMENSION = 128  # of the latent sphere
AREAS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
SKILL = {"untrained": -1.0, "simsiam": 1.5, "vi_simsiam": 1.5, "simclr": 1.3, "dino": 1.2, "vae": 0.3}
METHODS = tuple(SKILL)  # of the default run
RIVALS = {
    "mcinfonce": "sampled_kappa", "temperature": "inverse_temperature", "concentration": "concentration",
    "exponential": "rate",
}  # fmt: skip
SKILL |= dict.fromkeys(RIVALS, 1.2)
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
GREY, COLOUR = ("brightness", "contrast", "blur", "noise", "occlusion"), ("saturation", "hue", "grey")


def write_results(
    root: Path, datasets=("digits",), methods=METHODS, seeds=(0,), images: int = 100, epochs: int = 20,
    labels: bool = True, name: str = "class", extra: bool = True, corruptions: bool = False,
) -> list[str]:  # fmt: skip
    """Write everything `plot` reads to `root`/data and `root`/results; returns the runs' names for --runs.

    Images named by `name` and a number have labels unless told otherwise; `extra`: also soft labels and another data
    set, as far as their measures go; `corruptions`: measures of them.
    """
    runs = []
    for dataset in datasets:
        label = _store(root / "data" / dataset, dataset, images, labels, name)
        for method in methods:
            for seed in seeds:
                run = f"{dataset}/{method}/seed{seed}"
                colour = dataset == "colour"
                made = _made(method, seed, tuple(label.tolist()), epochs, extra, corruptions, colour)
                for step in STEPS:
                    shutil.copytree(made / step, root / "results" / step / run)
                runs.append(run)
    return runs


def opened(root: Path, **written: Any) -> list[Run]:
    """The runs of results that are written as `write_results` writes them."""
    return reopened(write_results(root, **written), root)


def reopened(names: list[str], root: Path) -> list[Run]:
    """Runs below `root`, by their names."""
    return open_runs(names, root / "data", root / "results")


def only(runs: Iterable[Run], method: str, seed: int = 0) -> Run:
    return next(run for run in runs if (run.method, run.seed) == (method, seed))


def _store(folder: Path, dataset: str, images: int, labels: bool, name: str) -> np.ndarray:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    channels = 3 if dataset == "colour" else 1
    label = rng.integers(0, 10, images) if labels else np.full(images, -1)
    ramp = np.linspace(0, 255, 28 * 28).reshape(28, 28, 1) + 80 * np.arange(channels)
    np.save(folder / "images_test.npy", ((ramp + 25 * label[:, None, None, None]) % 256).astype(np.uint8))
    for split, count in (("test", images), ("train", 1400)):
        paths = [f"{split}/{name}/{i:05}.png" for i in range(count)]
        sources = pd.DataFrame({"index": range(count), "path": paths})
        sources.to_parquet(folder / f"sources_{split}.parquet", index=False)
    store = {
        "dataset": dataset, "classes": [f"{name} {i}" for i in range(10 * labels)], "size": 28, "channels": channels,
        "train": 1400, "test": images,
    }  # fmt: skip
    (folder / "store.json").write_text(json.dumps(store))
    RunRecord("cache_views", {}, dataset=dataset).write(folder)
    return label


_MADE = tempfile.TemporaryDirectory()  # removed when Python ends


@functools.cache  # many tests read the same results
def _made(
    method: str, seed: int, labels: tuple[int, ...], epochs: int, extra: bool, corruptions: bool, colour: bool
) -> Path:
    """A folder with the results of a run, in a folder for each step, to copy."""
    top, label = Path(tempfile.mkdtemp(dir=_MADE.name)), np.array(labels)
    folders = {step: top / step for step in STEPS}
    for folder in folders.values():
        folder.mkdir(parents=True)
    history(method, epochs).to_csv(folders["pretrain"] / "history.csv", index=False)
    n, rng = len(label), np.random.default_rng([seed, len(method)])
    index = np.arange(n)
    # How clear an image is: in part the same for every method.
    clarity = np.random.default_rng(2).normal(0, 0.4, n) + rng.normal(0, 0.3, n)

    def table(information: np.ndarray, which: np.ndarray) -> pd.DataFrame:
        clear = clarity[which] + 2.5 * np.log(information + 0.1) + 2 + rng.normal(0, 0.5, len(which))
        correct, knn = (rng.random(len(which)) < 1 / (1 + np.exp(-clear - SKILL[method])) for _ in "ab")
        out = {"index": which, "label": label[which], "predicted": label[which] * correct, "correct": correct}
        out |= {"knn_predicted": label[which] * knn, "knn_correct": knn}
        out |= {
            name: clear + rng.normal(0, 2, len(which)) for name in ("feature_norm", "probe_confidence", "knn_density")
        }
        if method == "vi_simsiam":
            cosine = 1 / (1 + np.exp(-0.5 * clear))
            out |= {"kappa": (DIMENSION - 1) * cosine / (1 - cosine), "expected_cosine": cosine}
        if method == "dino":
            out["negative_entropy"] = -np.exp(-0.3 * clear + rng.normal(0, 0.3, len(which)))
        if method == "vae":
            out["posterior_precision"] = clear + rng.normal(0, 3, len(which))
        if method in RIVALS:
            out[RIVALS[method]] = np.exp(0.3 * clear)
        return pd.DataFrame(out)

    whole = table(np.ones(n), index)
    images = whole.assign(view_agreement=clarity)
    images["neighbour_correct"] = images["knn_correct"]
    if method == "vi_simsiam":
        images["kappa_view_mean"] = images["kappa"] * np.exp(rng.normal(0, 0.2, n))
    crops = pd.concat([table(np.full(n, a), index).assign(area=a, **_box(a)) for a in AREAS], ignore_index=True)
    augmentations = (*GREY, *COLOUR) if colour else GREY
    graded = pd.concat(
        [
            table(np.full(n, 1 - (0.6 - 0.1 * i) * s), index).assign(augmentation=augmentation, strength=s)
            for i, augmentation in enumerate(augmentations)
            for s in STRENGTHS
        ],
        ignore_index=True,
    )
    if (label < 0).all():
        judged = ["predicted", "correct", "knn_predicted", "knn_correct", "probe_confidence", "neighbour_correct"]
        images, crops, graded = (frame.drop(columns=judged, errors="ignore") for frame in (images, crops, graded))
    if extra:
        images["label_entropy"] = np.exp(-clarity + rng.normal(0, 0.3, n))
    own = [name for name in OWN if name in images]
    tables = {"images": images, "train_images": images[["index", *own]].head(7), "crops": crops, "graded": graded}
    for table_name, frame in tables.items():
        frame.to_parquet(folders["uncertainty"] / f"{table_name}.parquet")

    scores = [c for c in images.columns if c in MEASURED]
    measures = {"auroc_crop_correct/crop_area": _measure(0.8)}
    for i, s in enumerate(scores):
        measures |= {
            f"auroc_correct/{s}": _measure(0.6 + 0.02 * i),
            f"auroc_crop_correct/{s}": _measure(0.7 + 0.02 * i),
        }
        measures |= {f"r_auroc/{s}": _measure(0.52), f"aurc/{s}": _measure(0.1), f"e_aurc/{s}": _measure(0.05)}
        measures |= {f"aurc_crop/{s}": _measure(0.3), f"e_aurc_crop/{s}": _measure(0.1)}
        measures |= {f"spearman_crop_area/{s}": _measure(0.5), f"crop_below_whole/{s}": _measure(0.8)}
        measures |= {f"spearman_{a}/{s}": _measure(-0.31 + 0.1 * i) for i, a in enumerate(augmentations)}
        if corruptions and s in whole:
            measures |= {f"auroc_corrupted_correct/{s}": _measure(0.7), f"corrupted_below_clean/{s}": _measure(0.6)}
        measures |= {f"spearman_gradient_energy/{s}": _measure(0.2), f"spearman_rms_contrast/{s}": _measure(0.01)}
        if extra:
            measures |= {f"ood_auroc_clothes/{s}": _measure(0.4), f"ood_fpr95_clothes/{s}": _measure(0.9)}
            measures |= {f"spearman_label_entropy/{s}": _measure(-0.1)}
    measures |= {
        f"crop_{c}_top1": _measure(crops[k].mean())
        for c, k in (("knn", "knn_correct"), ("probe", "correct"))
        if k in crops
    }
    if method == "vi_simsiam":
        measures["expected_cosine_mean"] = _measure(images["expected_cosine"].mean())
        measures["spearman_view_agreement/kappa"] = _measure(0.6)
    if (label < 0).all():
        measures = {
            k: v for k, v in measures.items() if not k.startswith(("auroc", "r_", "aurc", "e_", "crop_k", "crop_p"))
        }
    (folders["uncertainty"] / "metrics.json").write_text(json.dumps(measures))
    accuracies = {"knn_top1": "knn_correct", "probe_top1": "correct"}
    probe = {name: float(images[column].mean()) for name, column in accuracies.items() if column in images}
    (folders["probe"] / "probe.json").write_text(json.dumps(probe | {"n_train": 1400, "n_test": n, "dim": 16}))
    means = rng.normal(0, 1.5, (11, 16))
    np.save(folders["probe"] / "features_test.npy", (means[label] + rng.normal(0, 1, (n, 16))).astype(np.float32))
    places = np.sort(rng.permuted(np.tile(np.arange(n - 1), (n, 1)), axis=1)[:, :20])
    np.save(folders["uncertainty"] / "neighbours.npy", (places + (places >= index[:, None])).astype(np.int32))
    draw = np.random.default_rng(3)  # the same resamples for all runs
    resampled = {
        name: measures[name]["estimate"] + 0.015 * (draw.normal(size=200) + rng.normal(size=200)).astype(np.float32)
        for name in measures
        if name.startswith(RANKED)
    }
    pd.DataFrame(resampled, index=range(200)).to_parquet(folders["uncertainty"] / "resampled.parquet")
    for step, folder in folders.items():
        RunRecord(step, {"seed": 0}, method=method, seed=seed).write(folder)
    return top


def _box(area: float) -> dict[str, int]:
    """A square box of this share of 28 x 28 pixels, near the middle."""
    side = max(1, round(28 * area**0.5))
    return {"top": (28 - side) // 2, "left": (28 - side) // 2, "height": side, "width": side}


def _measure(value: float) -> dict[str, float]:
    return {"estimate": float(value), "ci_low": float(value) - 0.03, "ci_high": float(value) + 0.03, "n": 100}


def history(method: str, epochs: int) -> pd.DataFrame:
    """A training history; quantities that a method lacks are blank."""
    epoch = np.arange(1, 1 + (0 if method == "untrained" else epochs))
    rise = 1 - np.exp(-4 * epoch / epochs)
    table = pd.DataFrame({"epoch": epoch, "loss": {"vae": 400.0}.get(method, 0.2) - rise, "align": -rise})
    table[["uniform", "kl", "mean_cosine", "expected_cosine"]] = np.nan
    kappa = [f"kappa_q{q}" for q in ("05", "25", "50", "75", "95")]
    of_certainty = ["certainty_auroc", "certainty_r_auroc", "certainty_below_clean"]
    table[[*kappa, "embedding_std", "lr", "knn_top1", *of_certainty]] = np.nan
    table["j_align"], table["j_uniform"], table["j_kl"] = 60 * rise, -40 * rise, np.nan
    if method != "vae":
        table["mean_cosine"], table["embedding_std"] = 0.85 * rise, 0.5 + 0.4 * rise
        table["j_kl"] = -3 * rise
    if method in ("vi_simsiam", "mcinfonce", "temperature"):
        table["expected_cosine"] = np.nan if method == "temperature" else 0.8 * rise
        for factor, column in zip((0.4, 0.7, 1, 1.5, 2.5), kappa, strict=True):
            table[column] = factor * (0.1 + rise) * DIMENSION * 3
    monitored = np.where(epoch % 5 == 0, 1, np.nan)
    table["knn_top1"] = (0.5 + 0.45 * rise) * monitored
    if method in ("vi_simsiam", "dino", "vae"):
        for factor, column in zip((0.1, 0.15, 0.4), of_certainty, strict=True):
            table[column] = (0.5 + factor * rise) * monitored
    return table
