"""Measure what a GPU does in a limited time: tests, the speed of a step, CIFAR-10 from its archive to measures.

    python benchmarks/gpu_day.py --minutes 10 --archive cifar10-jpeg.zip [--out gpu_day]

Stages, each a script of the project with a log in OUT/logs: `checks` (the tests of `make gpu-check`), `step`
(benchmarks/compare.py: ours, the model alone, lightly where it is installed), then download, cache_views,
pretrain for as many epochs as the measured speed allows, probe, uncertainty. OUT/summary.txt says what was found.
Called again with the same OUT it goes on where it ended: finished stages are left out, and the training resumes.

It needs neither Snakemake nor DVC: a Python with the packages that pyproject.toml lists, and pytest for the checks.
"""

import argparse
import contextlib
import importlib.util
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))
from vi_simsiam.config.loading import load, merged, resolve
from vi_simsiam.core import record
from vi_simsiam.core.files import read_json, write_json

ROOT = Path(__file__).resolve().parents[1]
RECIPE, METHOD = "cifar10_200", "vi_simsiam"
RUN = f"{RECIPE}/{METHOD}/seed0"
CHECKS = (
    "tests/test_pretended_gpu.py", "tests/training/test_on_a_gpu.py",
    "tests/evaluation/test_steps_on_a_gpu.py", "tests/transforms/test_views.py",
    "tests/transforms/test_noise.py",
)  # fmt: skip
# Changes of the recipe: batches that fill a large GPU, and a test set that does not take longer than the training.
CHANGES = {
    "cache_views": {"test_images": 2000},
    "pretrain": {"batch_size": 512, "knn_every": 10},
    "uncertainty": {"ood": [], "bootstrap": 200},
}
MOST_EPOCHS = 200
SHARE = 0.5  # of the time left when the training begins, for the training; the rest is for probe and uncertainty
START = 20  # s until a training trains, and from its end: 18 on an H100 machine whose processes start slowly
SLOWEST = 1000  # images/s that are assumed where the speed could not be measured
MEASURES = ("expected_cosine_mean", "spearman_crop_area/kappa", "auroc_crop_correct/kappa", "auroc_correct/kappa")
PACKAGES = ("torch", "torchvision", "numpy", "pytorch-lightning", "pydantic", "lightly")


class Day:
    """Stages whose logs and state are in a folder, and the time left."""

    def __init__(self, out: Path, seconds: float):
        self.out, self.end = out, time.monotonic() + seconds
        (out / "logs").mkdir(parents=True, exist_ok=True)
        self.state: dict[str, Any] = {"done": {}}
        if (out / "state.json").exists():
            self.state = read_json(out / "state.json")

    def left(self) -> float:
        return self.end - time.monotonic()

    def remember(self, **values: Any) -> None:
        self.state |= values
        write_json(self.out / "state.json", self.state)

    def stage(self, name: str, command: list[Any], share: float = 1.0) -> bool:
        """Run a command in at most this share of the time left; True if it has succeeded, now or earlier."""
        if name in self.state["done"]:
            print(f"{name}: done before", flush=True)
            return True
        limit = share * self.left()
        if limit < 1:
            print(f"{name}: no time left", flush=True)
            return False
        print(f"{name}: at most {limit:.0f} s", flush=True)
        started = time.monotonic()
        with open(self.out / "logs" / f"{name}.log", "a") as log:
            status = _call([str(word) for word in command], log, limit)
        taken = time.monotonic() - started
        print(f"{name}: {taken:.1f} s, {'time is up' if status is None else f'status {status}'}", flush=True)
        if status == 0:
            self.remember(done=self.state["done"] | {name: round(taken, 1)})
        return status == 0

    def log(self, name: str) -> str:
        path = self.out / "logs" / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""


def _call(command: list[str], log: Any, limit: float) -> int | None:
    """Exit status, or None when the time was up. In any case the command and all that it has started end."""
    path = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=log, stderr=log, env=os.environ | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"},
        start_new_session=True,
    )  # fmt: skip
    try:
        return process.wait(limit)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with contextlib.suppress(ProcessLookupError):  # all have ended
            os.killpg(process.pid, signal.SIGKILL)


def machine() -> str:
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    versions = ", ".join(f"{name} {version or '(none)'}" for name, version in record.versions(*PACKAGES).items())
    return f"{gpu}, {os.cpu_count()} cores, Python {sys.version.split()[0]}, CUDA {torch.version.cuda}\n{versions}"


def speeds(day: Day) -> pd.DataFrame:
    """Rows of benchmarks/compare.py on the training step, SimSiam with fresh views first; none if there is no file."""
    path = day.out / "step.csv"
    return pd.read_csv(path) if path.exists() else pd.DataFrame({"measure": [], "ours": []})


def epochs(rate: float, images: int, seconds: float) -> int:
    """As many as fit into the share of the time for training."""
    return min(MOST_EPOCHS, max(1, int((SHARE * seconds - START) * rate / images)))


