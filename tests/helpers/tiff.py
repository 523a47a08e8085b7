"""TIFF files of kinds that Pillow does not write."""

import struct

import numpy as np

UNSIGNED, SIGNED = 1, 2


def tiff(pixels, photometric=2, planes=1, sample_format=UNSIGNED):
    """An uncompressed little-endian TIFF of (h, w, samples); planes: 1 as pixels, 2 one sample after the other."""
    height, width, samples = pixels.shape
    strips = [pixels[..., i].tobytes() for i in range(samples)] if planes == 2 else [pixels.tobytes()]
    starts = 8 + np.cumsum([0, *map(len, strips[:-1])])
    bits = 8 * pixels.itemsize
    short, long = "H", "I"
    tags = {
        256: (short, [width]), 257: (short, [height]), 258: (short, [bits] * samples), 259: (short, [1]),
        262: (short, [photometric]), 273: (long, starts.tolist()), 277: (short, [samples]), 278: (short, [height]),
        279: (long, list(map(len, strips))), 284: (short, [planes]), 339: (short, [sample_format] * samples),
    }  # fmt: skip
    if samples == 4 and photometric == 2:
        tags[338] = short, [2]  # transparency
    body = b"".join(strips)
    body += bytes(len(body) % 2)
    directory = 8 + len(body)
    more_at = directory + 2 + 12 * len(tags) + 4
    entries, more = b"", b""
    for tag, (kind, values) in sorted(tags.items()):
        value = struct.pack(f"<{len(values)}{kind}", *values)
        if len(value) > 4:
            value, more = struct.pack("<I", more_at + len(more)), more + value
        entries += struct.pack("<HHI", tag, 3 if kind == short else 4, len(values)) + value.ljust(4, b"\0")
    head = b"II*\0" + struct.pack("<I", directory)
    return head + body + struct.pack("<H", len(tags)) + entries + bytes(4) + more
