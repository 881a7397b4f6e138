"""Processes of the connector without two seconds of imports for each: forked from one that has imported everything.

    with warm(folder) as command, Connector(folder / "connector", command) as connector:
        connector.read(...)  # as ever

`command` is a small program that hands its arguments, environment, stdout and stderr to the one that forks, passes
signals on, and ends as the forked process ends: killed by the same signal, or with the same exit code. What a test sees
is a process of its own all the same, with sockets, memory and signal handlers of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .connector import DEADLINE, ROOT

CLIENT = """
import json, os, signal, socket, sys
gate = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
gate.connect(sys.argv[1])
socket.send_fds(gate, [json.dumps([sys.argv[2:], dict(os.environ)]).encode()], [1, 2])
child = int(gate.recv(100))
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda number, frame: os.kill(child, number))
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
code = int(gate.recv(100) or b"-9")
if code < 0:
    signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
    os.kill(os.getpid(), -code)
os._exit(code)
"""
LOOK_EVERY = 0.02  # seconds between looks for processes that have ended
LONGEST_MESSAGE = 128 * 1024  # bytes


@contextmanager
def warm(folder: Path, prepare: str = "") -> Iterator[tuple[str, ...]]:
    """Yields the command. `prepare` is Python code that is run once, before anything is forked."""
    folder.mkdir(parents=True, exist_ok=True)
    gate = folder / "gate"
    command = [sys.executable, "-m", "integration_tests.harness.warm", str(gate), prepare]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, start_new_session=True) as forking:
        try:
            deadline = time.monotonic() + DEADLINE
            while not gate.exists():
                assert forking.poll() is None, "the process that forks has ended"
                assert time.monotonic() < deadline, f"nothing was imported within {DEADLINE} seconds"
                time.sleep(0.05)
            yield (sys.executable, "-S", "-E", "-c", CLIENT, str(gate))
        finally:
            os.killpg(forking.pid, signal.SIGKILL)  # and whatever it has forked


def main(gate: str, prepare: str) -> None:
    from source_binance_futures import entrypoint
    from source_binance_futures.cli import run

    assert entrypoint.__name__
    exec(prepare, {})
    # A path of a socket may have no more than 107 bytes, and folders of tests have long names.
    os.chdir(Path(gate).parent)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind("binding")
    listener.listen(64)
    os.rename("binding", Path(gate).name)
    os.chdir(ROOT)
    run(_fork_for_each(listener))


def _fork_for_each(listener: socket.socket) -> list[str]:
    """Returns in each forked process, with its arguments, and in this one never."""
    parents: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([listener, *parents.values()], [], [], LOOK_EVERY)
        if listener in ready:
            parent, _ = listener.accept()
            message, files, _, _ = socket.recv_fds(parent, LONGEST_MESSAGE, 2)
            arguments, environment = json.loads(message)
            child = os.fork()
            if not child:
                for number, file in enumerate(files, 1):
                    os.dup2(file, number)
                    os.close(file)
                for other in (listener, parent, *parents.values()):
                    other.close()
                os.environ.clear()
                os.environ.update(environment)
                return list(arguments)
            for file in files:
                os.close(file)
            parent.send(b"%d" % child)
            parents[child] = parent
        for child, parent in list(parents.items()):
            if parent in ready:  # it was killed; nothing else is ever sent
                os.kill(child, signal.SIGKILL)
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                with contextlib.suppress(OSError):  # it was killed
                    parent.send(b"%d" % os.waitstatus_to_exitcode(status))
                parents.pop(child).close()


if __name__ == "__main__":
    main(*sys.argv[1:])
