#!/bin/sh
# Packages: pycocotools 2.0.11
# Expected: The images of a class that no annotation has are an empty list.
# Seen: An empty list of classes or images is no filter. getCatIds gives [] for a name that is misspelt or of another
#   case ("Mitosis"), and getImgIds and getAnnIds with [] give all images and all boxes.
# For a user of this project: Check that lists are not empty before they are passed on. A subset "of one class", or the
#   boxes of an empty test set, is otherwise the whole set.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet pycocotools==2.0.11

cd "$folder"
"$venv/bin/python" - <<'EOF'
from pycocotools.coco import COCO

coco = COCO()
coco.dataset = {
    "images": [{"id": number, "height": 64, "width": 64} for number in range(1, 11)],
    "categories": [{"id": 1, "name": "mitosis"}, {"id": 2, "name": "nucleus"}],
    "annotations": [
        {"id": number, "image_id": number, "category_id": 1 if number < 4 else 2, "bbox": [8, 8, 9, 9], "area": 81}
        for number in range(1, 11)
    ],
}
coco.createIndex()
seen = {}
for name in ("mitosis", "Mitosis"):
    classes = coco.getCatIds(catNms=[name])
    seen[name] = len(coco.getImgIds(catIds=classes)), len(coco.getAnnIds(catIds=classes))
    print(f"{name}: classes {classes}, images and boxes: {seen[name]} of 10 and 10")
print("boxes of no images:", len(coco.getAnnIds(imgIds=[])))
assert seen == {"mitosis": (3, 3), "Mitosis": (10, 10)} and len(coco.getAnnIds(imgIds=[])) == 10
EOF
