"""Decode image files of common formats, page by page, as squares of 8-bit pixels."""

import functools
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from vi_simsiam.data.archives import Unreadable, is_of_the_machine
from vi_simsiam.data.names import HEAD, kind_of, unread_kind
from vi_simsiam.data.remarks import remark
from vi_simsiam.transforms.resizing import resize

MOST_PIXELS = 89_478_485  # Pillow's limit (a quarter of a GiB in colour), above which it warns of an attack
MOST_OF_TILES = 2 * MOST_PIXELS  # for an image that is cut into tiles; above it Pillow refuses
# Pillow's decoders that may read a file, under any name. HEIF is added if pillow-heif is installed.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")
# The same formats by the names of `kind_of`; None: a file of unknown kind.
_READ = ("JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF", "PPM", "JPEG 2000", "AVIF", None)
_ORIENTATION = 0x0112  # EXIF's key
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = (5, 6, 7, 8)  # orientations of images that lie on their side
_IN_ORDER = ("GIF", "PNG", "WEBP", "AVIF")  # a frame of an animation depends on the frame before
_GREY = ("1", "L", "LA", "La")
_ANIMATED = ("GIF", "PNG", "WEBP", "AVIF", "HEIF")  # further images in a JPEG are previews, depths or gains
_WHITE = (255, 255, 255, 255)
# Tags of TIFF.
_SUBFILE, _BITS_PER_SAMPLE, _COMPRESSION, _PHOTOMETRIC, _PLANES, _SAMPLE_FORMAT = 254, 258, 259, 262, 284, 339
_DESCRIPTION, _METAMORPH = 270, 33629
_NO_PAGE = 1 | 4  # bits of `_SUBFILE`: a smaller copy, a mask
_LAB = (8, 9, 10)  # values of `_PHOTOMETRIC`: CIE, ICC and ITU
_GIT_LFS = b"version https://git-lfs.github.com/spec/"
FULL_DEPTH = 16  # bits
_FEW_BITS = 14  # with 14 of 16 bits, three quarters of the grey levels are lost; with 15 a dark image is more likely
_AT_ONCE = 1 << 27  # pixels that threads decode at once; each takes up to 8 bytes meanwhile
# Bytes of the texts of a PNG. Pillow's limit is 1 MB; programs that record how they made an image write more.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = 1 << 27


class _Room:
    """Limit the pixels that all threads decode at once: a thread waits if `_AT_ONCE` would be exceeded.

    Memory then does not grow with threads times the size of images. Small images never wait, and an image above the
    limit is decoded alone.
    """

    def __init__(self):
        self._changed = threading.Condition()
        self._pixels = 0
        self._thread = threading.local()

    @contextmanager
    def used(self) -> Iterator[None]:
        """At the end of the block, release the pixels that this thread has decoded in it."""
        self._thread.pixels = 0
        try:
            yield
        finally:
            self._take(0)
            del self._thread.pixels

    def wait_for(self, pixels: int) -> None:
        """Wait until this thread may decode its next image; outside `used` nothing is counted."""
        if hasattr(self._thread, "pixels"):
            self._take(pixels)

    def _take(self, pixels: int) -> None:
        with self._changed:
            self._pixels -= self._thread.pixels
            self._thread.pixels = 0
            self._changed.notify_all()
            if pixels:
                self._changed.wait_for(lambda: not self._pixels or self._pixels + pixels <= _AT_ONCE)
            self._pixels += pixels
            self._thread.pixels = pixels


room = _Room()


