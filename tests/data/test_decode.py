import struct
import zlib

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as F
from PIL import Image

from helpers.images import encoded, orientation, promising
from helpers.photographs import decode
from vi_simsiam.data.archives import Unreadable
from vi_simsiam.data.decode import MOST_OF_TILES, Book, load
from vi_simsiam.data.remarks import listen, remarks
from vi_simsiam.transforms.resizing import resize

DRAW = np.random.RandomState(0)
COLOUR = DRAW.randint(0, 256, (12, 12, 3)).astype(np.uint8)
GREY = COLOUR[..., 0]
# What an image must look like for each value of EXIF's orientation to make it upright.
STORED = {1: lambda x: x, 2: np.fliplr, 3: lambda x: np.rot90(x, 2), 4: np.flipud, 5: lambda x: x.transpose(1, 0, 2),
          6: lambda x: np.rot90(x, 1), 7: lambda x: np.rot90(x, 2).transpose(1, 0, 2),
          8: lambda x: np.rot90(x, -1)}  # fmt: skip


@pytest.mark.parametrize("kind", ["PNG", "BMP", "PPM", "TIFF"])
@pytest.mark.parametrize("pixels", [COLOUR, GREY])
def test_lossless_kinds_come_back(kind, pixels):
    data = encoded(pixels, kind)
    assert load(data).grey == (pixels is GREY)
    assert np.array_equal(decode(data, 12, 3), np.broadcast_to(pixels.reshape(12, 12, -1), (12, 12, 3)))
    if pixels is GREY:
        assert np.array_equal(decode(data, 12, 1)[..., 0], GREY)


def test_resized_as_any_image_by_its_central_square():
    wide = DRAW.randint(0, 256, (40, 60, 3)).astype(np.uint8)
    expected = F.resize(torch.from_numpy(wide[:, 10:50]).permute(2, 0, 1)[None] / 255, [16, 16], antialias=True)[0]
    assert np.abs(decode(encoded(wide), 16, 3) - expected.permute(1, 2, 0).numpy() * 255).max() <= 0.5 + 1e-3
    square = wide[None, :, 10:50]
    assert resize(square, 40) is square  # nothing to do, no copy


def test_a_far_larger_jpeg_is_decoded_at_less_than_its_size_and_looks_the_same():
    y, x = np.mgrid[:1600, :2000] / 1600
    smooth = np.stack([128 + 100 * np.sin(7 * x), 255 * y, 128 + 100 * np.cos(5 * x * y)], -1).astype(np.uint8)
    data = encoded(smooth, "JPEG", quality=95)
    assert load(data, 64).image.size == (250, 200)  # an eighth: still over 64
    assert load(data, 500).image.size == (1000, 800)
    difference = np.abs(decode(data, 32, 3).astype(int) - decode(encoded(smooth), 32, 3)).mean()
    assert difference < 1


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("turned", STORED)
def test_turned_upright(turned, kind):
    rectangle = DRAW.randint(0, 256, (12, 20, 3)).astype(np.uint8)
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(STORED[turned](rectangle), kind, exif=orientation(turned), **options)
    assert np.array_equal(decode(data, 12, 3), rectangle[:, 4:16])
    assert np.array_equal(load(data, None, MOST_OF_TILES).upright(3), rectangle)
    book = Book(data)
    assert book.size() == (20, 12) == book.load().upright(3).size == book.size()  # the same before and after decoding


def test_transparency_is_over_white():
    alpha = np.zeros((12, 12), np.uint8)
    alpha[:, 6:] = 255
    alpha[0, 0] = 51  # a fifth
    expected = COLOUR.copy()
    expected[:, :6] = 255
    expected[0, 0] = np.rint(255 * 0.8 + COLOUR[0, 0] * 0.2)
    assert np.abs(decode(encoded(np.dstack([COLOUR, alpha])), 12, 3).astype(int) - expected).max() <= 1
    grey = np.where(alpha == 255, GREY, 255)
    grey[0, 0] = np.rint(255 * 0.8 + GREY[0, 0] * 0.2)
    data = encoded(Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(alpha)]))
    assert load(data).grey
    assert np.abs(decode(data, 12, 1)[..., 0].astype(int) - grey).max() <= 1


