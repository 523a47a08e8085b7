"""Variables of the environment that can change a result: checked or removed when a run starts, or recorded in run.json.

Variables that a run sets for its jobs (WORKFLOW_...) are constants of the modules that read them.
"""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

from vi_simsiam.core.errors import Problem

# Of torch, its libraries, launchers and Python: they choose devices, modules, or the order and rounding of sums.
RECORDED = (
    "ATEN_CPU_CAPABILITY", "CUBLAS_WORKSPACE_CONFIG", "CUDA_VISIBLE_DEVICES", "DNNL_DEFAULT_FPMATH_MODE",
    "DNNL_MAX_CPU_ISA", "MKL_CBWR", "MKL_NUM_THREADS", "NVIDIA_TF32_OVERRIDE", "OMP_NUM_THREADS",
    "ONEDNN_DEFAULT_FPMATH_MODE", "ONEDNN_MAX_CPU_ISA", "OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "PYTHONPATH",
    "SLURM_JOB_ID", "SLURM_STEP_NUM_TASKS", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "WORLD_SIZE",
)  # fmt: skip
# Variables that round float32 in spite of torch's settings, each with the value that leaves float32 exact.
_EXACT = {
    "NVIDIA_TF32_OVERRIDE": "0",
    "DNNL_DEFAULT_FPMATH_MODE": "STRICT",
    "ONEDNN_DEFAULT_FPMATH_MODE": "STRICT",
}
# A shell reads these files before each job, and they may put another Python in front.
_OF_SHELLS = ("BASH_ENV", "ENV")
# git sets these in its hooks, and would answer for the repository that they name.
OF_HOOKS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY")
_MODULES = ("torch", "torchvision", "numpy", "scipy", "sklearn", "pandas", "PIL", "matplotlib")


def recorded() -> dict[str, str]:
    """The variables of `RECORDED` that are set, with their values."""
    return {name: os.environ[name] for name in RECORDED if os.environ.get(name)}


def check() -> None:
    """Raise Problem where a variable would round float32: results are promised to be exact float32."""
    for name, exact in _EXACT.items():
        if os.environ.get(name, exact).upper() not in ("", exact):
            raise Problem(f"{name}={os.environ[name]} rounds float32 in every product: unset it (`unset {name}`).")


def begin_run() -> list[str]:
    """Check the environment of a run, and remove the variables that must not reach its jobs.

    Returns: a sentence for each package that PYTHONPATH puts before the environment's.
    Raises: Problem as `check`.
    """
    check()
    for name in _OF_SHELLS:
        os.environ.pop(name, None)
    entries = {Path(entry).resolve() for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry}
    outside = {entry for entry in entries if not entry.is_relative_to(Path(sys.prefix).resolve())}
    sentences = []
    for name in _MODULES:
        spec = find_spec(name)
        folders = Path(spec.origin).resolve().parents if spec and spec.origin else ()
        if folder := next((folder for folder in folders if folder in outside), None):
            sentences.append(
                f"{name} is taken from {folder}, which PYTHONPATH names, and not from {sys.prefix}: unset PYTHONPATH "
                "unless you want that. run.json records the version."
            )
    return sentences
