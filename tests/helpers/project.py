"""A temporary copy of the project with a tiny run, for the tests of the two engines."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from helpers import engines
from vi_simsiam.config.loading import merged

ROOT = Path(__file__).resolve().parent.parent.parent
PARTS = ["Snakefile", "dvc.yaml", "params.yaml", "pyproject.toml", "workflow", "profiles", "src"]
PARTS += [".gitignore", ".gitattributes", ".dvcignore", ".dvc/config", ".dvc/.gitignore"]
PARTS += ["data/.gitignore", "results/.gitignore"]  # DVC's: its output folders are not git's
_SMALL = {
    "cache_views": {"size": 12, "train_images": 64, "test_images": 48, "test_per_image": 2},
    "pretrain": {
        "epochs": 2,
        "batch_size": 32,
        "warmup_epochs": 1,
        "backbone": {"name": "resnet10", "width": 4},
        "projector": {"hidden": 8, "out": 8},
        "predictor": {"hidden": 8},
        "vi_simsiam": {"kappa_hidden": 8},
    },
}
# What the tiny run changes in params.yaml: one data set, two methods, one seed, and a second data set to add.
TINY = {
    "datasets": ["digits"],
    "methods": ["untrained", "vi_simsiam"],
    "seeds": [0],
    "recipes": {"digits": _SMALL, "digits_b": {**_SMALL, "download": {"source": "digits"}}},
    "uncertainty": {
        "crop_areas": [0.3, 1.0],
        "bootstrap": 100,
        "graded": {"brightness": [], "contrast": [], "blur": [1.0], "noise": [], "occlusion": [0.5]},
    },
    "plot": {"quantiles": 2, "grid_images": 4},
}


class Repo:
    """A copy of the project: a git repository with DVC in it."""

    def __init__(self, path: Path, **env: str):
        self.path = path
        who = {f"GIT_{role}_{key}": "t@t" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
        caches = {"DVC_SITE_CACHE_DIR": str(path.parent / "dvc_site"), "DVC_NO_ANALYTICS": "1"}
        # On the CPU results are the same to the bit, and many tests at once would not fit on one GPU.
        caches["CUDA_VISIBLE_DEVICES"] = ""
        search = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.env = {**os.environ, "PATH": search, **who, **caches, **env}
        self.forked = True  # commands of the engines are forked, see `engines`; False: new processes
        self._seen: dict[Path, str] = {}
        self.ran()

    def __call__(self, *command: str, ok: bool = True, **env: str) -> str:
        """Run a command; `ok=False`: it must fail. Returns what it printed."""
        env = self.env | env
        if self.forked and command[0] in engines.COMMANDS:
            fast = engines.start()
            env |= fast | {"PATH": fast["PATH"] + os.pathsep + env["PATH"]}
        program = shutil.which(command[0], path=env["PATH"]) or command[0]
        done = subprocess.run([program, *command[1:]], cwd=self.path, env=env, capture_output=True, text=True)
        assert (done.returncode == 0) == ok, f"{command} returned {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def copy(self, path: Path) -> "Repo":
        """Copy it to another folder, to change."""
        shutil.copytree(self.path, path, symlinks=True)
        return Repo(path)

    def snakemake(self, *arguments: str, **keywords: Any) -> str:
        return self("snakemake", "--cores", "2", *arguments, **keywords)

    def planned(self) -> dict[str, int]:
        """How many jobs of each step Snakemake would run now."""
        jobs = re.findall(r"^(\w+) +(\d+)$", self.snakemake("-n"), re.MULTILINE)
        return {name: int(count) for name, count in jobs if name not in ("all", "total")}

    def repro(self, *arguments: str, **keywords: Any) -> str:
        return self("dvc", "repro", *arguments, **keywords)

    def commit(self, message: str = "x") -> None:
        self("git", "add", "-A")
        self("git", "commit", "-q", "--allow-empty", "-m", message)

    def read(self, path: str) -> Any:
        return yaml.safe_load((self.path / path).read_text())

    def ran(self) -> dict[str, int]:
        """How many jobs of each step have succeeded since the last call: each leaves a new run.json."""
        records = [path for top in ("data", "results") for path in (self.path / top).rglob("run.json")]
        now = {path: path.read_text() for path in records}
        new = [text for path, text in now.items() if self._seen.get(path) != text]
        self._seen = now
        return dict(Counter(json.loads(text)["step"] for text in new))

    def set(self, key: str, value: Any) -> None:
        """Change one entry of params.yaml, e.g. `set("probe.C", 2.0)`."""
        params = self.read("params.yaml")
        section = params
        *parents, last = key.split(".")
        for part in parents:
            section = section[part]
        section[last] = value
        self.write_params(params)

    def write_params(self, params: Any) -> None:
        params = json.loads(json.dumps(params))  # no shared parts, which YAML would write as references
        (self.path / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))

    def append(self, path: str, text: str) -> None:
        with open(self.path / path, "a") as file:
            file.write(text)

    def agree(self) -> None:
        """Both engines say that there is nothing to do."""
        status = self("dvc", "status")
        assert "up to date." in status, status
        said = self.snakemake("-n")
        assert "Nothing to be done" in said, said


def copy_project(path: Path, **env: str) -> Repo:
    """The working tree of the project, without results, with the tiny parameters, committed.

    With the compiled modules, so that no command compiles them again.
    """
    for part in PARTS:
        source, target = ROOT / part, path / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.pyc.*", "*.egg-info"))
        else:
            shutil.copy(source, target)
    repo = Repo(path, **env)
    params = repo.read("params.yaml")
    params.pop("recipes")
    repo.write_params(merged(params, TINY))
    repo("git", "init", "-qb", "main")
    repo.commit("code")
    return repo
