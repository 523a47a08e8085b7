"""For the site: show linked .csv files as tables, and name the files that are not on it.

A line that is only a link to a .csv file keeps the link and gets the file's rows below it. On GitHub, without the hook,
the link opens the file as a table. The site has only the pages with their pictures and results: a link to another file
of the repository becomes the file's name, and must lead to a file.
"""

import csv
import logging
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
_ON_SITE = (".md", ".png", ".svg", ".csv")
_TABLE = re.compile(r"^\[[^\]]*\]\(([^)\s]+\.csv)\)$", re.MULTILINE)
_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#)([^)#\s]+)(?:#[^)\s]*)?\)")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Change a page's text before MkDocs reads it."""
    folder = (DOCS / page.file.src_path).parent

    def name(link: re.Match) -> str:
        picture, text, address = link.groups()
        target = folder.joinpath(address).resolve()
        if target.is_relative_to(DOCS) and target.suffix in _ON_SITE:
            return link[0]  # MkDocs checks it
        if not target.exists() or not target.is_relative_to(ROOT):
            logging.getLogger("mkdocs").warning(f"{page.file.src_path} leads to {address}, which does not exist")
            return text
        return f"*{text}*" if picture else f"{text} (`{target.relative_to(ROOT)}`)"

    return _LINK.sub(name, with_tables(markdown, folder))


def with_tables(markdown: str, folder: Path) -> str:
    """The text with a table below each line that is only a link to an existing .csv file."""

    def shown(link: re.Match) -> str:
        path = folder / link[1]
        return f"{link[0]}\n\n{table(path)}" if path.exists() else link[0]

    return _TABLE.sub(shown, markdown)


def table(path: Path) -> str:
    """The rows of a .csv file as a table; columns `x` and `x sd` are one column `mean ± standard deviation`."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    head = [name for name in rows[0] if not name.endswith(" sd")]
    lines = [[_cell(row, name) for name in head] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *lines))


def _cell(row: dict[str, str], name: str) -> str:
    deviation = row.get(f"{name} sd")
    return f"{row[name]} ± {deviation}" if deviation else row[name]
