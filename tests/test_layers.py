"""The house: which folder may import from which, and what a job must not import."""

import ast
import subprocess
import sys

import pytest

from helpers.project import ROOT

SRC = ROOT / "src"
PACKAGE = SRC / "vi_simsiam"
FLOORS = [
    {"core"},
    {"config", "transforms", "stats", "nn"},
    {"data", "methods"},
    {"evaluation"},
    {"training", "models"},
    {"report"},
    {"cli"},
]
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")


def floor(room):
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


def imported_rooms(path):
    """Rooms that a module imports from, anywhere in it."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        rooms |= {name.split(".")[1] for name in names if name.startswith("vi_simsiam.")}
    return rooms


def test_imports_go_one_way():
    wrong = []
    for path in MODULES:
        room, *inside = path.relative_to(PACKAGE).parts
        if inside:  # the others are the command, at the top
            wrong += [f"{path}: {other}" for other in imported_rooms(path) - {room} if floor(other) >= floor(room)]
    assert not wrong, "imports from rooms that are not below"


@pytest.mark.parametrize(
    ("scripts", "more"),
    [
        ("cache_views, pretrain, probe, uncertainty", {"matplotlib"}),
        ("download", {"matplotlib", "torch", "pandas"}),
        ("plot", {"torch"}),
    ],
)
def test_jobs_import_nothing_that_takes_seconds_and_is_not_needed(scripts, more):
    """Steps' scripts; a training on GPUs imports torch._dynamo itself, and a figure matplotlib."""
    slow = {"torchvision", "sklearn", "scipy.stats", "torch._dynamo", "timm"}
    code = f"import sys, {scripts}; print(*sorted({slow | more!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=SRC, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
