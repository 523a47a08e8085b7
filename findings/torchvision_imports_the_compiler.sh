#!/bin/sh
# Packages: timm 1.0.31, torch 2.12.1, torchvision 0.27.1
# Expected: Torch's compiler (torch._dynamo, with sympy) is imported when torch.compile is called; a program that only
#   decodes images or builds a network of timm pays for torch alone.
# Seen: Any import of torchvision, torchvision.io too, imports the compiler, and timm imports torchvision. Each takes
#   about twice the CPU time of an import of torch alone.
# For a user of this project: A command that starts often should import torchvision and timm only where they are used.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet timm==1.0.31 torch==2.12.1 torchvision==0.27.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import statistics
import subprocess
import sys

code = "import {0}, sys, time; print('torch._dynamo' in sys.modules, 'sympy' in sys.modules, time.process_time())"
seconds = {}
for package in ("torch", "torchvision.io", "timm"):
    runs = []
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", code.format(package)], capture_output=True, text=True, check=True)
        compiler, algebra, taken = done.stdout.split()
        runs.append(float(taken))
    seconds[package] = statistics.median(runs[1:])  # the first compiles or reads from the disk
    print(f"{package}: torch._dynamo {compiler}, sympy {algebra}, {seconds[package] / seconds['torch']:.1f} of torch")
    assert (compiler, algebra) == ((("False",) * 2) if package == "torch" else ("True", "True"))
assert 1.3 < seconds["torchvision.io"] / seconds["torch"] < seconds["timm"] / seconds["torch"] < 4
EOF
