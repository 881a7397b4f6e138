"""An interpreter that has imported what takes long, and forks for each run: `python forking.py GATE IMPORTS OWNER`.

It needs nothing but Python's own modules, so that PyAirbyte's interpreter can run it too. `GATE` is the socket that it
makes when all is imported; a client (`warm.py`) hands over a script with its arguments, environment, folder, stdout and
stderr, and hears the number of the forked process and how it ended. All end when the process `OWNER` is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import sys
from pathlib import Path
from typing import Any

LOOK_EVERY = 0.02  # seconds between looks for processes that have ended
LONGEST_MESSAGE = 128 * 1024  # bytes


def main(gate: Path, imports: str, owner: int) -> None:
    root = sys.path[0] = str(Path.cwd())
    exec(imports, {})
    # A path of a socket may have no more than 107 bytes, and folders of tests have long names.
    os.chdir(gate.parent)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(binding := f"{gate.name}.new")
    listener.listen(64)
    os.rename(binding, gate.name)
    os.chdir(root)
    script = fork_for_each(listener, owner, gate.parent)
    exec(compile(script, "<script>", "exec"), {"__name__": "__main__"})


def fork_for_each(listener: socket.socket, owner: int, folder: Path) -> str:
    """Returns in each forked process, with its script, and in this one never."""
    clients: dict[int, socket.socket] = {}
    while True:
        if not exists(owner):
            for child in clients:
                os.kill(child, signal.SIGKILL)
            shutil.rmtree(folder, ignore_errors=True)  # which an owner that was killed has left
            os._exit(0)
        ready, _, _ = select.select([listener, *clients.values()], [], [], LOOK_EVERY)
        if listener in ready:
            client, _ = listener.accept()
            message, files, _, _ = socket.recv_fds(client, LONGEST_MESSAGE, 2)
            request: dict[str, Any] = json.loads(message)
            child = os.fork()
            if not child:
                take_outputs(dict(zip(request["outputs"], files, strict=True)))
                for other in (listener, client, *clients.values()):
                    other.close()
                os.environ.clear()
                os.environ.update(request["environment"])
                os.chdir(request["folder"])
                sys.argv = [sys.argv[0], *request["arguments"]]
                return str(request["script"])
            for file in files:
                os.close(file)
            client.send(b"%d" % child)
            clients[child] = client
        for child, client in list(clients.items()):
            if client in ready:  # it was killed; nothing else is ever sent
                os.kill(child, signal.SIGKILL)
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                with contextlib.suppress(OSError):  # it was killed
                    client.send(b"%d" % os.waitstatus_to_exitcode(status))
                clients.pop(child).close()


def take_outputs(files: dict[int, int]) -> None:
    """Makes these files the outputs of the process, as Python does at its start; what is closed stays closed."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        if number in files:
            os.dup2(files[number], number)
            os.close(files[number])
        else:
            os.close(number)
            setattr(sys, name, None)
            setattr(sys, f"__{name}__", None)


def exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
