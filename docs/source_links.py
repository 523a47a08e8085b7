"""For the site: a link from a page to another file of the repository must lead to one, and becomes the file's name.

On the site there are only the pages and their pictures; where the repository lies on the web, the site cannot know.
"""

import logging
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#)([^)#\s]+)(?:#[^)\s]*)?\)")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Called by MkDocs with each page's text."""

    def name(link: re.Match) -> str:
        picture, text, address = link.groups()
        target = (DOCS / page.file.src_path).parent.joinpath(address).resolve()
        if target.is_relative_to(DOCS) and target.suffix in (".md", ".png", ".svg"):
            return link[0]  # on the site: MkDocs checks it
        if not target.exists() or not target.is_relative_to(ROOT):
            logging.getLogger("mkdocs").warning(f"{page.file.src_path} leads to {address}, which does not exist")
            return text
        return f"*{text}*" if picture else f"{text} (`{target.relative_to(ROOT)}`)"

    return _LINK.sub(name, markdown)
