#!/bin/sh
# Packages: numpy 2.4.6, rasterio 1.4.4, requests 2.34.2, torchgeo 0.8.1
# Expected: A RasterDataset of three scenes of one place, with a grid or random patches, gives patches of all three.
# Seen: Unless filename_regex names a date, each scene holds for all times. torchgeo lays all of them over one another
#   and shows the first by name: the length is 3, the sampler gives three times as many patches, and all are of one
#   scene. No message.
# For a user of this project: Write filename_regex with (?P<date>...) for folders of several days or sensors, and
#   compare patches with the files. Otherwise a test on "other days" is one on copies, and all later scenes are never
#   seen.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 rasterio==1.4.4 requests==2.34.2 torchgeo==0.8.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
import rasterio
from rasterio.transform import from_origin
from torchgeo.datasets import RasterDataset
from torchgeo.samplers import GridGeoSampler

shape = {"height": 64, "width": 64, "count": 1, "dtype": "uint8"}
place = from_origin(400_000, 5_300_000, 10, 10)
for value, date in enumerate(("20200601", "20210601", "20220601"), 1):
    with rasterio.open(f"scene_{date}.tif", "w", driver="GTiff", crs="EPSG:32633", transform=place, **shape) as image:
        image.write(np.full((1, 64, 64), value, np.uint8))


class Scenes(RasterDataset):
    """Read all scenes of the folder, as the introduction of torchgeo does."""

    filename_glob = "scene_*.tif"


class DatedScenes(Scenes):
    """Read them with their dates."""

    filename_regex = r"scene_(?P<date>\d{8})"


seen = {}
for kind in (Scenes, DatedScenes):
    scenes = kind(".")
    patches = [scenes[place]["image"].unique().tolist() for place in GridGeoSampler(scenes, size=32)]
    seen[kind.__name__] = len(scenes), len(patches), sorted({value for patch in patches for value in patch})
    print(f"{kind.__name__}: length {len(scenes)}, patches: {len(patches)}, of scenes {seen[kind.__name__][2]}")
assert seen == {"Scenes": (3, 12, [1]), "DatedScenes": (3, 12, [1, 2, 3])}
EOF
