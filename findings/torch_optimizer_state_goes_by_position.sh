#!/bin/sh
# Packages: torch 2.12.1
# Expected: An optimizer that was given names of its parameters loads a saved state by name.
# Seen: It loads by position. After a change of the order (groups with and without weight decay, a part frozen before
#   the others) two weights of one shape have the moments of each other, without a message, though both files name them.
# For a user of this project: Before a run is resumed, compare param_names of the saved groups with those of the
#   optimizer.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet torch==2.12.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import torch

weights = {"online": torch.nn.Parameter(torch.ones(2)), "predictor": torch.nn.Parameter(torch.ones(2))}
saved = torch.optim.AdamW(list(weights.items()))
(weights["online"].sum() + 100 * weights["predictor"].sum()).backward()
saved.step()
resumed = torch.optim.AdamW(list(reversed(weights.items())))
print("order of names: saved", saved.param_groups[0]["param_names"], "new", resumed.param_groups[0]["param_names"])
resumed.load_state_dict(saved.state_dict())
moments = {}
for name, weight in weights.items():
    moments[name] = [round(float(one.state[weight]["exp_avg"][0]), 4) for one in (saved, resumed)]
    print("mean gradient of", name, "saved and resumed:", moments[name])
assert moments == {"online": [0.1, 10.0], "predictor": [10.0, 0.1]}
EOF
