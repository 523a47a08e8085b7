#!/bin/sh
# Packages: numpy 2.4.6, webdataset 1.0.2
# Expected: WebDataset reads four images, mri_1.5T_001.png to mri_3T_002.png, as four samples.
# Seen: A name ends at its first dot. The two images of 1.5 T are one sample, mri_1, with the fields 5t_001.png and
#   5t_002.png and without a field png; a handler that goes on after an error leaves both out. Two names with equal
#   ends are one sample too.
# For a user of this project: Replace dots in names (1.5T, v2.1, sizes in micrometres) before images are put into
#   shards, and count the samples of a shard.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 webdataset==1.0.2

cd "$folder"
"$venv/bin/python" - <<'EOF'
import io
import tarfile

import webdataset

names = ("mri_1.5T_001.png", "mri_1.5T_002.png", "mri_3T_001.png", "mri_3T_002.png")
with tarfile.open("shard.tar", "w") as shard:
    for name in names:
        member = tarfile.TarInfo(name)
        member.size = 4
        shard.addfile(member, io.BytesIO(b"1234"))
samples = list(webdataset.WebDataset("shard.tar", shardshuffle=False))
for sample in samples:
    print(sample["__key__"], [field for field in sample if not field.startswith("__")])
assert [sample["__key__"] for sample in samples] == ["mri_1", "mri_3T_001", "mri_3T_002"]
shard = webdataset.WebDataset("shard.tar", shardshuffle=False)
kept = list(shard.to_tuple("png", handler=webdataset.ignore_and_continue))
print("images read with a handler:", len(kept), "of", len(names))
assert len(kept) == 2
EOF
