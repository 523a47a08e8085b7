#!/bin/sh
# Packages: numpy 2.4.6, tensorboard 2.21.0
# Expected: EventAccumulator, the way to read TensorBoard's files in Python, gives all values of a curve.
# Seen: It keeps some, drawn at random, and says nothing: 10 of 100 epochs where TensorBoard's own writer (or
#   TensorFlow's) wrote them, 10,000 of 12,000 steps in the form of torch's SummaryWriter. The best is lost; the last
#   is always there, so that the curve looks whole.
# For a user of this project: Pass size_guidance={"tensors": 0, "scalars": 0} before the best step of a training is
#   taken from its log.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 tensorboard==2.21.0

cd "$folder"
"$venv/bin/python" - <<'EOF'
import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary import Writer
from tensorboard.summary.writer.event_file_writer import EventFileWriter


def curve(length):
    """Return accuracies that rise slowly, with the best after a third of the epochs."""
    values = np.linspace(0.5, 0.6, length)
    values[length // 3] = 0.9
    return values


own = Writer("own")
for step, value in enumerate(curve(100)):
    own.add_scalar("accuracy", value, step)
own.close()
plain = EventFileWriter("plain")  # one number an event, as torch.utils.tensorboard writes it
for step, value in enumerate(curve(12_000)):
    plain.add_event(Event(step=step, summary=Summary(value=[Summary.Value(tag="accuracy", simple_value=value)])))
plain.close()
seen = []
for options in ({}, {"size_guidance": {"tensors": 0, "scalars": 0}}):
    tensors = EventAccumulator("own", **options).Reload().Tensors("accuracy")
    scalars = EventAccumulator("plain", **options).Reload().Scalars("accuracy")
    best = max(event.tensor_proto.float_val[0] for event in tensors), max(event.value for event in scalars)
    seen.append((len(tensors), len(scalars), round(best[0], 1), round(best[1], 1)))
    print(f"{options}: {len(tensors)} of 100 and {len(scalars)} of 12000 values, best {best[0]:.2f} and {best[1]:.2f}")
assert seen == [(10, 10_000, 0.6, 0.6), (100, 12_000, 0.9, 0.9)]
EOF
