"""For the site: links from a page to a file of the repository must lead to one, and become the file's name.

On the site there are only the pages; where the repository lies on the web, the site cannot know.
"""

import logging
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_LINK = re.compile(r"(!?)\[([^\]]*)\]\((\.\./[^)#\s]*)(?:#[^)\s]*)?\)")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Called by MkDocs with each page's text."""

    def name(link: re.Match) -> str:
        target = (ROOT / "docs" / link[3]).resolve()
        if not target.exists() or not target.is_relative_to(ROOT):
            logging.getLogger("mkdocs").warning(f"{page.file.src_path} leads to {link[3]}, which does not exist")
        return f"{link[2]} (`{target.relative_to(ROOT)}`)" if not link[1] else f"*{link[2]}*"

    return _LINK.sub(name, markdown)
