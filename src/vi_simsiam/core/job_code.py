"""Which source files a job's result depends on: its script and what that imports."""

import functools
import hashlib
import re
from pathlib import Path

SRC = Path(__file__).resolve().parents[2]
_DATA = (".html", ".css", ".js")  # files beside a module that it reads: templates
# An import, its module and what it takes of it. Every call of Snakemake and every job reads those of all files, which
# takes Python's parser twelve times as long.
_IMPORT = re.compile(r"(?:^|[;:])[ \t]*(?:from[ \t]+([\w.]+)[ \t]+)?import\b[ \t]*(\([^)]*\)|[^;\n]*)", re.MULTILINE)
_BETWEEN = re.compile(r"#.*|\\\n")  # comments, which may hold a parenthesis, and breaks of a line


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
    used -= {SRC / "vi_simsiam" / "config" / f"{name}.py" for name in ("schema", "encoders")}
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
    for module, members in _IMPORT.findall(_BETWEEN.sub("", file.read_text(encoding="utf-8"))):
        before = f"{module}." if module else ""
        names += [module, *(before + name for name in re.findall(r"[\w.]+", members))]
    return [path for name in names for path in _sources(name)]


@functools.cache
def _sources(name: str) -> list[Path]:
    """The files in src that are read when a module, or what one has, is imported by its dotted name."""
    parts = name.split(".")
    found = [SRC.joinpath(*parts[:n]) for n in range(1, len(parts) + 1)]
    return [path for p in found for path in (p.with_suffix(".py"), p / "__init__.py") if path.is_file()]
