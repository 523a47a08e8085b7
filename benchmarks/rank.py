"""Time and memory of `vi-simsiam rank` and `score` on many images, beside cleanvision.

    python benchmarks/rank.py [--photographs 1000] [--archive cifar10-jpeg.zip] [--images 10000] [--fastdup PYTHON]

The photographs are artificial: JPEG files of 1 to 4 megapixels, of soft shapes and grain. With an archive of small
images, --images of them are ranked as well, and a tenth of that number, which shows if memory grows. Rows:

- rank: everything, into an empty folder, with EfficientNet-Lite0 at 96 pixels (extra [lite])
- rank --no-kappa: the same without views and training
- score: the same files with the model that `rank` left, once, at the same size
- decoding: the files read, decoded and resized as `score` does it, and nothing else: the limit of `score`
- cleanvision: its issues of image properties and near-duplicates (benchmarks/requirements.txt)
- fastdup: its run, which finds near-duplicates and outliers; with --fastdup PYTHON, the interpreter of an environment
  that has it

Each is a new process; its peak of resident memory is the system's, that of the largest process if it starts several.
Mapped pages of files count as resident, though the system takes them back when it needs them.
"""

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

SRC = Path(__file__).parents[1] / "src"
COLUMNS = ["job", "files", "seconds", "cpu_seconds", "files_per_second", "peak_mib", "machine"]
SIZE = 96
_DECODING = f"""
import sys
from vi_simsiam.core.processes import cores
from vi_simsiam.data.reader import ImageReader
print(sum(image.problem is None for image in ImageReader(sys.argv[1:], {SIZE}, 3, cores())))
"""
_CLEANVISION = """
import sys
from cleanvision import Imagelab
Imagelab(data_path=sys.argv[1], verbose=False).find_issues(verbose=False)
"""
_FASTDUP = """
import sys
import fastdup
fastdup.create(work_dir=sys.argv[2], input_dir=sys.argv[1]).run()
"""


def photographs(folder: Path, count: int) -> None:
    """JPEG files of 1 to 4 megapixels, always the same."""
    folder.mkdir()
    for number in range(count):
        draw = np.random.default_rng(number)
        height = round((draw.uniform(1e6, 4e6) / 1.5) ** 0.5)
        width = round(1.5 * height)
        shapes = Image.fromarray(draw.integers(0, 256, (12, 18, 3), dtype=np.uint8)).resize((width, height), 3)
        grain = Image.fromarray(draw.integers(0, 256, (256, 256), dtype=np.uint8)).resize((width, height), 0)
        Image.blend(shapes, grain.convert("RGB"), 0.08).save(folder / f"{number:05}.jpg", quality=88)


def unpacked(archive: Path, folder: Path, count: int) -> None:
    folder.mkdir()
    with zipfile.ZipFile(archive) as packed:
        names = [name for name in packed.namelist() if name.endswith((".jpg", ".jpeg", ".png"))]
        for number, name in enumerate(names[:: max(1, len(names) // count)][:count]):
            (folder / f"{number:05}{Path(name).suffix}").write_bytes(packed.read(name))


def measured(job: str, folder: Path, command: list[str]) -> dict:
    """Run a command in a new process: its row of the table."""
    environment = os.environ | {"PYTHONPATH": str(SRC)}
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"{job} failed: {errors.decode()[-2000:]}")
    files = sum(1 for _ in folder.iterdir())
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    row = {"job": job, "files": f"{files} {folder.name}", "seconds": seconds, "files_per_second": files / seconds}
    row["cpu_seconds"] = usage.ru_utime + usage.ru_stime
    print(row, flush=True)
    return row | {"peak_mib": usage.ru_maxrss * unit / 2**20}


def rows(folder: Path, top: Path, fastdup: Path | None) -> list[dict]:
    out, brief, python = top / f"ranked_{folder.name}", top / "brief", [sys.executable, "-c"]
    program = [sys.executable, "-m", "vi_simsiam"]
    rank = [*program, "rank", str(folder), "--size", str(SIZE), "--out"]
    model, table = str(out / "model"), str(out / "scores.csv")
    found = [
        measured("rank", folder, [*rank, str(out)]),
        measured("rank --no-kappa", folder, [*rank, str(brief), "--no-kappa"]),
        measured("score", folder, [*program, "score", str(folder), "--run", model, "--out", table]),
        measured("decoding", folder, [*python, _DECODING, str(folder)]),
    ]
    if importlib.util.find_spec("cleanvision") is not None:
        found.append(measured("cleanvision", folder, [*python, _CLEANVISION, str(folder)]))
    if fastdup is not None:
        found.append(measured("fastdup", folder, [str(fastdup), "-c", _FASTDUP, str(folder), str(top / "fastdup")]))
        shutil.rmtree(top / "fastdup")
    shutil.rmtree(out)
    shutil.rmtree(brief)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", type=int, default=1000)
    parser.add_argument("--archive", type=Path, help=".zip of small images, such as CIFAR-10's")
    parser.add_argument("--images", type=int, default=10_000, help="of the archive")
    parser.add_argument("--fastdup", type=Path, metavar="PYTHON", help="interpreter that can import fastdup")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("rank.csv"))
    args = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        photographs(top / "photographs", args.photographs)
        found += rows(top / "photographs", top, args.fastdup)
        if args.archive is not None:
            for count in (args.images // 10, args.images):
                unpacked(args.archive, top / "small images", count)
                found += rows(top / "small images", top, args.fastdup)
                shutil.rmtree(top / "small images")
    # Imported late: a process begins with the peak of the one that started it, and torch is large.
    from compare import machine

    table = pd.DataFrame(found).assign(machine=machine())[COLUMNS]
    table.to_csv(args.out, index=False, float_format="%.4g", lineterminator="\n")
    print(table.drop(columns="machine").to_string(index=False))


if __name__ == "__main__":
    main()
