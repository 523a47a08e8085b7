"""Parameters as text: read as YAML once, and only where DVC, which reads the same file, has the same values.

YAML 1.1 (PyYAML, and this module) and YAML 1.2 (DVC) read `no`, `010`, `1:30` and `1e2` differently.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from vi_simsiam.core.errors import Problem

_MERGE, _TEXT = (f"tag:yaml.org,2002:{kind}" for kind in ("merge", "str"))
_KINDS = {"int": "a number", "float": "a number", "bool": "true or false", "null": "nothing", "timestamp": "a date"}
_NUMBER = re.compile(r"([-+]_*)?(\d[\d_]*(\.[\d_]*)?|\._*\d[\d_]*)(e[-+]?\d+)?", re.IGNORECASE)
_OCTAL, _LEADING_ZERO = re.compile(r"[-+]?0o[0-7_]+"), re.compile(r"[-+]?0[\d_]+")


def read(path: str | Path) -> Any:
    """The value of a YAML file. Raises: Problem naming the file and every place that is wrong."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise Problem(f"{path} cannot be read: {error}. Save it as UTF-8.") from None
    except OSError as error:
        raise Problem(f"{path} cannot be read: {error}") from None
    return parse(text, str(path))


def parse(text: str, source: str, above: str = "") -> Any:
    """The value of a YAML text.

    Args:
        text: one document.
        source: its name in messages.
        above: key under which the value stands, for messages.

    Raises: Problem that lists every key that stands twice or is no text, and every value of two meanings.
    """
    if (at := text.find("\ufeff")) >= 0:
        raise Problem(
            f"{source}: line {text.count(chr(10), 0, at) + 1} holds the invisible character U+FEFF: remove it"
        )
    try:
        loader = yaml.SafeLoader(text)  # tags are refused
        node = loader.get_single_node()
        faults = [] if node is None else list(dict.fromkeys(_faults(node, above, ())))
        if faults:
            raise Problem(f"{source}: " + (faults[0] if len(faults) == 1 else "\n  - ".join(["", *faults])))
        return None if node is None else loader.construct_document(node)
    except yaml.YAMLError as error:
        raise Problem(f"{source} is not valid YAML: {error}") from None
    except RecursionError:
        raise Problem(f"{source} is not valid YAML: it is nested too deeply") from None
    except ValueError as error:  # of a value that looks like a date or a number and is none, as 2024-13-01
        raise Problem(f"{source} is not valid YAML: {error}. Write what is text in quotes.") from None


def written(value: Any) -> str:
    """A value as one writes it in YAML, so that all readers agree: text in quotes, whole numbers without a point."""
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    return yaml.safe_dump(value).removesuffix("...\n").strip()


def number(text: str) -> int | float | None:
    """The number that a text is by YAML 1.2; None: it is none."""
    plain = text.replace("_", "")
    if _OCTAL.fullmatch(text):
        return int(plain.replace("o", ""), 8)
    if not _NUMBER.fullmatch(text):
        return None
    return int(plain) if plain.lstrip("+-").isdigit() else float(plain)


def _faults(node: yaml.Node, where: str, around: tuple[yaml.Node, ...]) -> Iterator[str]:
    if node in around:
        yield f"{where}: holds itself"
    elif isinstance(node, yaml.ScalarNode):
        if two := _two_meanings(node):
            first, second = map(written, two)
            yield (
                f"{where} = {node.value}: is {first} to one reader of YAML and {second} to another (DVC): "
                f"write {first} or {second}"
            )
    elif isinstance(node, yaml.SequenceNode):
        for entry in node.value:
            yield from _faults(entry, where, (*around, node))
    elif isinstance(node, yaml.MappingNode):
        keys = set()
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else "?"
            below = f"{where}.{name}" if where else name
            if name in keys:
                yield f"{below}: key {name!r} stands twice"
            keys.add(name)
            if key.tag != _MERGE and isinstance(key, yaml.ScalarNode) and (kind := _no_text(key)):
                yield f"{below}: the key is {kind}, not text: write {written(name)}, in quotes, wherever it stands"
            if key.tag != _MERGE:  # what is merged stands elsewhere too
                yield from _faults(value, below, (*around, node))


def _no_text(key: yaml.ScalarNode) -> str | None:
    """What a key is to one of the readers, where that is not a text."""
    if key.tag != _TEXT:
        return _KINDS.get(key.tag.rpartition(":")[2])
    return _KINDS["float"] if _two_meanings(key) else None


def _two_meanings(node: yaml.ScalarNode) -> tuple[Any, Any] | None:
    """What a text without quotes is by YAML 1.1 and by 1.2, where these differ."""
    text, kind = node.value, node.tag.rpartition(":")[2]
    if node.style is not None:
        return None
    if kind == "bool" and text.lower() not in ("true", "false"):
        return text.lower() in ("yes", "on"), text
    if kind in ("int", "float") and ":" in text:
        return yaml.safe_load(text), text
    if kind == "int" and _LEADING_ZERO.fullmatch(text):
        first, second = yaml.safe_load(text), number(text)
        return None if first == second else (first, second)
    if kind == "str" and (second := number(text)) is not None:
        return text, second
    return None
