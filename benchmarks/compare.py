"""Everything that is timed, beside what people use today: `make benchmark`. Prints a table, writes results.csv.

    python benchmarks/compare.py [--out benchmarks/results.csv] [--quick]

Columns: measure; ours, peer and limit in `unit`; ratio_to_peer, how many times faster ours is; ratio_to_limit, the
share of the possible speed that ours reaches; machine. A cell is empty where there is no peer, or where its package
(`benchmarks/requirements.txt`) is not installed. Each measure's script says what is compared, and runs alone as well.
"""

import argparse
import importlib.util
import os
import platform
import sys
from pathlib import Path

import augmentation
import pandas as pd
import probe_fit
import store_reading
import torch
import training_step

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))
from vi_simsiam.core.files import replacing
from vi_simsiam.core.randomness import generator
from vi_simsiam.probing.features import best_device

COLUMNS = ["measure", "ours", "peer", "limit", "unit", "ratio_to_peer", "ratio_to_limit", "machine"]


def machine() -> str:
    device = best_device()
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
    name = platform.processor() or platform.machine()
    if (info := Path("/proc/cpuinfo")).exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        name = names[0] if names else name
    return f"{name}, {os.cpu_count()} cores, torch {torch.__version__}"


def training_rows(quick: bool) -> list[dict]:
    gpu = best_device().type == "cuda"
    batch, steps, rounds, width = (8, 2, 1, 8) if quick else (512, 50, 5, 64) if gpu else (128, 2, 3, 64)
    speeds = training_step.rates(batch, steps, rounds, width)
    return [
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
    size, channels, batch = augmentation.CASES[0]
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
    found = probe_fit.compare(images, dim)
    name = f"linear probe, {images:,} x {dim}, 10 classes, against scikit-learn"
    return [{"measure": name, "ours": 1 / found.ours, "peer": 1 / found.peer, "unit": "fits/s"}]


def reading_rows(quick: bool) -> list[dict]:
    found = store_reading.rates(300 if quick else 10_000, 32, 0.1 if quick else 2.0)
    name = "store reading, 32 px, against JPEG files, limit: memory"
    return [
        {"measure": name, "ours": found["store"], "peer": found["files"], "limit": found["limit"], "unit": "images/s"}
    ]


def table(quick: bool) -> pd.DataFrame:
    torch.set_num_threads(os.cpu_count())
    rows = [row for rows in (training_rows, augmentation_rows, probe_rows, reading_rows) for row in rows(quick)]
    out = pd.DataFrame(rows, columns=COLUMNS)
    for name in ("peer", "limit"):
        out[name] = out[name].astype(float)
        out[f"ratio_to_{name}"] = out["ours"] / out[name]
    return out.assign(machine=machine())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results.csv"))
    parser.add_argument("--quick", action="store_true", help="tiny sizes: the numbers mean nothing")
    args = parser.parse_args()
    missing = [name for name in ("lightly", "kornia") if importlib.util.find_spec(name) is None]
    if missing:
        print(f"without {', '.join(missing)}: pip install --no-deps -r benchmarks/requirements.txt", file=sys.stderr)
    found = table(args.quick)
    with replacing(args.out) as temporary:
        found.to_csv(temporary, index=False, float_format="%.4g", lineterminator="\n")
    print(found.drop(columns="machine").to_string(index=False, float_format=lambda v: f"{v:.4g}", na_rep="-"))
    print(f"on {machine()}")


if __name__ == "__main__":
    main()