def cifar(day: Day, archive: Path, changes: dict[str, Any]) -> None:
    """From the archive of JPEG files to measures; each step of the pipeline is a stage."""
    shipped, work = load(ROOT / "params.yaml"), day.out / "work"
    folders = {step: work / step for step in ("download", "cache_views")}
    folders |= {step: work / step / RUN for step in ("pretrain", "probe", "uncertainty")}
    store, model = {"store": folders["cache_views"]}, {"model": folders["pretrain"]}
    of_run = {"method": METHOD, "seed": 0, "scratch": work / "scratch"}
    arguments: dict[str, dict[str, Any]] = {
        "download": {},
        "cache_views": {"download": folders["download"], "threads": os.cpu_count()},
        "pretrain": store | of_run,
        "probe": store | model | of_run,
        "uncertainty": store | model | {"probe": folders["probe"]} | of_run,
    }
    changes = merged(changes, {"download": {"path": str(archive.resolve()), "source": "files"}})
    for step, given in arguments.items():
        if step == "pretrain":
            if "epochs" not in day.state:  # stored, so that what resumes is the same training
                measured = speeds(day)
                rate = SLOWEST if measured.empty else measured["ours"].iloc[0]
                images = read_json(folders["cache_views"] / "store.json")["train"]
                day.remember(epochs=epochs(rate, images, day.left()), images=images)
            number = day.state["epochs"]
            changes = merged(changes, {"pretrain": {"epochs": number, "warmup_epochs": min(5, number // 5)}})
        job = merged(resolve(shipped, step, RECIPE, METHOD if step == "pretrain" else None), changes.get(step, {}))
        given = {"dataset": RECIPE, "params": json.dumps(job), "out": folders[step]} | given
        words = [word for name, value in given.items() for word in (f"--{name}", value)]
        if not day.stage(step, [sys.executable, f"src/{step}.py", *words]):
            return


def summary(day: Day) -> str:
    """What was found so far."""
    lines = [machine()]
    if found := re.findall(r"^.*\d+ (?:passed|failed|skipped|error).*$", day.log("checks"), re.MULTILINE):
        lines.append(f"checks: {found[-1].strip('= ')}")
    for row in speeds(day).itertuples():
        others = {"the model alone": row.limit, "lightly": row.peer}
        beside = "".join(f", {name} {rate:,.0f}" for name, rate in others.items() if not math.isnan(rate))
        lines.append(f"{row.measure.partition(', against')[0]}: {row.ours:,.0f} images/s{beside}")
    done = day.state["done"]
    if "pretrain" in done:
        rate = day.state["epochs"] * day.state["images"] / done["pretrain"]
        lines.append(
            f"pretrain: {day.state['epochs']} epochs of {day.state['images']} images; the last call that worked on it: "
            f"{done['pretrain']} s; {rate:,.0f} images/s if that was all, with start, checksums and monitor"
        )
    if "probe" in done:
        results = read_json(day.out / "work/probe" / RUN / "probe.json")
        lines.append(f"probe: {results['probe_top1']:.4f}, k-NN: {results['knn_top1']:.4f}")
    if "uncertainty" in done:
        measures = read_json(day.out / "work/uncertainty" / RUN / "metrics.json")
        for name in MEASURES:
            if name in measures:
                of = measures[name]
                lines.append(f"{name}: {of['estimate']:.4f} [{of['ci_low']:.4f}, {of['ci_high']:.4f}]")
    lines.append("seconds: " + ", ".join(f"{name} {taken}" for name, taken in done.items()))
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10, help="that all stages together may take")
    parser.add_argument(
        "--archive", type=Path, default=ROOT / "cifar10-jpeg.zip", help="of train/<class>, test/<class>"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "scratch/gpu_day", help="logs, results and the summary")
    parser.add_argument("--change", type=json.loads, default={}, metavar="JSON", help="parameters by step")
    parser.add_argument("--quick", action="store_true", help="a tiny step benchmark: its numbers mean nothing")
    args = parser.parse_args()
    day = Day(args.out.resolve(), 60 * args.minutes)
    print(machine(), flush=True)
    if not torch.cuda.is_available():
        print("checks: left out, there is no GPU", flush=True)
    elif importlib.util.find_spec("pytest") is None:
        print("checks: left out, there is no pytest", flush=True)
    else:
        several = ["-n", min(8, os.cpu_count() or 1)] if importlib.util.find_spec("xdist") else []
        words = ["-q", "--tb=short", "-p", "no:cacheprovider", "-m", "gpu", *several, *CHECKS]
        day.stage("checks", [sys.executable, "-m", "pytest", *words], 0.25)
    words = ["--only", "training", "--out", day.out / "step.csv", *["--quick"] * args.quick]
    day.stage("step", [sys.executable, "benchmarks/compare.py", *words], 0.3)
    if args.archive.exists():
        cifar(day, args.archive, merged(CHANGES, args.change))
    else:
        print(f"CIFAR-10: left out, there is no {args.archive}: give --archive", flush=True)
    text = summary(day)
    (day.out / "summary.txt").write_text(text)
    print(text, end="", flush=True)


if __name__ == "__main__":
    main()
