"""Some classes of a larger data set: a text file with the names of their folders, as ImageNet-100 is published."""

from collections.abc import Callable, Collection, Iterable
from pathlib import Path, PurePosixPath

from vi_simsiam.core.errors import Problem

NAME = "classes.txt"  # of its copy in the download folder


def read(path: Path) -> tuple[str, ...] | None:
    """The classes of a list, one a line; None where there is no such file. Raises: Problem when it is not one."""
    try:
        names = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"{path} cannot be read as a list of classes: {error}.") from None
    if not names:
        raise Problem(f"{path} is empty: a list of classes has the name of a folder in each line.")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise Problem(f"{path}: {twice} stands in the list of classes twice.")
    return tuple(names)


def require(path: str) -> tuple[str, ...]:
    """The classes of the list at `path`, relative to the project. Raises: Problem when there is none."""
    found = read(Path(path).expanduser())
    if found is None:
        raise Problem(f"download.classes = {path}: there is no such file. Relative paths begin at the project.")
    return found


def folder_of(path: str, classes: Collection[str]) -> str | None:
    """The folder of a path (with forward slashes) that is one of the classes; None: it is of none of them."""
    return next((part for part in PurePosixPath(path).parts[:-1] if part in classes), None)


def placer(classes: Iterable[str]) -> Callable[[str], str | None]:
    """A function that keeps the paths of these classes and gives None for all others."""
    chosen = frozenset(classes)
    return lambda path: path if folder_of(path, chosen) else None


def require_all(classes: Iterable[str], found: Collection[str], where: object) -> None:
    """Raise a Problem that names the classes of which there is no image."""
    if missing := [name for name in classes if name not in found]:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise Problem(
            f"{where} has no images of {', '.join(missing[:5])}{more}, which download.classes asks for: "
            "correct the list, or the folder."
        )
