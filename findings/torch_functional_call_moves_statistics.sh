#!/bin/sh
# Packages: numpy 2.4.6, torch 2.12.1
# Expected: torch.func.functional_call(network, weights, images) computes with other weights and leaves the network alone.
# Seen: It does so for weights. A network in training mode has its running means and variances of batch norms moved by
#   these images, in place; with a dictionary of parameters alone nothing says so.
# For a user of this project: Pass copies of the buffers too, {**weights, **copied_buffers}, where a teacher, an
#   average or an adversarial copy is computed by functional_call in other trainers. The student is otherwise evaluated
#   with statistics of features that its own weights never made.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet numpy==2.4.6 torch==2.12.1

cd "$folder"
"$venv/bin/python" - <<'EOF'
import torch
from torch.func import functional_call

torch.manual_seed(0)
student = torch.nn.Sequential(torch.nn.Linear(8, 8, bias=False), torch.nn.BatchNorm1d(8))
images = torch.randn(256, 8)
teacher = {name: 10 * weight.detach().clone() for name, weight in student.named_parameters()}
for _ in range(100):
    student(images)
before = {name: value.clone() for name, value in student.state_dict().items()}
spread = student.eval()(images).std().item()
student.train()


def changed():
    """Return the names of the tensors of the student that differ from those before."""
    return [name for name, value in student.state_dict().items() if not torch.equal(value, before[name])]


buffers = {name: value.clone() for name, value in student.named_buffers()}
for _ in range(100):
    functional_call(student, {**teacher, **buffers}, (images,))
print("changed in the student, with copies of the buffers:", changed())
assert changed() == []
for _ in range(100):
    functional_call(student, teacher, (images,))
print("changed in the student, with the teacher's weights alone:", changed())
assert changed() == ["1.running_mean", "1.running_var", "1.num_batches_tracked"]
ratio = student.eval()(images).std().item() / spread
print("spread of the student's answers in evaluation, after over before:", ratio)
assert 0.09 < ratio < 0.13
EOF