def test_palettes_with_and_without_transparency():
    image = Image.fromarray((np.arange(144) % 3).astype(np.uint8).reshape(12, 12), "P")
    image.putpalette([250, 0, 0, 0, 250, 0, 0, 0, 250])
    colours = np.array([[250, 0, 0], [0, 250, 0], [0, 0, 250]])[np.arange(144) % 3].reshape(12, 12, 3)
    assert np.array_equal(decode(encoded(image), 12, 3), colours) and not load(encoded(image)).grey
    colours[(np.arange(144) % 3 == 1).reshape(12, 12)] = 255
    assert np.array_equal(decode(encoded(image, transparency=1), 12, 3), colours)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits(kind):
    levels = np.array([[0, 128, 129, 257 * 100 + 128, 257 * 100 + 129, 65535] * 2] * 12, dtype=np.uint16)
    data = encoded(Image.fromarray(levels), kind)
    assert load(data).grey
    assert decode(data, 12, 1)[0, :6, 0].tolist() == [0, 0, 1, 100, 101, 255]


@pytest.mark.parametrize(("bits", "kind"), [(12, "PNG"), (12, "TIFF"), (8, "PNG"), (14, "TIFF"), (10, "JPEG2000")])
def test_sixteen_bits_of_which_few_are_used(bits, kind):
    levels = np.linspace(0, 2**bits - 1, 144).astype(np.uint16).reshape(12, 12)
    options = {"irreversible": False} if kind == "JPEG2000" else {}
    data = encoded(Image.fromarray(levels), kind, **options)
    assert load(data).grey and load(data).brightest == 2**bits - 1
    assert np.abs(decode(data, 12, 1, bits)[..., 0] - levels * (255 / (2**bits - 1))).max() <= 0.5 + 1e-9
    assert len(np.unique(decode(data, 12, 1))) <= 2 ** (bits - 8) + 1
    assert (decode(data, 12, 1, 8)[levels > 255] == 255).all()  # what is above white is white


@pytest.mark.parametrize("bits", [12, 16])
def test_a_tiff_in_which_zero_is_white_is_no_negative(bits):
    levels = np.linspace(0, 2**bits - 1, 144).astype(np.uint16).reshape(12, 12)
    for pixels, depth in ((levels, bits), (GREY, 16)):
        data = bytearray(encoded(pixels, "TIFF"))
        entry = data.find(struct.pack("<HHI", 262, 3, 1))
        assert data[entry + 8] == 1  # zero is black
        positive = decode(bytes(data), 12, 1, depth)
        data[entry + 8] = 0
        assert np.array_equal(decode(bytes(data), 12, 1, depth), 255 - positive)


def test_a_tiff_of_twelve_bits_says_so_itself():
    """Two pixels in three bytes; Pillow reads them and does not write them."""
    data = bytearray(encoded(np.zeros((2, 2), np.uint16), "TIFF"))
    at = data.find(struct.pack("<HHI", 258, 3, 1))
    data[at + 8] = 12
    (offset,) = struct.unpack_from("<I", data, data.find(struct.pack("<HHI", 273, 4, 1)) + 8)
    data[offset : offset + 6] = bytes([0xFF, 0xF8, 0x00, 0x00, 0x0F, 0xFF])
    assert load(bytes(data)).grey and load(bytes(data)).brightest is None
    assert decode(bytes(data), 8, 1)[[0, 0, 7, 7], [0, 7, 0, 7], 0].tolist() == [255, 128, 0, 255]


def test_colours_of_sixteen_bits_that_use_few_are_remarked_on():
    deep = bytearray(encoded(COLOUR // 16))
    deep[24] = 16  # bits per colour; the pixels and checksums of such a file
    rows = b"".join(b"\0" + (COLOUR[y] // 16).astype(">u2").tobytes() for y in range(12))
    chunks = [(b"IHDR", bytes(deep[16:29])), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    png = deep[:8] + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )
    with remarks() as texts:
        assert not load(bytes(png)).grey
    assert texts == ["colours of 16 bits use 8 of them, and the decoder keeps the upper 8: save it with 8"]


def test_black_and_white():
    data = encoded(Image.fromarray(GREY > 99))
    assert load(data).grey and np.array_equal(decode(data, 12, 1)[..., 0], np.where(GREY > 99, 255, 0))


def test_cmyk():
    flat = np.zeros((12, 12, 4), np.uint8)
    flat[..., 1] = 255  # magenta
    for kind in ("JPEG", "TIFF"):
        data = encoded(Image.fromarray(flat, "CMYK"), kind)
        assert np.abs(decode(data, 12, 3).astype(int) - [255, 0, 255]).max() <= 3 and not load(data).grey


def test_scans_may_be_twice_as_large():
    listen()
    with remarks() as texts:
        assert Book(promising(13_000, 13_000), MOST_OF_TILES).size() == (13_000, 13_000) and not texts
    with pytest.raises(Unreadable, match="more than 178956970"):
        Book(promising(13_400, 13_400), MOST_OF_TILES)
