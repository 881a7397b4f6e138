"""Make a virtual environment from a pinned requirements file, showing that something happens.

Run by the Makefile with the interpreter that the environment is to have: ``python3.11 scripts/environment.py .venv
requirements/dev.txt``. It uses nothing but the standard library, since at this point nothing else is there.

pip's own lines, several screens of them, are shown only if it fails. ``--no-deps`` is safe because the file holds every
package (``make lock`` writes it), and it spares pip the resolving; ``--no-compile`` leaves the byte code of a module to
its first import, as most modules of most packages are never imported.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
import venv
from collections import deque
from collections.abc import Iterable
from pathlib import Path

SECONDS_BETWEEN_LINES = 3.0
LINES_SHOWN_ON_FAILURE = 30


class Progress:
    """What pip has said so far."""

    def __init__(self) -> None:
        self.fetched = 0
        self.phase = "fetching packages"
        self.last_lines: deque[str] = deque(maxlen=LINES_SHOWN_ON_FAILURE)

    def read(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.last_lines.append(line.rstrip())
            if line.startswith("Collecting "):
                self.fetched += 1
                self.phase = f"{self.fetched} packages fetched"
            elif line.startswith("Installing collected packages"):
                self.phase = f"unpacking {self.fetched} packages"


def ended(process: subprocess.Popen[str]) -> bool:
    try:
        process.wait(SECONDS_BETWEEN_LINES)
    except subprocess.TimeoutExpired:
        return False
    return True


def install(python: Path, requirements: Path, label: str) -> int:
    command = [str(python), "-m", "pip", "install", "--progress-bar", "off", "--no-deps", "--no-compile"]
    command += ["--require-hashes", "--requirement", str(requirements)]
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as pip:
        assert pip.stdout is not None
        progress = Progress()
        reader = threading.Thread(target=progress.read, args=(pip.stdout,))
        reader.start()
        while not ended(pip):
            print(f"{label}: {progress.phase}", flush=True)
        reader.join()
    if pip.returncode:
        print("\n".join(progress.last_lines), file=sys.stderr)
        print(
            f"{label}: pip could not install {requirements}; its last lines are above. "
            "Check that this machine reaches its package registry, then run the same make command again.",
            file=sys.stderr,
        )
    return pip.returncode


def main(folder: str, requirements: str) -> int:
    done = Path(folder, "requirements.txt")
    if done.exists() and done.read_bytes() == Path(requirements).read_bytes():
        return 0  # written anew with the same content, as by a checkout
    start = time.monotonic()
    version = ".".join(str(part) for part in sys.version_info[:3])
    print(f"{folder}: making it with Python {version} from {requirements}", flush=True)
    try:
        venv.create(folder, clear=True, with_pip=True, symlinks=True)
    except subprocess.CalledProcessError:
        print(
            f"{folder}: this Python cannot make virtual environments. On Debian and Ubuntu the package python3-venv "
            "is missing: install it, then run the same make command again.",
            file=sys.stderr,
        )
        return 1
    code = install(Path(folder, "bin", "python"), Path(requirements), folder)
    if not code:
        shutil.copyfile(requirements, done)
        print(f"{folder}: ready after {time.monotonic() - start:.0f} s", flush=True)
    return code


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