@dataclass(frozen=True)
class Decoded:
    """An image with the pixels in its file.

    pages: number of pages of the file. grey: whether the kind of pixels has no colours. brightest: the largest number
    in a 16-bit grey image; None for another image, or if the file states the number of bits.
    """

    image: Image.Image
    pages: int

    @property
    def grey(self) -> bool:
        return self.image.mode in _GREY or _is_deep(self.image)

    @property
    def brightest(self) -> int | None:
        if _is_deep(self.image) and _stated_depth(self.image) == FULL_DEPTH:
            return int(np.asarray(self.image).max())
        return None

    def upright(self, channels: int, depth: int = FULL_DEPTH) -> Image.Image:
        """The image upright and over white: L for 1 channel, RGB for 3. Raises: Unreadable with the reason.

        Args:
            depth: bits that 16-bit grey pixels use, 8 to 16: white is 2^depth - 1 and above.
        """
        try:
            image, turn = _eight_bit(self.image, depth), _UPRIGHT.get(_orientation(self.image))
            image = image if turn is None else image.transpose(turn)
            if image.has_transparency_data:
                image = image.convert("RGBA")
                least: Any = image.getchannel("A").getextrema()[0]
                if self.image.format == "TIFF" and least < 255:
                    remark("its last channel is read as transparency, over white")
                image = Image.alpha_composite(Image.new("RGBA", image.size, _WHITE), image)
            return _converted(image, "L" if channels == 1 else "RGB")
        except (OSError, ValueError) as error:
            if is_of_the_machine(error):
                raise
            raise Unreadable(f"its pixels are of a kind that cannot be converted: {error}") from None


class Book:
    """The pages of a file: pages of a TIFF, frames of an animation, or the one image of another file.

    Smaller copies of other pages, and masks, are not pages. Only one thread may use a book at a time.

    Args:
        data: contents of the file.
        most: pixels above which a page is refused.

    Attributes:
        pages: their number.

    Raises: Unreadable with the reason; MemoryError and errors of the system, which say nothing about the image.
    """

    def __init__(self, data: bytes, most: int = MOST_PIXELS):
        self._most = most
        self._open(data)

    @property
    def pages(self) -> int:
        return len(self._frames)

    def load(self, page: int = 1, side: int | None = None) -> Decoded:
        """Decode a page. The result is valid until another page is decoded.

        For an earlier frame than the last, an animation is decoded from its beginning.

        Args:
            page: its number, from 1.
            side: a JPEG may be decoded with fewer pixels, but not fewer than `side` a side; None: with all.

        Raises: as `Book`.
        """
        image = self._at(page)
        with _errors_of_decoders(self._data):
            if side is not None:
                image.draft(None, (side, side))  # JPEG only: decoded at 1/2, 1/4 or 1/8 of its size
            room.wait_for(image.width * image.height)
            image.load()
        if image.mode in ("I", "F") and not _is_deep(image):
            raise Unreadable("32-bit pixels whose black and white are not known: save it with 8 or 16 bits")
        if _is_deep_colour(image, self._data) and (bits := (_largest(image) << 8 | 255).bit_length()) < 15:
            remark(f"colours of 16 bits use {bits} of them, and the decoder keeps the upper 8: save it with 8")
        if image.format == "TIFF" and (planes := _planes(image)) > self.pages:
            remark(f"of its {planes} planes only {self.pages} can be read here: save it as a plain TIFF of pages")
        return Decoded(image, self.pages)

    def size(self, page: int = 1) -> tuple[int, int]:
        """Width and height of a page that is upright; the page is not decoded. Raises: as `Book`."""
        image = self._at(page)
        # Pillow itself turns the size of a TIFF that has the tag, also before it decodes.
        turned = _orientation(image) in _SIDEWAYS and not (image.format == "TIFF" and _ORIENTATION in _tags(image))
        return (image.height, image.width) if turned else image.size

    def _open(self, data: bytes) -> None:
        formats = ("HEIF", *_FORMATS) if kind_of(data[:HEAD]) == "HEIC" and _reads_heic() else _FORMATS
        try:
            with _errors_of_decoders(data):
                self._data, self._image = data, Image.open(BytesIO(data), formats=formats)
                self._frames = _frames(self._image)
        except Image.DecompressionBombError:
            raise Unreadable(f"more than {self._most} pixels") from None

    def _at(self, page: int) -> Image.Image:
        """The opened file at a page; only the beginning of the page is read."""
        frame = self._frames[page - 1]
        if self._image.format in _IN_ORDER and frame < self._image.tell():
            self._open(self._data)  # Pillow 13 can return in a PNG only to its first frame
        with _errors_of_decoders(self._data):
            self._image.seek(frame)
        return self._fitting(self._image)

    def _fitting(self, image: Image.Image) -> Image.Image:
        """Return the image. Raises: Unreadable if its size or kind is not read."""
        if image.width * image.height > self._most:
            raise Unreadable(f"{image.width} x {image.height} pixels, more than {self._most} in all")
        if image.format == "TIFF" and (problem := _left_out(image)):
            raise Unreadable(f"{problem}: save it as PNG or as a plain TIFF of 8 bits")
        return image


