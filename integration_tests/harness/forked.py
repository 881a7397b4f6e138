"""Many short runs of the connector, each a process of its own, without two seconds of imports for each.

`python -m integration_tests.harness.forked FOLDER` imports the connector once and forks for every run that
`FOLDER/jobs` tells, a line of JSON each: the arguments. What run 3 writes is in `3.stdout` and `3.stderr`; `codes` gets
the exit codes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import orjson

from .connector import ROOT, Output

SECONDS_EACH = 30


def run_all(
    folder: Path, jobs: Sequence[Sequence[str | bytes]], *, messages: bool = True, seconds: float = 110
) -> list[Output]:
    """The outputs of these runs, in their order. Where `messages` are expected, any other line of stdout fails."""
    folder.mkdir(parents=True)
    lines = [orjson.dumps([os.fsencode(arg).hex() for arg in job]) for job in jobs]
    (folder / "jobs").write_bytes(b"\n".join(lines))
    began = time.monotonic()
    command = [sys.executable, "-m", "integration_tests.harness.forked", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=seconds)
    codes = orjson.loads((folder / "codes").read_bytes())
    outputs = []
    for number, code in enumerate(codes):
        stdout, stderr = ((folder / f"{number}.{name}").read_text("utf-8") for name in ("stdout", "stderr"))
        found = [orjson.loads(line) for line in stdout.splitlines()] if messages else []
        outputs.append(Output(code, found, stdout, stderr, time.monotonic() - began))
    return outputs


def main(folder: Path) -> None:
    from source_binance_futures import entrypoint
    from source_binance_futures.cli import run

    assert entrypoint.__name__
    codes = []
    for number, line in enumerate((folder / "jobs").read_bytes().splitlines()):
        args = [os.fsdecode(bytes.fromhex(arg)) for arg in orjson.loads(line)]
        child = os.fork()
        if not child:
            for descriptor, name in ((1, "stdout"), (2, "stderr")):
                os.dup2(os.open(folder / f"{number}.{name}", os.O_CREAT | os.O_WRONLY), descriptor)
            signal.alarm(SECONDS_EACH)
            run(args)
            sys.exit()
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    (folder / "codes").write_bytes(orjson.dumps(codes))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
