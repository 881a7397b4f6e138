"""Processes without seconds of imports for each: forked from one that has imported everything (`forking.py`).

A command of these is a small program that hands its arguments, environment, folder, stdout and stderr to the one that
forks, passes signals on, and ends as the forked process ends: killed by the same signal, or with the same exit code.
What a test sees is a process of its own all the same, with sockets, memory and signal handlers of its own; but its
number is not that of the connector, its start is not the connector's, and it has no stdin.

One process for each interpreter and its imports serves a whole run of tests, with all of its workers, and ends with it.
"""

from __future__ import annotations

import atexit
import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 240.0  # seconds for all imports: PyAirbyte's take ten of a quiet machine
CONNECTOR = "from source_binance_futures.cli import run; run()"
PYAIRBYTE = (
    "import os; os.environ.update(AIRBYTE_OFFLINE_MODE='1', DO_NOT_TRACK='1'); import airbyte, airbyte.caches, pandas"
)
FOLDER, OWNER = "TESTS_WARM_FOLDER", "TESTS_WARM_OWNER"
"""The environment variables that tell workers where those that fork are, and the process with which they end."""
IMPORTS = "import source_binance_futures.cli, source_binance_futures.entrypoint"
CLIENT = """
import fcntl, json, os, signal, socket, sys
gate = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
if gate.fileno() < 3:  # which a shell has closed
    gate = socket.socket(fileno=fcntl.fcntl(closed := gate.detach(), fcntl.F_DUPFD, 3))
    os.close(closed)
outputs = [number for number, stream in ((1, sys.__stdout__), (2, sys.__stderr__)) if stream is not None]
SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
gate.connect(sys.argv[1])
request = dict(script=sys.argv[2], arguments=sys.argv[3:], environment=dict(os.environ), folder=os.getcwd())
socket.send_fds(gate, [json.dumps(request | dict(outputs=outputs)).encode()], outputs)
child = int(gate.recv(100))
for number in SIGNALS:
    signal.signal(number, lambda number, frame: os.kill(child, number))
signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
code = int(gate.recv(100) or b"-9")
if code < 0:
    signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
    os.kill(os.getpid(), -code)
os._exit(code)
"""


def warm_command(script: str = CONNECTOR, python: str = sys.executable, imports: str = IMPORTS) -> tuple[str, ...]:
    """The command that runs `script` with the arguments after it, as `python -c script` would, without the imports."""
    return (sys.executable, "-S", "-E", "-c", CLIENT, str(_gate(python, imports)), script)


def pyairbyte_command(python: Path, script: str) -> tuple[str, ...]:
    """The same for PyAirbyte's interpreter. It ends without Arrow's farewell, which aborts in a fork."""
    return warm_command(f"{script}\nimport os, sys; sys.stdout.flush(); os._exit(0)", str(python), PYAIRBYTE)


def share() -> None:
    """Lets the processes that this one starts share those that fork, which then end with this one."""
    if FOLDER not in os.environ:
        folder = tempfile.mkdtemp(prefix="warm-")
        os.environ[FOLDER], os.environ[OWNER] = folder, str(os.getpid())
        atexit.register(shutil.rmtree, folder, ignore_errors=True)


@functools.cache
def _gate(python: str, imports: str) -> Path:
    """Starts the process that forks where there is none yet, and waits until it has imported everything."""
    share()
    folder = Path(os.environ[FOLDER])
    gate = folder / hashlib.sha256(f"{python} {imports}".encode()).hexdigest()[:12]
    with gate.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not gate.exists():
            words = [python, str(Path(__file__).with_name("forking.py")), str(gate), imports, os.environ[OWNER]]
            forking = subprocess.Popen(
                words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
            )
            deadline = time.monotonic() + DEADLINE
            while not gate.exists():
                assert forking.poll() is None, "the process that forks has ended"
                assert time.monotonic() < deadline, f"nothing was imported within {DEADLINE} seconds"
                time.sleep(0.05)
            forking.returncode = 0  # it outlives this process where the owner does, so nobody waits for it
    return gate
