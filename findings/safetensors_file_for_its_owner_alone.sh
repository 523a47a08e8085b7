#!/bin/sh
# Packages: numpy 2.4.6, safetensors 0.8.0
# Expected: A file of weights has the permissions that the umask gives, as every other file that a program writes.
# Seen: safetensors writes it with mode 0600 whatever the umask; np.save beside it gives 0644 under 022.
# For a user of this project: A group cannot read a shared result until somebody runs chmod.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 safetensors==0.8.0

cd "$folder"
"$venv/bin/python" - <<'EOF'
import os

import numpy as np
from safetensors.numpy import save_file

modes = {}
for umask in (0o022, 0o002):
    os.umask(umask)
    save_file({"x": np.zeros(3)}, f"{umask}.safetensors")
    np.save(f"{umask}.npy", np.zeros(3))
    modes[umask] = [oct(os.stat(f"{umask}.{kind}").st_mode & 0o777) for kind in ("safetensors", "npy")]
    print(f"umask {umask:03o}: safetensors, npy", modes[umask])
assert modes == {0o022: ["0o600", "0o644"], 0o002: ["0o600", "0o664"]}
EOF
