"""Made-up results of the earlier steps, in the form that the `plot` step reads."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from vi_simsiam.measures import AUGMENTATIONS

DIMENSION = 128  # of the latent sphere
AREAS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
SKILL = {"untrained": -1.0, "simsiam": 1.5, "vi_simsiam": 1.5, "vae": 0.3}
VIEWS = 8


def write_results(
    root: Path, datasets=("digits",), methods=("untrained", "simsiam", "vi_simsiam", "vae"), seeds=(0,),
    images: int = 100, epochs: int = 20, labels: bool = True,
) -> list[str]:  # fmt: skip
    """Write everything `plot` reads to `root`/data and `root`/results; returns the runs' names for --runs."""
    runs = []
    for dataset in datasets:
        label = _store(root / "data" / dataset, dataset, images, labels)
        for method in methods:
            for seed in seeds:
                name = f"{dataset}/{method}/seed{seed}"
                _run(root / "results", name, method, np.random.default_rng([seed, len(method)]), label, epochs)
                runs.append(name)
    return runs


def _store(folder: Path, dataset: str, images: int, labels: bool) -> np.ndarray:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    channels = 3 if dataset == "colour" else 1
    label = rng.integers(0, 10, images) if labels else np.full(images, -1)
    ramp = np.linspace(0, 255, 28 * 28).reshape(28, 28, 1) + 80 * np.arange(channels)
    np.save(folder / "images_test.npy", ((ramp + 25 * label[:, None, None, None]) % 256).astype(np.uint8))
    store = {
        "dataset": dataset, "classes": [f"class {i}" for i in range(10)], "size": 28, "channels": channels,
        "train": 1400, "test": images,
    }  # fmt: skip
    (folder / "store.json").write_text(json.dumps(store))
    return label


def _run(results: Path, name: str, method: str, rng: np.random.Generator, label: np.ndarray, epochs: int) -> None:
    folders = {step: results / step / name for step in ("pretrain", "probe", "uncertainty")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    history(method, epochs).to_csv(folders["pretrain"] / "history.csv", index=False)
    clarity = rng.normal(0, 0.5, len(label))
    index = np.arange(len(label))

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
        if method == "vae":
            out["posterior_precision"] = clear + rng.normal(0, 3, len(which))
        return pd.DataFrame(out)

    images = table(np.ones(len(index)), index)
    images["view_agreement"] = clarity
    crops = pd.concat([table(np.full(len(index), a), index).assign(area=a) for a in AREAS], ignore_index=True)
    drawn = parameters(np.random.default_rng(1), len(index) * VIEWS)  # the same views for every run
    views = pd.concat(
        [drawn, table(drawn["crop_area"].to_numpy(), np.repeat(index, VIEWS)).drop(columns="index")], axis=1
    )
    views.insert(0, "index", np.repeat(index, VIEWS))
    for table_name, frame in {"images": images, "crops": crops, "views": views}.items():
        frame.to_parquet(folders["uncertainty"] / f"{table_name}.parquet")
    scores = [c for c in images.columns[6:] if c != "expected_cosine"]
    measures = {f"auroc_correct/{s}": _measure(0.6 + 0.02 * i) for i, s in enumerate(scores)}
    measures |= {f"auroc_crop_correct/{s}": _measure(0.7 + 0.02 * i) for i, s in enumerate(scores)}
    measures["auroc_crop_correct/crop_area"] = _measure(0.8)
    measures |= {f"spearman_crop_area/{s}": _measure(0.5) for s in scores}
    measures |= {
        "crop_knn_top1": _measure(crops["knn_correct"].mean()),
        "crop_probe_top1": _measure(crops["correct"].mean()),
    }
    if method == "vi_simsiam":
        measures["expected_cosine_mean"] = _measure(images["expected_cosine"].mean())
        measures |= {f"spearman_view_{name}/kappa": _measure(0.31) for name in AUGMENTATIONS}
    (folders["uncertainty"] / "metrics.json").write_text(json.dumps(measures))
    probe = {"knn_top1": float(images["knn_correct"].mean()), "probe_top1": float(images["correct"].mean())}
    (folders["probe"] / "probe.json").write_text(
        json.dumps(probe | {"n_train": 1400, "n_test": len(label), "dim": 128})
    )


def _measure(value: float) -> dict[str, float]:
    return {"estimate": float(value), "ci_low": float(value) - 0.03, "ci_high": float(value) + 0.03, "n": 100}


def history(method: str, epochs: int) -> pd.DataFrame:
    """A training history; quantities that a method lacks are blank."""
    epoch = np.arange(1, 1 + (0 if method == "untrained" else epochs))
    rise = 1 - np.exp(-4 * epoch / epochs)
    table = pd.DataFrame({"epoch": epoch, "loss": {"vae": 400.0}.get(method, 0.2) - rise, "align": -rise})
    table[["uniform", "kl", "mean_cosine", "expected_cosine"]] = np.nan
    kappa = [f"kappa_q{q}" for q in ("05", "25", "50", "75", "95")]
    table[[*kappa, "embedding_std", "lr", "knn_top1"]] = np.nan
    if method != "vae":
        table["mean_cosine"], table["embedding_std"] = 0.85 * rise, 0.5 + 0.4 * rise
    if method == "vi_simsiam":
        table["expected_cosine"] = 0.8 * rise
        for factor, column in zip((0.4, 0.7, 1, 1.5, 2.5), kappa, strict=True):
            table[column] = factor * (0.1 + rise) * DIMENSION * 3
    table["knn_top1"] = (0.5 + 0.45 * rise) * np.where(epoch % 5 == 0, 1, np.nan)
    return table


def parameters(rng: np.random.Generator, views: int) -> pd.DataFrame:
    """Parameters of augmented views: grey-scale images, so hue and saturation never vary."""
    jitter, blur = rng.random(views) < 0.8, rng.random(views) < 0.5
    table = pd.DataFrame({"view": np.arange(views) % VIEWS, "crop_area": rng.uniform(0.08, 1, views)})
    table["flip"], table["jitter"], table["grey"] = rng.random(views) < 0.5, jitter, np.zeros(views, bool)
    for name in ("brightness", "contrast"):
        table[name] = np.where(jitter, rng.uniform(0.6, 1.4, views), 1.0)
    table["saturation"], table["hue"] = 1.0, 0.0
    table["blur_sigma"] = np.where(blur, rng.uniform(0.1, 2, views), 0.0)
    return table
