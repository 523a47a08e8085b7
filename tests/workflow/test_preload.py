"""Jobs that are forked from a process with the packages imported end, write and are ended as any process."""

import os
import signal
import socket
import subprocess
import sys

import pytest

import preload
from helpers.living import alive, commands, wait_for
from helpers.project import ROOT

RUN = """
import subprocess, sys, preload
preload.start(2, ["colorsys"])
sys.exit(subprocess.run(["bash", "-c", "exec " + sys.argv[1]]).returncode)
"""


@pytest.fixture
def job(tmp_path):
    """Starts `python job.py` with a text as its code, as a run starts its jobs; returns the run's process."""

    def start(code, command="python job.py one two", **environment):
        (tmp_path / "job.py").write_text(code, encoding="utf-8")
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow"), **environment}
        command = [sys.executable, "-c", RUN, command]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, cwd=tmp_path, env=environment, text=True, **pipes)

    return start


def test_a_job_is_forked_with_its_own_arguments_streams_folder_and_environment(job, tmp_path):
    code = "import os, sys; print('colorsys' in sys.modules, sys.argv, os.getcwd(), os.environ['X'], sys.path[0])"
    out, err = job(code, X="a value").communicate(timeout=60)
    assert out.split() == ["True", "['job.py',", "'one',", "'two']", str(tmp_path), "a", "value", str(tmp_path)], err


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        ("raise SystemExit(3)", 3, ""),
        ("import sys; sys.exit('a sentence')", 1, "a sentence\n"),
        ("1 / 0", 1, "ZeroDivisionError: division by zero\n"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -9, ""),
        ("import atexit; atexit.register(lambda: open('left', 'w'))", 0, ""),
    ],
)
def test_a_job_ends_as_python_does(job, tmp_path, code, status, said):
    run = job(code)
    err = run.communicate(timeout=60)[1]
    assert run.returncode in (status, status % 256) and err.endswith(said), err
    assert (tmp_path / "left").exists() == ("left" in code)


WAITS = """
import os, signal, sys, time
def end(number, frame):
    time.sleep(0.5)
    open("ended", "w").close()
    sys.exit(7)
signal.signal(signal.SIGTERM, end)
print(os.getpid(), flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_to_the_client_ends_the_job(job, tmp_path, number):
    """SIGTERM reaches the job, and the client waits for its end; where the client is killed the job ends itself."""
    run = job("import os; os.environ['CLIENT']\n" + WAITS, "env CLIENT=1 python job.py")
    process = int(run.stdout.readline())
    started = commands(run.pid).items()
    client = next(pid for pid, words in started if "preload.py" in words and "--serve" not in words)
    os.kill(client, number)
    assert run.wait(60) in ((7,) if number == signal.SIGTERM else (-9, 247))
    assert wait_for((tmp_path / "ended").exists) and process != client


def test_a_signal_to_all_processes_starts_no_job_once_more(job, tmp_path):
    """As a cluster and a service manager send it: the server ends before the client."""
    run = job("open('begun', 'a').write('x')\n" + WAITS)
    run.stdout.readline()
    server, client = (pid for pid, _ in sorted(commands(run.pid).items(), key=lambda item: "--serve" not in item[1]))
    for process, number in ((client, "STOP"), (server, "KILL"), (client, "TERM"), (client, "CONT")):
        os.kill(process, getattr(signal, f"SIG{number}"))
    assert run.wait(60) != 0
    assert (tmp_path / "begun").read_text() == "x"


def test_the_server_ends_with_the_run(job):
    run = job("import os; print(os.getppid())")
    server = int(run.communicate(timeout=60)[0])
    assert wait_for(lambda: not alive(server))


def test_without_a_server_the_client_is_python(tmp_path):
    (tmp_path / "job.py").write_text("import sys; print(sys.argv); sys.exit(4)", encoding="utf-8")
    environment = os.environ | {"WORKFLOW_PYTHON": sys.executable, "WORKFLOW_PRELOAD": "nobody-listens-here"}
    client = [sys.executable, "-IS", str(ROOT / "workflow/preload.py")]
    for arguments in (["job.py", "x"], ["-c", "import sys; print(['job.py', 'x']); sys.exit(4)"]):
        done = subprocess.run([*client, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (4, "['job.py', 'x']\n")


def test_another_users_client_starts_nothing(monkeypatch):
    ours, theirs = socket.socketpair()
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("a job was started"))
    with ours, theirs:
        assert preload._begin(ours, theirs) is None


def test_where_processes_cannot_be_watched_each_job_is_a_python_of_its_own(monkeypatch, tmp_path):
    def forbidden(process):
        raise PermissionError

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WORKFLOW_PRELOAD", raising=False)
    monkeypatch.setattr(os, "pidfd_open", forbidden, raising=False)
    preload.start(2, [])
    assert "WORKFLOW_PRELOAD" not in os.environ and not list(tmp_path.iterdir())
