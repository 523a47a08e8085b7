#!/bin/sh
# Packages: numpy 2.4.6, rasterio 1.4.4, rioxarray 0.19.0, xarray 2026.9.0
# Expected: Two bands of one place, of one size and resolution, are subtracted pixel by pixel.
# Seen: xarray keeps the columns whose coordinates are equal to the last bit. A band cut from a wider scene differs
#   from the same tile in a file by 2e-15 degrees, and 44 of 300 columns are gone, scattered over the image, without a
#   message.
# For a user of this project: Call xarray.set_options(arithmetic_join="exact"), which makes this an error, and give
#   one band the coordinates of the other (assign_coords). Indices of vegetation, masks and maps of certainty
#   otherwise lose pixels and shift the rest.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 rasterio==1.4.4 rioxarray==0.19.0 xarray==2026.9.0

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
import rasterio
import rioxarray
import xarray
from rasterio.transform import from_origin

step = 0.0001  # degrees
for name, left, columns in (("tile", 0, 300), ("scene", 37, 337)):
    place = from_origin(12.3 - left * step, 48.1, step, step)
    shape = {"height": 100, "width": columns, "count": 1, "dtype": "float32"}
    with rasterio.open(f"{name}.tif", "w", driver="GTiff", crs="EPSG:4326", transform=place, **shape) as image:
        image.write(np.ones((1, 100, columns), np.float32))
tile = rioxarray.open_rasterio("tile.tif")
cut = rioxarray.open_rasterio("scene.tif").rio.clip_box(*tile.rio.bounds())
apart = float(abs(tile.x.values - cut.x.values).max())
difference = tile - cut
print("shapes:", tile.shape, cut.shape, "coordinates differ by", apart, "shape of the difference:", difference.shape)
assert tile.shape == cut.shape == (1, 100, 300) and 0 < apart < 1e-14 and difference.shape == (1, 100, 256)
with xarray.set_options(arithmetic_join="exact"):
    try:
        tile - cut
    except ValueError as error:
        print('with arithmetic_join="exact":', str(error)[:76])
    else:
        raise SystemExit("no error")
assert (tile - cut.assign_coords(x=tile.x, y=tile.y)).shape == tile.shape
EOF
