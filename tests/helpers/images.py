"""Files of images, in memory."""

import io
import struct
import zlib

import numpy as np
from PIL import Image


def encoded(image, kind="PNG", **options):
    """Contents of a file of an image or an array of pixels."""
    image = image if isinstance(image, Image.Image) else Image.fromarray(np.ascontiguousarray(image))
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def orientation(value):
    """Notes of a camera: how an image must be turned to be upright."""
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


def promising(width, height):
    """A PNG whose header promises other pixels than it has."""
    data = bytearray(encoded(Image.new("RGB", (9, 9))))
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)
