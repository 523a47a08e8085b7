"""Training step, augmentation and probe beside other packages: `make benchmark`. Prints a table, writes results.csv.

    python benchmarks/compare.py [--out benchmarks/results.csv] [--quick]

Columns: measure; ours, peer and limit in `unit`; ratio_to_peer, how many times faster ours is; ratio_to_limit, the
share of the possible speed that ours reaches; machine. A cell is empty where there is no peer, or where its package
(`benchmarks/requirements.txt`) is not installed. Each measure's script says what is compared.
Earlier rows of the same machine are replaced; those of other machines stay.
"""

import argparse
import importlib.util
import os
import sys
from pathlib import Path

import augmentation
import pandas as pd
import probe_fit
import torch
import training_step

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))
from vi_simsiam.core import processor
from vi_simsiam.core.files import replacing
from vi_simsiam.core.randomness import generator
from vi_simsiam.evaluation.features import best_device

COLUMNS = ["measure", "ours", "peer", "limit", "unit", "ratio_to_peer", "ratio_to_limit", "machine"]


def machine() -> str:
    device = best_device()
    gpu = device.type == "cuda"
    name = f"{torch.cuda.get_device_name()}, {os.cpu_count()} cores" if gpu else processor.name()
    return f"{name}, torch {torch.__version__}"


def training_rows(quick: bool) -> list[dict]:
    gpu = best_device().type == "cuda"
    batch, steps, rounds, width = (8, 2, 1, 8) if quick else (512, 20, 3, 64) if gpu else (128, 2, 3, 64)
    speeds = training_step.rates(batch, steps, rounds, width)
    others = [
        {"measure": f"training step, bf16, fresh views, {name}", "ours": speeds[name], "unit": "images/s"}
        for name in training_step.others(best_device())
    ]
    return others + [
        {
            "measure": f"training step, {precision}, {source} views, against lightly, limit: model alone",
            "ours": speeds[f"{source} {key}"],
            "peer": speeds.get("lightly"),
            "limit": speeds[f"limit {key}"],
            "unit": "images/s",
        }
        for key, precision in (("bf16", "bf16"), (32, "float32"))
        if f"limit {key}" in speeds
        for source in ("fresh", "store")
    ]


def augmentation_rows(quick: bool) -> list[dict]:
    size, channels, batch = 32, 3, 256
    draw = generator("images")
    images = torch.randint(0, 256, (batch, size, size, channels), dtype=torch.uint8, generator=draw)
    seconds = 0.1 if quick else 3.0
    torch.set_num_threads(1)  # torchvision's images go one by one through one thread
    single = {name: augmentation.rate(make, images, seconds) for name, make in augmentation.contestants().items()}
    torch.set_num_threads(os.cpu_count())
    peers = {"torchvision": "per image", "kornia": "batched"}
    return [
        {"measure": f"augmentation, one thread, against {name} {how}", "ours": single["ours"], "peer": single.get(name)}
        | {"unit": "views/s"}
        for name, how in peers.items()
    ]


def probe_rows(quick: bool) -> list[dict]:
    images, dim = (500, 16) if quick else (50_000, 512)
    ours, peer = probe_fit.seconds(images, dim)
    name = f"linear probe, {images:,} x {dim}, 10 classes, against scikit-learn"
    return [{"measure": name, "ours": 1 / ours, "peer": 1 / peer, "unit": "fits/s"}]


def table(quick: bool) -> pd.DataFrame:
    torch.set_num_threads(os.cpu_count())
    makers = training_rows, augmentation_rows, probe_rows
    rows = [row | {"machine": machine()} for rows in makers for row in rows(quick)]
    out = pd.DataFrame(rows, columns=COLUMNS)
    for name in ("peer", "limit"):
        out[name] = out[name].astype(float)
        out[f"ratio_to_{name}"] = out["ours"] / out[name]
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results.csv"))
    parser.add_argument("--quick", action="store_true", help="tiny sizes: the numbers mean nothing")
    args = parser.parse_args()
    missing = [name for name in ("lightly", "kornia") if importlib.util.find_spec(name) is None]
    if missing:
        print(f"without {', '.join(missing)}: pip install --no-deps -r benchmarks/requirements.txt", file=sys.stderr)
    made = table(args.quick)
    recorded = pd.read_csv(args.out) if args.out.exists() else made.iloc[:0]
    kept = recorded[~recorded["machine"].isin(made["machine"])]  # measured on other machines
    with replacing(args.out) as temporary:
        pd.concat([kept, made]).to_csv(temporary, index=False, float_format="%.4g", lineterminator="\n")
    print(made.drop(columns="machine").to_string(index=False, float_format=lambda v: f"{v:.4g}", na_rep="-"))
    print(f"on {machine()}")


if __name__ == "__main__":
    main()
