"""The description of a processor."""

import os

from vi_simsiam.core import processor

_INFO = """processor\t: 0
cpu family\t: 25
model\t\t: 1
model name\t: AMD EPYC
flags\t\t: fpu avx avx2 {}

processor\t: 1
model name\t: another
"""


def test_the_first_processor_is_named_with_its_family_and_its_best_instructions():
    cores = f"{os.cpu_count()} cores"
    assert processor.name(_INFO.format("sha_ni")) == f"AMD EPYC (family 25, model 1), AVX2, {cores}"
    assert "AVX-512 with bf16" in processor.name(_INFO.format("avx512f avx512_bf16"))
    assert ", AVX-512, " in processor.name(_INFO.format("avx512f"))


def test_elsewhere_than_on_linux_it_has_a_name_too():
    assert processor.name("").endswith(" cores") and len(processor.name("").split(", ")) == 2
    assert processor.name()
