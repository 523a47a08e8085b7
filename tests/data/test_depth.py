"""16-bit grey images that use fewer bits: noted, and scaled by `depth`, in the store and for new images."""

import json
import zipfile

import numpy as np
import pytest

from helpers.images import encoded
from helpers.stores import params
from vi_simsiam.config.encoder_params import BackboneParams
from vi_simsiam.data.published import find_source
from vi_simsiam.data.store import Store
from vi_simsiam.data.store_writer import build
from vi_simsiam.models import saved
from vi_simsiam.training.trainer import image_spec


def deep(folder, bits, depth, n=12):
    """A source of 16-bit grey images that use so many bits."""
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / "images.zip", "w") as archive:
        for i in range(n):
            levels = np.linspace(0, 2**bits - 1, 256).astype(np.uint16).reshape(16, 16)
            archive.writestr(f"{'ab'[i % 2]}/{i}.png", encoded(np.roll(levels, i, 0)))
    return find_source("files").read(folder, 16, depth)


@pytest.mark.parametrize(
    ("bits", "depth", "used", "said"),
    [
        (12, 16, None, "images of 16 bits use 12 of them (the largest number is 4095), so that only 17 of 256"),
        (8, 16, None, "only 2 of 256 grey levels are left: set cache_views.depth to 8, or to auto"),
        (12, "auto", 12, "are read as 12 bits"),
        (12, 12, 12, None),
        (12, 10, 10, "numbers above 1023 (cache_views.depth = 10) become white; the largest is 4095"),
        (6, "auto", 8, "are read as 8 bits"),
        (16, 16, None, None),
        (16, "auto", None, "are read as 16 bits"),
    ],
)
def test_images_of_16_bits_that_use_fewer(tmp_path, capsys, bits, depth, used, said):
    images = deep(tmp_path / "raw", bits, depth)
    assert images.brightest == 2**bits - 1
    build(tmp_path / "store", "x", images, params(depth=depth))
    notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note: ")]
    assert len(notes) == (said is not None) and (said is None or said in notes[0])
    store, written = Store.open(tmp_path / "store"), json.loads((tmp_path / "store/store.json").read_text())
    assert written.get("depth") == used and store.depth == (used or 16)
    white = 2 ** (used or 16) - 1
    assert store.images("train").max() == min(255, round((2**bits - 1) * 255 / white))
    # A model of this store reads new images in the same way.
    spec = image_spec(store, BackboneParams(name="resnet10", width=4, stem="3x3"))
    assert spec.depth == store.depth and saved.describe("x", {}, spec)["images"].get("depth") == used
