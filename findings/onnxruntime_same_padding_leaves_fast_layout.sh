#!/bin/sh
# Packages: numpy 2.4.6, onnx 1.23.2, onnxruntime 1.32.0, onnxscript 0.7.2, timm 1.0.31, torch 2.12.1,
#   torchvision 0.27.1
# Expected: An encoder exported with a free number of images has the operators of one exported for 16 images.
# Seen: The older exporter (dynamo=False) writes the "SAME" padding of timm's tf_ encoders as arithmetic on the size
#   of the image if any axis is free, though height and width are fixed. onnxruntime cannot join it with the
#   convolutions: 266 operators, not 53, with five Pad, and the images leave the blocked layout five times, not once.
#   It takes 1.4 times as long (measured on one core).
# For a user of this project: Export with dynamo=True and dynamic_shapes, as this project does, or for a fixed number
#   of images. Look for Pad in the optimised graph before the times of encoders are compared.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0 onnxscript==0.7.2 \
    timm==1.0.31 torch==2.12.1 torchvision==0.27.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import collections
import warnings

import onnx
import onnxruntime
import timm
import torch

warnings.simplefilter("ignore")  # of the older exporter
onnxruntime.set_default_logger_severity(3)
network = timm.create_model("tf_efficientnet_lite0").eval()
images = torch.rand(16, 3, 224, 224)


def operators(**options):
    """Return how often each operator is in the graph that onnxruntime makes of an exported network."""
    torch.onnx.export(network, (images,), "network.onnx", input_names=["images"], verbose=False, **options)
    session = onnxruntime.SessionOptions()
    session.optimized_model_filepath = "optimised.onnx"
    onnxruntime.InferenceSession("network.onnx", session, providers=["CPUExecutionProvider"])
    return collections.Counter(node.op_type for node in onnx.load("optimised.onnx").graph.node)


seen = {
    "older exporter, 16 images": operators(dynamo=False),
    "older exporter, free number": operators(dynamo=False, dynamic_axes={"images": {0: "n"}}),
    "dynamo, free number": operators(dynamo=True, dynamic_shapes=[{0: torch.export.Dim("n")}]),
}
for name, counts in seen.items():
    print(
        f"{name}: {counts.total()} operators, {counts['Conv']} Conv, {counts['Pad']} Pad, "
        f"{counts['ReorderOutput']} times out of the blocked layout"
    )
assert [counts["Pad"] for counts in seen.values()] == [0, 5, 0]
assert [counts["Conv"] for counts in seen.values()] == [49, 49, 49]
assert [counts.total() > 200 for counts in seen.values()] == [False, True, False]
EOF
