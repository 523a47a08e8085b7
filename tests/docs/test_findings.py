"""Scripts below findings/: their form, and their place in docs/findings.md. CI does not run them."""

import os
import re

import pytest

from helpers.project import ROOT

SCRIPTS = sorted((ROOT / "findings").glob("*"))
HEADER = ("Packages", "Expected", "Seen", "For a user of this project")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_form(script):
    assert re.fullmatch(r"[a-z0-9_]+\.sh", script.name) and os.access(script, os.X_OK)
    first, *lines = script.read_text(encoding="utf-8").splitlines()
    comments = lines[: lines.index("set -eu")]
    assert first == "#!/bin/sh" and all(line.startswith("# ") for line in comments)
    assert tuple(re.findall(r"^# (\w[^:]*): \S", "\n".join(comments), re.MULTILINE)) == HEADER
    stated = re.findall(r"([\w-]+) (\d[\d.]*\d)", "\n".join(comments).split("Expected:")[0])
    pinned = re.findall(r"([\w-]+)==(\d[\d.]*\d)", "\n".join(lines))
    assert stated == pinned and pinned
    assert "folder=$(mktemp -d)" in lines and "trap 'rm -rf \"$folder\"' EXIT" in lines
    assert "vi-simsiam" not in script.read_text(encoding="utf-8").split("set -eu")[1]


def test_the_page_lists_every_finding_once():
    page = (ROOT / "docs/findings.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == [script.stem for script in SCRIPTS]
