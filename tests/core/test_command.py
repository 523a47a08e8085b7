"""What a command prints never ends its work."""

import os
import subprocess
import sys

import pytest

from helpers.project import ROOT

WORK = """
import sys
from pathlib import Path
from vi_simsiam.core.command import run
def main():
    for i in range(20000):
        print("Füße", i)
        print("not read", file=sys.stderr)
    Path(sys.argv[1]).write_text("all done")
run(main)
"""


def shell(line, *arguments, **environment):
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")} | environment
    command = ["bash", "-o", "pipefail", "-c", line, "bash", sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True)


@pytest.mark.parametrize(
    "end", ["| true", "| head -1", "2>&1 | true", "2>&1 >&- | true", ">&-", "2>&-", ">&- 2>&-", ""]
)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_readers_that_go_away_and_letters_that_a_terminal_lacks(tmp_path, end, encoding):
    done = shell(f'"$@" {end}', "-c", WORK, tmp_path / "file", PYTHONIOENCODING=encoding)
    assert done.returncode == 0 and (tmp_path / "file").read_text() == "all done", done.stderr[-500:]
    assert b"Traceback" not in done.stderr and b"Exception" not in done.stderr
    if end == "":
        assert done.stdout.splitlines()[0] == "Füße 0".encode(encoding, "backslashreplace")


def test_a_full_disk_below_what_is_printed_is_told(tmp_path):
    short = WORK.replace("20000", "1")
    done = shell('"$@" > /dev/full', "-c", short, tmp_path / "file")
    assert done.returncode == 1 and (tmp_path / "file").exists()
    assert done.stderr.decode().splitlines()[-1].startswith("error: what the command says cannot be written: No space")


@pytest.mark.parametrize("work", ["pass", "raise Problem('no')"])
def test_the_end_of_python_does_not_go_through_all_objects(work):
    code = f"""
import atexit, gc, sys
from vi_simsiam.core.command import run
from vi_simsiam.core.errors import Problem
kept = [[i] for i in range(100000)]
def main():
    {work}
atexit.register(lambda: print(len(gc.get_objects()) < 10000 < len(kept)))
run(main)
"""
    assert shell('"$@"', "-c", code).stdout == b"True\n"


@pytest.mark.parametrize("arguments", [["params"], ["params", "digits"], ["--help"], ["params", "--help"]])
def test_the_command_that_prints(arguments):
    for end in ("| true", "| head -1", ">&-"):
        done = shell(f'"$@" {end}', "-m", "vi_simsiam", *arguments)
        assert (done.returncode, done.stderr) == (0, b""), done.stderr
