"""One image file, of any common format, as a square of 8-bit pixels."""

import re
from io import BytesIO

import numpy as np
import torch
from PIL import Image

from vi_simsiam.data.archives import Unreadable
from vi_simsiam.transforms.spatial import resize

MOST_PIXELS = 89_478_485  # Pillow's own limit (a quarter of a GiB in colour), above which it warns of an attack
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")  # whatever the name says; no other decoder is started
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
_GREY = ("1", "L", "LA", "La")
_WHITE = (255, 255, 255, 255)


def is_grey(data: bytes) -> bool:
    """Whether an image has no colours, by its kind of pixels. The file is read through to its end.

    Raises: Unreadable with the reason.
    """
    return _load(data, 1).mode in _GREY


def decode(data: bytes, size: int, channels: int) -> np.ndarray:
    """The central square of an image, upright, over white where it is transparent, of an animation the first frame.

    Args:
        data: contents of the file.
        size: pixels of the result's sides.
        channels: 1 (only for what `is_grey`) or 3.

    Returns: (size, size, channels) uint8. 16-bit pixels keep their upper half, rounded.
    Raises: Unreadable with the reason.
    """
    image = _load(data, 2 * size)
    try:
        if image.has_transparency_data:
            image = Image.alpha_composite(Image.new("RGBA", image.size, _WHITE), image.convert("RGBA"))
        image = image.convert("L" if channels == 1 else "RGB")
    except (OSError, ValueError) as error:
        raise Unreadable(f"its pixels are of a kind that cannot be converted: {error}") from None
    pixels = torch.from_numpy(np.array(image)).reshape(1, image.height, image.width, channels)
    return resize(pixels, size)[0].numpy()


def _load(data: bytes, side: int) -> Image.Image:
    """All pixels of the image, upright. Those of a JPEG may be fewer, but not fewer than `side` a side."""
    try:
        image = Image.open(BytesIO(data), formats=_FORMATS)
        if image.width * image.height > MOST_PIXELS:
            raise Unreadable(f"{image.width} x {image.height} pixels, more than {MOST_PIXELS} in all")
        image.draft(None, (side, side))  # JPEG only: decoded at 1/2, 1/4 or 1/8 straight away
        image.load()
    except Unreadable:
        raise
    except Image.DecompressionBombError:
        raise Unreadable(f"more than {MOST_PIXELS} pixels") from None
    except Exception as error:  # decoders of this many formats raise anything over a damaged file
        raise Unreadable(f"not readable as an image: {_first_line(error)}") from None
    turn = _UPRIGHT.get(_orientation(image))
    image = _eight_bit(image)
    return image if turn is None else image.transpose(turn)


def _orientation(image: Image.Image) -> int | None:
    try:
        return image.getexif().get(_ORIENTATION)
    except Exception:  # damaged notes beside sound pixels: as if there were none
        return None


def _eight_bit(image: Image.Image) -> Image.Image:
    """Images of 16 bits as 8 bits; others as they are. Pillow gives PPM's 16 bits as 32-bit numbers."""
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        levels = np.asarray(image).astype(np.int64)
        return Image.fromarray(((levels + 128) // 257).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise Unreadable("32-bit pixels, of which nothing says what is black and what is white")
    return image


def _first_line(error: Exception) -> str:
    """What the decoder says, without addresses in memory: reports of the same images must have the same bytes."""
    said = (str(error) or type(error).__name__).splitlines()[0]
    return re.sub(r" <[^<>]* at 0x[0-9a-f]+>", "", said)
