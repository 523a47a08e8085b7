"""Every command of the pages in docs/ is run: as it is, with stand-ins for the steps' scripts, or by another test."""

import re
import shlex
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from helpers.pages import blocks, section
from helpers.project import ROOT, copy_project
from helpers.stand_ins import stand_in

pytestmark = pytest.mark.nightly


def commands() -> list[tuple[str, str]]:
    """(page, command) of every line in a block of shell commands."""
    found = []
    for page in sorted((ROOT / "docs").glob("*.md")):
        for block in blocks(page.read_text(encoding="utf-8"), "sh"):
            found += [(page.stem, line) for line in block.splitlines() if not line.startswith("#")]
    return found


def way(page: str, command: str) -> str:
    """How a command is run here, or the test that runs it."""
    if command.startswith("vi-simsiam score"):
        return "cli/test_score.py"
    if command.startswith("vi-simsiam rank"):
        return "cli/rank/test_rank.py"
    if any(word in command for word in ("slurm", "-- step_download", ".venv/run.stamp")):
        return "workflow/test_slurm.py"
    if command in ("make run", "source .venv/bin/activate"):
        return "docs/test_readme.py"
    if "gpu-day" in command or "gpu_day" in command:
        return "workflow/test_gpu_day.py"
    if command.startswith("python benchmarks/"):
        return "small"
    if page == "your_images":
        return "as it is"
    if page == "extending":
        return "docs/test_extending.py"
    if any(study in command for study in ("label_curve", "rank_check", "rank_training", "rank_views")):
        return "docs/test_studies.py"
    if "clip_art.tar" in command:
        return "archive"
    if page == "choosing_parameters" and command.startswith("snakemake") and "studies" not in command:
        return "ten changes"
    return "stand-in"


def chosen(kind: str) -> list[str]:
    return list(dict.fromkeys(command for page, command in commands() if way(page, command) == kind))


def test_other_tests_run_what_is_left_to_them():
    here = {"as it is", "ten changes", "stand-in", "small", "archive"}
    others = {way(page, command) for page, command in commands()} - here
    assert others == {
        "cli/test_score.py", "cli/rank/test_rank.py", "workflow/test_slurm.py", "docs/test_readme.py",
        "workflow/test_gpu_day.py", "docs/test_studies.py", "docs/test_extending.py",
    }  # fmt: skip
    assert all((ROOT / "tests" / name).is_file() for name in others)
    assert len(commands()) > 40 and len(chosen("as it is")) == 1 and len(chosen("ten changes")) == len(TEN)


# What each of the ten changes must make again in a finished run of one method: all else is a rerun for nothing.
ALL = ("pretrain", "probe", "uncertainty", "plot")
TEN = {
    "seeds=": {"pretrain": 4, "probe": 4, "uncertainty": 4, "plot": 1},
    "methods=": {"pretrain": 1, "probe": 1, "uncertainty": 1, "plot": 1},
    "datasets=": {"download": 1, "cache_views": 1, **dict.fromkeys(ALL, 1)},
    "epochs": dict.fromkeys(ALL, 1),
    "lr": dict.fromkeys(ALL, 1),
    "objective": dict.fromkeys(ALL, 1),
    "per_image": {"cache_views": 1, **dict.fromkeys(ALL, 1)},
    "width": dict.fromkeys(ALL, 1),
    "crop_scale": {"cache_views": 1, **dict.fromkeys(ALL, 1)},
    "bootstrap": {"uncertainty": 1, "plot": 1},
}


def with_stand_ins(path: Path, methods: list[str]):
    """The project with the shipped parameters, but for methods and seeds, and stand-ins for its scripts."""
    repo = copy_project(path)
    for part in ("studies", "docs", "classes"):
        shutil.copytree(ROOT / part, repo.path / part, ignore=shutil.ignore_patterns("__pycache__"))
    stand_in(repo)
    shipped = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    repo.write_params(shipped | {"methods": methods, "seeds": [0]})
    repo.commit("stand-ins")
    return repo


def test_the_ten_likely_changes(tmp_path):
    """What Snakemake plans after each, from the unchanged parameters; the last is carried out."""
    repo = with_stand_ins(tmp_path / "project", ["vi_simsiam"])
    repo.snakemake()
    repo.commit("finished")
    for command, (word, expected) in zip(chosen("ten changes"), TEN.items(), strict=True):
        assert word in command
        jobs = re.findall(r"^(\w+) +(\d+)$", repo("bash", "-c", f"{command} -n"), re.MULTILINE)
        assert {name: int(count) for name, count in jobs if name not in ("all", "total")} == expected, command
    repo.ran()
    repo("bash", "-c", command)
    assert repo.ran() == expected, command


