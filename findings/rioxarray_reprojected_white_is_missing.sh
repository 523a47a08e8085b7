#!/bin/sh
# Packages: numpy 2.4.6, rasterio 1.4.4, rioxarray 0.19.0
# Expected: A reprojected image of bytes has its values, and a value for pixels outside, as gdalwarp and rasterio give
#   it: 0.
# Seen: Pixels outside are 255, and 255 is written as the value of missing pixels. Clouds, snow and saturated roofs
#   are 255 too, and missing once the file is read with masked=True. In 16-bit images the value is 65535. No message.
# For a user of this project: Convert images to float32 before rio.reproject, or set a value that no pixel has with
#   rio.write_nodata. Otherwise what is white is left out of means and corners are white to an encoder.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 rasterio==1.4.4 rioxarray==0.19.0

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
import rasterio
import rioxarray
from rasterio.transform import from_origin

pixels = np.full((1, 100, 100), 100, np.uint8)
pixels[:, :, 50:] = 255  # clouds
shape = {"height": 100, "width": 100, "count": 1, "dtype": "uint8"}
place = from_origin(399_960, 5_300_000, 10, 10)
with rasterio.open("scene.tif", "w", driver="GTiff", crs="EPSG:32633", transform=place, **shape) as image:
    image.write(pixels)
scene = rioxarray.open_rasterio("scene.tif")
turned = scene.rio.reproject("EPSG:4326")
turned.rio.to_raster("turned.tif")
read = rioxarray.open_rasterio("turned.tif", masked=True)
whole = scene.astype("float32").rio.reproject("EPSG:4326")
means = [round(float(image.mean())) for image in (scene, read, whole)]
print("missing before:", scene.rio.nodata, "after:", turned.rio.nodata)
print("means before, after, and after as float32:", means, "share of missing pixels:", float(read.isnull().mean()))
assert scene.rio.nodata is None and turned.rio.nodata == 255 and means[:2] == [178, 100] and abs(means[2] - 178) < 4
EOF
