"""Which source files a job's result depends on: its script and what that imports."""

import ast
import functools
import hashlib
from pathlib import Path

SRC = Path(__file__).resolve().parents[2]
_DATA = (".html", ".css", ".js")  # files beside a module that it reads: templates


@functools.cache
def files(step: str, method: str | None = None) -> list[str]:
    """Source files of a job: its script and every module in src that it imports, at any depth, with their data files.

    A method is imported by its name, so its module is added by its name. So are the modules of figures.
    """
    todo = [SRC / f"{step}.py"] + [SRC / "vi_simsiam" / "methods" / f"{method}.py"] * (method is not None)
    todo += (SRC / "vi_simsiam" / "report" / "figures").glob("*.py") if step == "plot" else []
    used: set[Path] = set()
    while todo:
        file = todo.pop()
        if file not in used:
            used.add(file)
            todo += _imported(file)
    used |= {path for folder in {file.parent for file in used} for path in folder.iterdir() if path.suffix in _DATA}
    # They say what parameters may be; what a job is given (config/jobs.py) is compared itself.
    used -= {SRC / "vi_simsiam" / "config" / f"{name}.py" for name in ("schema", "fields", "encoders", "alterations")}
    return sorted(file.relative_to(SRC.parent).as_posix() for file in used)


def digest(step: str, method: str | None = None) -> str:
    """A hash of a job's source files, their names included: 16 hexadecimal digits."""
    names = files(step, method)
    return hashlib.sha256("".join(name + _sha256(SRC.parent / name) for name in names).encode()).hexdigest()[:16]


@functools.cache
def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@functools.cache
def _imported(file: Path) -> list[Path]:
    names: list[str] = []
    todo: list[ast.AST] = [ast.parse(file.read_bytes(), str(file))]
    while todo:
        node = todo.pop()
        # Imports are statements, and expressions, most of the tree, hold none.
        todo += [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr)]
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    paths = [
        SRC.joinpath(*parts[:n]) for parts in (name.split(".") for name in names) for n in range(1, len(parts) + 1)
    ]
    candidates = [path for p in paths for path in (p.with_suffix(".py"), p / "__init__.py")]
    return [path for path in candidates if path.is_file()]
