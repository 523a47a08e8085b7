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
import bootstrap
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
    sets = {"avx512_bf16": "AVX-512 bf16", "avx512_f": "AVX-512", "avx2": "AVX2"}
    instructions = next((sets[key] for key in sets if torch.cpu.get_capabilities().get(key)), "")
    return ", ".join(filter(None, [name, instructions, f"{os.cpu_count()} cores", f"torch {torch.__version__}"]))


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


def bootstrap_rows(quick: bool) -> list[dict]:
    images, resamples = (200, 50) if quick else (2000, 2000)
    ours, peer = bootstrap.against_scipy(images, resamples)
    name = f"bootstrap of an AUROC, {images:,} images, against scipy"
    return [{"measure": name, "ours": ours, "peer": peer, "unit": "resamples/s"}]


def reading_rows(quick: bool) -> list[dict]:
    found = store_reading.rates(300 if quick else 10_000, 32, 0.1 if quick else 2.0)
    name = "store reading, 32 px, against JPEG files, limit: memory"
    return [
        {"measure": name, "ours": found["store"], "peer": found["files"], "limit": found["limit"], "unit": "images/s"}
    ]


def table(quick: bool) -> pd.DataFrame:
    torch.set_num_threads(os.cpu_count())
    makers = training_rows, augmentation_rows, probe_rows, bootstrap_rows, reading_rows
    rows = [row for rows in makers for row in rows(quick)]
    out = pd.DataFrame(rows, columns=COLUMNS)
    for name in ("peer", "limit"):
        out[name] = out[name].astype(float)
        out[f"ratio_to_{name}"] = out["ours"] / out[name]
    return out.assign(machine=machine())


def slower(now: pd.DataFrame, before: pd.DataFrame) -> list[str]:
    """A line for each measure whose ratio to the peer, or to the limit where there is none, fell by a tenth or more.

    Of the same machine; ratios of one run stand the noise of a machine that absolute numbers do not.
    """
    lines = []
    ratios = [table["ratio_to_peer"].fillna(table["ratio_to_limit"]) for table in (now, before)]
    recorded = dict(zip(zip(before["measure"], before["machine"], strict=True), ratios[1], strict=True))
    for measure, machine, ratio in zip(now["measure"], now["machine"], ratios[0], strict=True):
        old = recorded.get((measure, machine), 0.0)
        if ratio < 0.9 * old:
            lines.append(f"slower than recorded: {measure}: {ratio:.3g}, was {old:.3g}")
    return lines


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
    kept = recorded[recorded["machine"] != machine()]  # what other machines have measured stays
    with replacing(args.out) as temporary:
        pd.concat([kept, made]).to_csv(temporary, index=False, float_format="%.4g", lineterminator="\n")
    print(made.drop(columns="machine").to_string(index=False, float_format=lambda v: f"{v:.4g}", na_rep="-"))
    print(f"on {machine()}")
    print(*(slower(made, recorded) or ["nothing is slower than recorded"]), sep="\n")


if __name__ == "__main__":
    main()