def load(data: bytes, side: int | None = None, most: int = MOST_PIXELS) -> Decoded:
    """Decode the first page of a file. Arguments and errors as of `Book`."""
    return Book(data, most).load(1, side)


def square(image: Image.Image, size: int) -> np.ndarray:
    """The central square of an L or RGB image: (size, size, channels) uint8."""
    return resize(np.asarray(image).reshape(1, image.height, image.width, -1), size)[0]


def square_luma(image: Image.Image, size: int) -> np.ndarray:
    """The luma (ITU-R BT.601) of the central square of an L or RGB image: (size, size) uint8."""
    image = _converted(image, "L")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = left, top, left + side, top + side
    return np.array(image.resize((size, size), Image.Resampling.BILINEAR, box))


def used_depth(brightest: int) -> int:
    """Bits, 8 to 16, that 16-bit images with the largest number `brightest` use."""
    return max(8, brightest.bit_length())


def few_bits(brightest: int | None, depth: int) -> int | None:
    """Bits that 16-bit images use, if these are so few that with this depth the images are almost black.

    Args:
        brightest: the largest number in the images; None: there are none. depth: with which they are decoded, 8 to 16.

    Returns: 8 to 14; None if they use more.
    """
    used = FULL_DEPTH if brightest is None else used_depth(brightest)
    return used if used <= min(_FEW_BITS, depth - 1) else None


def _converted(image: Image.Image, mode: str) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)  # convert would copy it


def _frames(image: Image.Image) -> list[int]:
    """Pillow's numbers of the pages of a file, the first page first."""
    if image.format == "TIFF":
        return _full_pages(image)
    if image.format not in _ANIMATED:
        return [0]
    first = image.tell()  # in HEIC not always 0
    try:
        count = getattr(image, "n_frames", 1)
        image.seek(first)
    except Exception as error:  # damaged behind the first frame
        if is_of_the_machine(error):
            raise
        count = 1
    return [first, *(frame for frame in range(count) if frame != first)]


def _full_pages(image: Image.Image) -> list[int]:
    """Pages of a TIFF that are not marked as smaller copies or masks; if all are, the largest."""
    full, largest, page = [], 0, 0
    try:
        while True:
            if not _tags(image).get(_SUBFILE, 0) & _NO_PAGE:
                full.append(image.tell())
            elif image.width * image.height > largest:
                largest, page = image.width * image.height, image.tell()
            image.seek(image.tell() + 1)
    except EOFError:
        return full or [page]
    except Exception as error:  # damaged behind the first page
        if is_of_the_machine(error) or not full:
            raise
        return full


def _planes(image: Image.Image) -> int:
    """Number of planes that MetaMorph or ImageJ stored in one page of a TIFF; 0 in other TIFFs."""
    tags = _tags(image)
    images = re.match(r"ImageJ=[^\0]*?\nimages=(\d+)", str(tags.get(_DESCRIPTION, "")))
    return int(images[1]) if images else len(tags.get(_METAMORPH, ()))


