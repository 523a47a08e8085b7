"""Which files a job's digest holds: those that Python's parser finds in the imports of each."""

import ast

import pytest

from helpers.project import ROOT
from vi_simsiam.core import job_code


def parsed(text):
    """Dotted names of all modules, and of what is taken of them, that a source imports."""
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("folder", [path.name for path in sorted((ROOT / "src/vi_simsiam").iterdir()) if path.is_dir()])
def test_imports_are_those_of_pythons_parser(folder):
    for file in (ROOT / "src/vi_simsiam" / folder).rglob("*.py"):
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
'''
    (tmp_path / "here").mkdir()
    for name in ("__init__", "first", "second", "third", "fourth", "fifth", "sixth"):
        (tmp_path / f"here/{name}.py").touch()
    (tmp_path / "step.py").write_text(text, encoding="utf-8")
    monkeypatch.setattr(job_code, "SRC", tmp_path)
    job_code._sources.cache_clear()
    found = {path.stem for path in job_code._imported(tmp_path / "step.py")}
    job_code._sources.cache_clear()
    assert found == {"__init__", "first", "second", "third", "fourth", "fifth"}
