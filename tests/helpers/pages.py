"""Parts of the pages in docs/ that tests carry out, and what a gallery's page holds."""

import json
import re
from pathlib import Path

from helpers.project import ROOT


def section(page: str, heading: str) -> str:
    """The text of a page below a heading of the second level, up to the next one."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)[1]


def blocks(text: str, language: str) -> list[str]:
    """The contents of the code blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def embedded(gallery: Path) -> list[dict]:
    """The data sets of a gallery."""
    found = re.search(r'type="application/json">(.*?)</script>', gallery.read_text(encoding="utf-8"), re.DOTALL)
    return json.loads(found[1])["datasets"]