def test_an_archive_without_links(tmp_path):
    """docs/data_sets.md: each drawing once, under the subject that has it, none under those that link to it."""
    drawings = tmp_path / "png"
    for name in ("animals/dogs/a.png", "food/b.png", "food/notes.txt"):
        (drawings / name).parent.mkdir(parents=True, exist_ok=True)
        (drawings / name).write_text(name, encoding="utf-8")
    (drawings / "food/a.png").symlink_to("../animals/dogs/a.png")
    (command,) = chosen("archive")
    command = command.replace("/usr/share/openclipart/png", shlex.quote(str(drawings)))
    subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True)
    with tarfile.open(tmp_path / "clip_art.tar") as archive:
        assert archive.getnames() == ["animals/dogs/a.png", "food/b.png"]


def test_training_on_a_folder(blank):
    """docs/your_images.md: its recipe, its command, its lines of Python, on made-up photographs."""
    page = section("your_images.md", "Train on your images")
    recipe = yaml.safe_load(blocks(page, "yaml")[0])["recipes"]["pets"]
    folder = blank.path.parent / "pets"
    draw = np.random.default_rng(0)
    for i in range(60):
        name = folder / f"{'cat' if i % 2 else 'dog'}/{i}.jpg"
        name.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 128 + 127 * (i % 2), (40, 50, 3)).astype(np.uint8)).save(name)
    shutil.make_archive(str(folder), "zip", folder)
    params = blank.read("params.yaml")
    params["methods"] = ["vi_simsiam"]
    params["recipes"]["fashion_mnist"] = params["recipes"]["digits"]
    params["recipes"]["pets"] = recipe | {"download": {"path": f"{folder}.zip"}}
    params["recipes"]["pets"]["cache_views"] |= {"test_images": None}
    blank.write_params(params)
    (command,) = chosen("as it is")
    said = blank("bash", "-c", command)
    assert "gallery.html" in said and "pets" in said
    ranking = pd.read_csv(blank.path / "results/plot/ranking.csv")
    assert set(ranking["path"]) <= {str(path.relative_to(folder)) for path in folder.rglob("*.jpg")}
    lines = blocks(page, "python")[0].strip().splitlines()
    script = "import pandas as pd\n" + "\n".join([*lines[:-1], f"print({lines[-1]}.to_csv(index=False))"])
    shown = subprocess.run([sys.executable, "-c", script], cwd=blank.path, capture_output=True, text=True, check=True)
    paths = [line.split(",")[0] for line in shown.stdout.splitlines()[1:] if line]
    assert paths == ranking["path"].tolist()[: len(paths)] and len(paths) >= 10


def test_commands_with_stand_ins(tmp_path):
    """All others, with the shipped parameters and recipes, of which lists of methods and seeds are shorter.

    Of the commands that differ by a name or a value alone one is carried out; the others are planned, or queued.
    """
    repo = with_stand_ins(tmp_path / "project", ["untrained", "vi_simsiam"])
    for name in ("cifar10-jpeg.zip", "clip_art.tar"):
        (repo.path / name).write_bytes(b"")
    (repo.path / "imagenet/train/n01440764").mkdir(parents=True)
    experiments = sweeps = 0
    studied = "studies/digits.yaml"
    study = (repo.path / studied).read_text(encoding="utf-8")
    (repo.path / studied).write_text(study.replace("seeds: [0, 1, 2]", "seeds: [0]"), encoding="utf-8")
    for command in chosen("stand-in"):
        if command.startswith("python docs/study.py") and studied not in command:
            continue  # as for the one study that is carried out
        shorter = command.replace("--cores all", "--cores 2")
        names = re.findall(r"datasets=\[(.*?)\]", command)
        if command.startswith("dvc exp run"):
            experiments += 1
            shorter = shorter.replace("exp run", "exp run --queue") if "bootstrap" not in command else shorter
        elif names and "," not in names[0]:
            sweeps += 1
            shorter = shorter.replace(" -- ", " -n -- ") if " -- " in shorter else f"{shorter} -n"
        elif "studies" in command and command.startswith("snakemake"):
            shorter = shorter if studied in command else shorter.replace(" -- ", " -n -- ")
        said = repo("bash", "-c", shorter)
        if command.startswith("snakemake") and "studies" not in command:
            for name in (names or ["digits"])[0].split(","):
                assert f"{name}/vi_simsiam/seed0" in said or (repo.path / "results/uncertainty" / name).is_dir(), said
        repo("git", "checkout", "-q", "params.yaml")
    assert experiments == 3 and sweeps >= 8
    queued = repo("dvc", "queue", "status")
    assert queued.count("Queued") == 2
    table = pd.read_csv(repo.path / "studies/digits.csv")
    assert len(table) == 9 and (table["knn_top1"] == 0.5).all() and table["stopped"].isna().all()


# Of those that differ by a value alone the first one.
@pytest.mark.parametrize("command", {command.split()[1]: command for command in reversed(chosen("small"))}.values())
def test_benchmarks_with_less_to_do(command, tmp_path):
    less = {"memory.py": ["--images", "64"], "rank.py": ["--photographs", "4"]}
    _, script, *arguments = command.split()
    changed = [sys.executable, script, *arguments, *less[Path(script).name]]
    for part in ("benchmarks", "src"):  # some write their table beside themselves
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "params.yaml", tmp_path)
    said = subprocess.run(changed, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert said.strip()
