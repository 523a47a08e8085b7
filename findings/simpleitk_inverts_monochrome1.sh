#!/bin/sh
# Packages: numpy 2.4.6, pydicom 3.0.2, simpleitk 2.5.7
# Expected: Two readers give the same stored pixels of an uncompressed DICOM file, apart from slope and intercept.
# Seen: SimpleITK inverts MONOCHROME1 (where small is white, as on X-ray films): 1000 of 12 bits becomes 3095. pydicom
#   gives 1000 and leaves the inversion to the caller. The intercept of -1024 is applied by SimpleITK alone.
# For a user of this project: Convert DICOM files with one reader, and look at an image of each
#   PhotometricInterpretation: with two readers one clinic's images are negatives of the other's, and features
#   separate clinics.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 pydicom==3.0.2 simpleitk==2.5.7

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
import pydicom
import SimpleITK
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid

seen = {}
for kind in ("MONOCHROME1", "MONOCHROME2"):
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    image = FileDataset("x.dcm", {}, file_meta=meta, preamble=bytes(128))
    image.SOPClassUID, image.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    image.Modality, image.PhotometricInterpretation = "CR", kind
    image.Rows = image.Columns = 4
    image.SamplesPerPixel, image.PixelRepresentation = 1, 0
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 12, 11
    image.RescaleIntercept, image.RescaleSlope = -1024, 1
    image.PixelData = np.full((4, 4), 1000, np.uint16).tobytes()
    image.save_as("x.dcm", enforce_file_format=True)
    read = pydicom.dcmread("x.dcm").pixel_array, SimpleITK.GetArrayFromImage(SimpleITK.ReadImage("x.dcm"))
    seen[kind] = [int(np.unique(pixels).item()) for pixels in read]
    print(kind, "stored 1000: pydicom", seen[kind][0], "SimpleITK", seen[kind][1])
assert seen == {"MONOCHROME1": [1000, 4095 - 1000 - 1024], "MONOCHROME2": [1000, 1000 - 1024]}
EOF
