"""Output of commands: a closed pipe does not end the work, a full disk is an error."""

import os
import subprocess
import sys

import pytest

from helpers.project import ROOT


def shell(line, *arguments, **environment):
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")} | environment
    command = ["bash", "-o", "pipefail", "-c", line, "bash", sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True)


WORK = """
import sys
from vi_simsiam.core.command import run, write_out
def main():
    write_out("Füße\\n" + "x" * 100000)
    print("the work is done", file=sys.stderr)
run(main)
"""


@pytest.mark.parametrize("end", ["| true", "| head -1", ">&-", "> /dev/null"])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_readers_that_go_away_and_letters_that_a_terminal_lacks(end, encoding):
    done = shell(f'"$@" {end}', "-c", WORK, PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, b"the work is done\n")
    if "head" in end:
        assert done.stdout.rstrip() == "Füße".encode(encoding, "backslashreplace")


def test_a_full_disk_below_what_is_printed_is_told():
    done = shell('"$@" > /dev/full', "-c", WORK)
    assert (done.returncode, done.stderr) == (1, b"error: the output cannot be written: No space left on device.\n")
