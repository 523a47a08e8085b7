"""Which files a job's digest holds: those that Python's parser finds in the imports of each."""

import ast

from helpers.project import ROOT
from vi_simsiam.core import job_code

NUMBERS = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"]
NUMBERS += ["eleventh", "twelfth"]


def parsed(text):
    """Dotted names of all modules, and of what is taken of them, that a source imports."""
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_imports_are_those_of_pythons_parser():
    files = list((ROOT / "src").rglob("*.py"))
    assert ROOT / "src/probe.py" in files
    for file in files:
        expected = {path for name in parsed(file.read_bytes()) for path in job_code._sources(name)}
        assert set(job_code._imported(file)) == expected, file


def test_every_way_to_import(tmp_path, monkeypatch):
    text = '''"""A text that is no import of anything."""
from typing import TYPE_CHECKING
import here.first, here.second as other
if TYPE_CHECKING:
    from here.third import (
        Thing,  # and why
        Other as Another,
    )
def late():
    from here import fourth
    import here.fifth
    return "from here import sixth"
from here import (  # (so far)
    seventh,  # :)
    eighth,
)
try: import here.ninth; from here import tenth
except ImportError: pass
from here \\
    import eleventh
from\there import(twelfth)
'''
    (tmp_path / "here").mkdir()
    for name in ("__init__", *NUMBERS):
        (tmp_path / f"here/{name}.py").touch()
    (tmp_path / "step.py").write_text(text, encoding="utf-8")
    monkeypatch.setattr(job_code, "SRC", tmp_path)
    job_code._sources.cache_clear()
    found = {path.stem for path in job_code._imported(tmp_path / "step.py")}
    expected = {path.stem for name in parsed(text) for path in job_code._sources(name)}
    job_code._sources.cache_clear()
    assert found == expected == {"__init__", *NUMBERS} - {"sixth"}
