"""One image file, of any common format, as a square of 8-bit pixels."""

import functools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import NamedTuple

import numpy as np
from PIL import Image

from vi_simsiam.data.archives import Unreadable
from vi_simsiam.data.names import HEAD, kind_of
from vi_simsiam.data.remarks import remark
from vi_simsiam.transforms.resizing import resize

MOST_PIXELS = 89_478_485  # Pillow's own limit (a quarter of a GiB in colour), above which it warns of an attack
MOST_OF_TILES = 2 * MOST_PIXELS  # of an image that is cut into tiles; above, Pillow refuses
# Whatever the name says; no other decoder is started.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")
# The same as `kind_of` has them.
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
_SIDEWAYS = (
    Image.Transpose.TRANSPOSE, Image.Transpose.ROTATE_270, Image.Transpose.TRANSVERSE, Image.Transpose.ROTATE_90,
)  # fmt: skip
_GREY = ("1", "L", "LA", "La")
_WHITE = (255, 255, 255, 255)
_BITS_PER_SAMPLE, _PHOTOMETRIC = 258, 262  # TIFF's keys
FULL_DEPTH = 16  # bits


class Contents(NamedTuple):
    """What is to be known of an image before a set of them is decoded.

    grey: whether it has no colours, by its kind of pixels. brightest: the largest number in an image of 16 bits and
    grey; None: it is another.
    """

    grey: bool
    brightest: int | None


def inspect(data: bytes) -> Contents:
    """Read an image through to its end. Raises: Unreadable with the reason."""
    image = _load(data, 1)
    if _is_deep(image):
        known = _own_depth(image) < FULL_DEPTH  # then it needs no other
        return Contents(True, None if known else int(np.asarray(image).max()))
    if _is_deep_colour(image, data) and (bits := (_largest(image) << 8 | 255).bit_length()) < 15:
        remark(f"colours of 16 bits that use {bits} of them, of which the decoder keeps the upper 8: save it with 8")
    return Contents(image.mode in _GREY, None)


def decode(data: bytes, size: int, channels: int, depth: int = FULL_DEPTH) -> np.ndarray:
    """The central square of an image, upright, over white where it is transparent, of an animation the first frame.

    Args:
        data: contents of the file.
        size: pixels of the result's sides.
        channels: 1 (only for what has no colours) or 3.
        depth: bits that grey pixels of 16 bits use, 8 to 16: white is 2^depth - 1, and what is above.

    Returns: (size, size, channels) uint8. Raises: Unreadable with the reason.
    """
    return square(_flat(_load(data, 2 * size), _mode(channels), depth), size)


def luma(data: bytes, size: int) -> np.ndarray:
    """The luma (ITU-R BT.601) of the central square, upright, over white: (size, size) uint8. Raises: Unreadable."""
    return square_luma(_flat(_load(data, 2 * size), "L", FULL_DEPTH), size)


def upright_size(data: bytes) -> tuple[int, int]:
    """Width and height of `whole`, without decoding it. Raises: Unreadable with the reason."""
    image = _opened(data, MOST_OF_TILES)
    width, height = image.size
    return (height, width) if _turn(image) in _SIDEWAYS else (width, height)


def whole(data: bytes, channels: int, depth: int = FULL_DEPTH) -> Image.Image:
    """All pixels of an image of at most `MOST_OF_TILES`, upright, over white: L for 1 channel, RGB for 3.

    Raises: Unreadable with the reason.
    """
    return _flat(_loaded(data, _opened(data, MOST_OF_TILES)), _mode(channels), depth)


def square(image: Image.Image, size: int) -> np.ndarray:
    """The central square of an L or RGB image: (size, size, channels) uint8."""
    return resize(np.asarray(image).reshape(1, image.height, image.width, -1), size)[0]


def square_luma(image: Image.Image, size: int) -> np.ndarray:
    """The luma of the central square of an L or RGB image: (size, size) uint8."""
    image = _converted(image, "L")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = left, top, left + side, top + side
    return np.array(image.resize((size, size), Image.Resampling.BILINEAR, box))


def _mode(channels: int) -> str:
    return "L" if channels == 1 else "RGB"


def _flat(original: Image.Image, mode: str, depth: int) -> Image.Image:
    """An image upright, over white, in L or RGB."""
    try:
        image = _turned(_eight_bit(original, depth), original)
        if image.has_transparency_data:
            image = Image.alpha_composite(Image.new("RGBA", image.size, _WHITE), image.convert("RGBA"))
        return _converted(image, mode)
    except (OSError, ValueError) as error:
        raise Unreadable(f"its pixels are of a kind that cannot be converted: {error}") from None


