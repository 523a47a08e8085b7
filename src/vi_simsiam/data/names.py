"""Which files are taken for images, by their names alone."""

from pathlib import PurePosixPath

ARCHIVE = "images"  # name in the download folder, before its suffix, of the archive of one's own images
IMAGES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm")
_JUNK = ("thumbs.db", "desktop.ini", "__macosx")


def is_hidden(name: str) -> bool:
    """Whether a path (with forward slashes) is of a hidden file or of what operating systems leave in folders."""
    parts = PurePosixPath(name).parts
    return any((part.startswith(".") and part != "..") or part.lower() in _JUNK for part in parts)


def is_image(name: str) -> bool:
    """Whether a path is of an image, and not hidden."""
    return name.lower().endswith(IMAGES) and not is_hidden(name)
