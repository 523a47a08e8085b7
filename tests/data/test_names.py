"""Images by their names and first bytes; files of operating systems are not images."""

import pytest
from PIL import Image

from helpers.images import encoded
from vi_simsiam.data.names import HEAD, is_hidden, kind_of


@pytest.mark.parametrize(
    "kind", ["JPEG", "PNG", "GIF", "WebP", "TIFF", "BMP", "PPM", "JPEG 2000", "AVIF", "DDS", "QOI"]
)
def test_the_first_bytes_of_each_kind_that_pillow_writes(kind):
    data = encoded(Image.new("RGB", (20, 10)), kind.replace(" ", "").upper())
    assert kind_of(data[:HEAD]) == kind


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0", "HEIC"),
        (b"8BPS\0\1", "Photoshop"),
        (bytes(128) + b"DICM", "DICOM"),
        (b"II*\0" + bytes(124) + b"DICM", "DICOM"),
        (b"P6 # a note\n20 10\n255\n", "PPM"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0", None),  # a film
        (b"BMW is the name of this text", None),
        (b"P1 is a text, not 1 2", None),
        (b"RIFF\0\0\0\0WAVEfmt ", None),
        (b"", None),
        (b"PK\3\4", None),
    ],
)
def test_first_bytes(head, kind):
    assert kind_of(head) == kind


@pytest.mark.parametrize(
    "folder", ["@eaDir", ".@__thumb", "@__thumb", "__MACOSX", "#recycle", "$RECYCLE.BIN", "lost+found", ".git"]
)
def test_folders_of_systems_are_hidden(folder):
    assert is_hidden(f"a/{folder}/1.png") and is_hidden(f"{folder}/b/SYNOPHOTO_THUMB_M.jpg")
    assert is_hidden("a/Thumbs.db") and not is_hidden("a/thumbs/1.png") and not is_hidden("../1.png")