def _converted(image: Image.Image, mode: str) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)  # which would copy it


def _load(data: bytes, side: int) -> Image.Image:
    """All pixels of the image, as they are stored. Those of a JPEG may be fewer, but not fewer than `side` a side."""
    image = _opened(data, MOST_PIXELS)
    with _told(data):
        image.draft(None, (side, side))  # JPEG only: decoded at 1/2, 1/4 or 1/8 straight away
    return _loaded(data, image)


def _opened(data: bytes, most: int) -> Image.Image:
    """An image, of which only the beginning is read. Raises: Unreadable, also for one of more than `most` pixels."""
    formats = ("HEIF", *_FORMATS) if kind_of(data[:HEAD]) == "HEIC" and _reads_heic() else _FORMATS
    try:
        with _told(data):
            image = Image.open(BytesIO(data), formats=formats)
    except Image.DecompressionBombError:
        raise Unreadable(f"more than {most} pixels") from None
    if image.width * image.height > most:
        raise Unreadable(f"{image.width} x {image.height} pixels, more than {most} in all")
    return image


def _loaded(data: bytes, image: Image.Image) -> Image.Image:
    with _told(data):
        image.load()
    if image.mode in ("I", "F") and not _is_deep(image):
        raise Unreadable("32-bit pixels, of which nothing says what is black and what is white")
    return image


@contextmanager
def _told(data: bytes) -> Iterator[None]:
    """What Pillow raises over these contents, as Unreadable with a reason for people."""
    try:
        yield
    except Image.DecompressionBombError:
        raise
    except Exception as error:  # decoders of this many formats raise anything over a damaged file
        kind = kind_of(data[:HEAD])
        if kind == "HEIC" and not _reads_heic():
            raise Unreadable("HEIC, which needs the package pillow-heif: `pip install pillow-heif`") from None
        if kind not in _READ:
            raise Unreadable(f"not readable as an image: {kind}; save it as PNG, TIFF or JPEG") from None
        raise Unreadable(f"not readable as an image: {_first_line(error)}") from None


@functools.cache
def _reads_heic() -> bool:
    """Whether the optional package pillow-heif is there. It is asked for only when there is a HEIC image."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener()
    return True


def _turned(image: Image.Image, original: Image.Image) -> Image.Image:
    """`image` upright, as the notes in the file that `original` was read from say."""
    turn = _turn(original)
    return image if turn is None else image.transpose(turn)


def _turn(image: Image.Image) -> Image.Transpose | None:
    """What makes an image upright, as the notes in its file say."""
    try:
        return _UPRIGHT.get(image.getexif().get(_ORIENTATION))
    except Exception:  # damaged notes beside sound pixels: as if there were none
        return None


def _is_deep(image: Image.Image) -> bool:
    """Whether an image is grey with 16 bits. Pillow gives PPM's as 32-bit numbers."""
    return image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM")


def _own_depth(image: Image.Image) -> int:
    """Bits of a pixel as the file itself says: TIFF has images of 12."""
    return image.tag_v2.get(_BITS_PER_SAMPLE, (FULL_DEPTH,))[0] if image.format == "TIFF" else FULL_DEPTH


def _is_deep_colour(image: Image.Image, data: bytes) -> bool:
    bits = data[24] if image.format == "PNG" else 8
    return bits == 16 or (image.format == "TIFF" and max(image.tag_v2.get(_BITS_PER_SAMPLE, (8,))) == 16)


def _largest(image: Image.Image) -> int:
    """The largest number of a colour, transparency left out."""
    return max(image.getchannel(band).getextrema()[1] for band in image.getbands() if band not in "Aa")


def _eight_bit(image: Image.Image, depth: int) -> Image.Image:
    """Images of 16 bits as 8 bits; others as they are."""
    if not _is_deep(image):
        return image
    white = 2 ** min(depth, _own_depth(image)) - 1
    levels = (np.minimum(np.asarray(image).astype(np.uint32), white) * 255 + white // 2) // white
    if image.format == "TIFF" and image.tag_v2.get(_PHOTOMETRIC) == 0:  # WhiteIsZero, which Pillow turns with 8 bits
        levels = 255 - levels
    return Image.fromarray(levels.astype(np.uint8))


def _first_line(error: Exception) -> str:
    """What the decoder says, without addresses in memory: reports of the same images must have the same bytes."""
    said = (str(error) or type(error).__name__).splitlines()[0]
    return re.sub(r" <[^<>]* at 0x[0-9a-f]+>", "", said)
