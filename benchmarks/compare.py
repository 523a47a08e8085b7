"""Everything that is timed, beside what people use today: `make benchmark`. Prints a table, writes results.csv.

    python benchmarks/compare.py [--out benchmarks/results.csv] [--results results] [--quick]

Columns: measure; ours, peer and limit in `unit`; ratio_to_peer, how many times faster ours is; ratio_to_limit, the
share of the possible speed that ours reaches; machine. A cell is empty where there is no peer, or where its package
(`benchmarks/requirements.txt`) is not installed. Each measure's script says what is compared, and runs alone as well.
Rows of measures that have been recorded for the same machine are printed with what became of them.
"""

import argparse
import importlib.util
import os
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
from vi_simsiam.core import processor
from vi_simsiam.core.files import read_json, replacing
from vi_simsiam.core.randomness import generator
from vi_simsiam.core.record import NAME
from vi_simsiam.evaluation.features import best_device

SECONDS = "CPU s"
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
    images, resamples, peers = (200, 50, 10) if quick else (2000, 2000, 100)
    return [
        {"measure": f"bootstrap, {name}, {images:,} images, against scipy", "ours": ours, "peer": peer}
        | {"unit": "resamples/s"}
        for name, (ours, peer) in bootstrap.against_scipy(images, resamples, peers).items()
    ]


def reading_rows(quick: bool) -> list[dict]:
    found = store_reading.rates(300 if quick else 10_000, 32, 0.1 if quick else 2.0)
    name = "store reading, 32 px, against JPEG files, limit: memory"
    return [
        {"measure": name, "ours": found["store"], "peer": found["files"], "limit": found["limit"], "unit": "images/s"}
    ]


def run_rows(results: Path) -> list[dict]:
    """CPU seconds of the jobs that have left `results`, by step and processor, from their records.

    A job that another processor has done counts for that one; a record of an older version has no such number.
    """
    records = [read_json(path) for path in sorted(results.glob(f"**/{NAME}"))]
    jobs: dict[tuple[str, str], list[float]] = {}
    for done in records:
        if "cpu_seconds" in done:
            on = f"{done['processor']}, torch {done['versions']['torch']}"
            jobs.setdefault((done["step"], on), []).append(done["cpu_seconds"])
    return [
        {"measure": f"results, {step}, {len(seconds)} jobs", "ours": sum(seconds), "unit": SECONDS, "machine": on}
        for (step, on), seconds in jobs.items()
    ]


def table(quick: bool, results: Path) -> pd.DataFrame:
    torch.set_num_threads(os.cpu_count())
    makers = training_rows, augmentation_rows, probe_rows, bootstrap_rows, reading_rows
    rows = [row | {"machine": machine()} for rows in makers for row in rows(quick)]
    out = pd.DataFrame(rows + run_rows(results), columns=COLUMNS)
    for name in ("peer", "limit"):
        out[name] = out[name].astype(float)
        out[f"ratio_to_{name}"] = out["ours"] / out[name]
    return out


def against_recorded(now: pd.DataFrame, before: pd.DataFrame) -> pd.Series:
    """How many times as fast each measure of `now` is as recorded: (n,), NaN where this machine has none recorded.

    Of the ratio to the peer, or to the limit where there is none: ratios of one run stand the noise of a machine that
    absolute numbers do not. What has neither, seconds of jobs, is compared itself.
    """

    def speed(table: pd.DataFrame) -> pd.Series:
        own = (1 / table["ours"]).where(table["unit"] == SECONDS, table["ours"])
        values = table["ratio_to_peer"].fillna(table["ratio_to_limit"]).fillna(own)
        return values.set_axis(pd.MultiIndex.from_frame(table[["measure", "machine"]]))

    fresh, old = speed(now), speed(before)
    return (fresh / old.reindex(fresh.index)).set_axis(now.index)


def told(now: pd.DataFrame, before: pd.DataFrame) -> list[str]:
    """A line for each measure that became slower by a tenth or more, or one that none did."""
    relative = against_recorded(now, before)
    lines = [
        f"slower than recorded, {ratio:.2f} times the speed: {measure}"
        for measure, ratio in zip(now["measure"], relative, strict=True)
        if ratio < 0.9
    ]
    known = int(relative.notna().sum())
    return lines or [f"of {len(now)} measures {known} are recorded for this machine, and none has become slower"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results.csv"))
    parser.add_argument("--results", type=Path, default=Path("results"), help="of a run, whose CPU seconds are told")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: the numbers mean nothing")
    args = parser.parse_args()
    missing = [name for name in ("lightly", "kornia") if importlib.util.find_spec(name) is None]
    if missing:
        print(f"without {', '.join(missing)}: pip install --no-deps -r benchmarks/requirements.txt", file=sys.stderr)
    made = table(args.quick, args.results)
    recorded = pd.read_csv(args.out) if args.out.exists() else made.iloc[:0]
    again = recorded["machine"].isin(made["machine"])
    kept = recorded[~again]  # what other machines have measured stays
    with replacing(args.out) as temporary:
        pd.concat([kept, made]).to_csv(temporary, index=False, float_format="%.4g", lineterminator="\n")
    shown = made.drop(columns="machine").assign(to_recorded=against_recorded(made, recorded))
    print(shown.to_string(index=False, float_format=lambda v: f"{v:.4g}", na_rep="-"))
    print(f"on {machine()}")
    print(*told(made, recorded), sep="\n")


if __name__ == "__main__":
    main()
