"""Do what docs/extending.md says: its blocks say in their first line which file they are or where their lines go."""

import re
from pathlib import Path

_BLOCK = re.compile(
    r"^```(?:python|yaml)\n# (\S+?)(?:, (below|above): ([^\n]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL
)


def carry_out(page: str, project: Path) -> list[str]:
    """Write the page's files and insert its lines.

    Args:
        page: the text.
        project: folder of a copy of the project, which is changed.

    Returns: the paths that were touched, each once.
    """
    touched = []
    for path, side, anchor, lines in _BLOCK.findall(page):
        target = project / path
        if side:
            text = target.read_text(encoding="utf-8")
            assert f"\n{text}".count(f"\n{anchor}\n") == 1, f"{path} has no line, or several: {anchor}"
            before, after = f"\n{text}".split(f"\n{anchor}\n")
            new = f"{before}\n{anchor}\n{lines}{after}" if side == "below" else f"{before}\n{lines}{anchor}\n{after}"
            target.write_text(new.removeprefix("\n"), encoding="utf-8")
        else:
            assert not target.exists(), f"{path} is there already"
            target.write_text(lines, encoding="utf-8")
        touched.append(path)
    return list(dict.fromkeys(touched))