def _left_out(image: Image.Image) -> str | None:
    """The reason to leave out a TIFF: Pillow 13 would give wrong pixels, or its colours are CIE L*a*b*; else None."""
    tags = _tags(image)
    bits = tags.get(_BITS_PER_SAMPLE, (1,))
    if 2 in tags.get(_SAMPLE_FORMAT, (1,)) and max(bits) <= 16:
        return "signed numbers, whose black is not 0"
    if tags.get(_PHOTOMETRIC) in _LAB:
        return "colours as CIE L*a*b*"
    if tags.get(_PLANES) == 2 and len(bits) > 1 and max(bits) > 8 and tags.get(_COMPRESSION, 1) == 1:
        return f"uncompressed planes of {max(bits)} bits"
    return None


@contextmanager
def _errors_of_decoders(data: bytes) -> Iterator[None]:
    """Turn a decoder's errors over these contents into Unreadable with a reason, except those of the machine."""
    try:
        yield
    except Image.DecompressionBombError:
        raise
    except Exception as error:  # decoders of this many formats raise anything over a damaged file
        if is_of_the_machine(error):
            raise
        kind = kind_of(data[:HEAD])
        if data.startswith(_GIT_LFS):
            raise Unreadable("a pointer of Git LFS in the place of the image: run `git lfs pull`") from None
        if kind == "HEIC" and not _reads_heic():
            raise Unreadable("HEIC, which needs the package pillow-heif: `pip install pillow-heif`") from None
        if kind not in _READ and kind != "HEIC":
            raise Unreadable(unread_kind(kind)) from None
        plain = kind == "TIFF" and isinstance(error, UnidentifiedImageError)
        way_out = "; save it as a plain TIFF or PNG, for example with the package tifffile" if plain else ""
        raise Unreadable(f"not readable as an image: {_first_line(error)}{way_out}") from None


@functools.cache
def _reads_heic() -> bool:
    """True if the optional package pillow-heif can be imported, which is tried only for a HEIC image."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener()
    return True


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation of an image, 1 to 8; 1 is upright."""
    try:
        return image.getexif().get(_ORIENTATION, 1)
    except Exception as error:  # damaged EXIF beside sound pixels is ignored
        if is_of_the_machine(error):
            raise
        return 1


def _is_deep(image: Image.Image) -> bool:
    """True if an image is grey with 16 bits. Pillow gives those of a PPM as 32-bit numbers."""
    return image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM")


def _tags(image: Any) -> Any:
    """The tags of a TIFF, by number; images of other formats have none."""
    return image.tag_v2


def _stated_depth(image: Image.Image) -> int:
    """Bits of a pixel by the file: a TIFF may have 12."""
    return _tags(image).get(_BITS_PER_SAMPLE, (FULL_DEPTH,))[0] if image.format == "TIFF" else FULL_DEPTH


def _is_deep_colour(image: Image.Image, data: bytes) -> bool:
    if _is_deep(image):
        return False
    bits = data[24] if image.format == "PNG" else 8
    return bits == 16 or (image.format == "TIFF" and max(_tags(image).get(_BITS_PER_SAMPLE, (8,))) == 16)


def _largest(image: Image.Image) -> int:
    """The largest number in a colour channel, without transparency."""
    extrema: list[Any] = [image.getchannel(band).getextrema() for band in image.getbands() if band not in "Aa"]
    return int(max(largest for _, largest in extrema))


def _eight_bit(image: Image.Image, depth: int) -> Image.Image:
    """Convert a 16-bit grey image to 8 bits; others stay as they are."""
    if not _is_deep(image):
        return image
    white = 2 ** min(depth, _stated_depth(image)) - 1
    levels = (np.minimum(np.asarray(image).astype(np.uint32), white) * 255 + white // 2) // white
    if image.format == "TIFF" and _tags(image).get(_PHOTOMETRIC) == 0:  # WhiteIsZero, which Pillow turns with 8 bits
        levels = 255 - levels
    return Image.fromarray(levels.astype(np.uint8))


def _first_line(error: Exception) -> str:
    """A decoder's message without memory addresses: reports of the same images must have the same bytes."""
    line = (str(error) or type(error).__name__).splitlines()[0]
    return re.sub(r" <[^<>]* at 0x[0-9a-f]+>", "", line)
