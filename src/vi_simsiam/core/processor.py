"""The processor that a time was measured on."""

import os
import platform
from pathlib import Path

_INFO = Path("/proc/cpuinfo")
# Flags in Linux's description, those with the fastest matrix products first.
_INSTRUCTIONS = {"avx512_bf16": "AVX-512 with bf16", "avx512f": "AVX-512", "avx2": "AVX2"}


def name(info: str | None = None) -> str:
    """Description of the processor: its name, family and model, instructions, and number of logical cores.

    A name such as "AMD EPYC" alone covers generations that differ in speed by a factor of two.

    Args:
        info: text of /proc/cpuinfo; None: this machine's, if it runs Linux.
    """
    cores = f"{os.cpu_count()} cores"
    if info is None:
        info = _INFO.read_text(encoding="utf-8", errors="replace") if _INFO.is_file() else ""
    fields: dict[str, str] = {}
    for line in info.splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    named = fields.get("model name") or platform.processor() or platform.machine()
    if "cpu family" in fields:
        named += f" (family {fields['cpu family']}, model {fields.get('model')})"
    flags = fields.get("flags", "").split()
    best = next((words for flag, words in _INSTRUCTIONS.items() if flag in flags), None)
    return ", ".join(filter(None, [named, best, cores]))
