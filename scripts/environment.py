"""Make a virtual environment from a pinned requirements file, showing that something happens.

Run by the Makefile with the interpreter that the environment is to have: ``python3.11 scripts/environment.py .venv
requirements/dev.txt airbyte_cdk``. It uses nothing but the standard library, since at this point nothing else is there.

pip's own lines, several screens of them, are shown only if it fails. ``--no-deps`` is safe because the file holds every
package (``make lock`` writes it), and it spares pip the resolving. ``--no-compile`` leaves the byte code of a module to
its first import, as most modules of most packages are never imported; the module named last is imported here, so that
the next command need not wait for it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

SECONDS_BETWEEN_LINES = 5.0
LINES_SHOWN_ON_FAILURE = 30


def ended(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(SECONDS_BETWEEN_LINES)
    except subprocess.TimeoutExpired:
        return False
    return True


def run(folder: str, phase: str, arguments: list[str]) -> bool:
    """Run the environment's Python, with a line every few seconds; its own lines only if it fails."""
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PYTHONUNBUFFERED": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [str(Path(folder, "bin", "python")), *arguments]
    with tempfile.TemporaryDirectory() as temporary:
        said = Path(temporary, "said")
        with (
            said.open("wb") as output,
            subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT) as process,
        ):
            while not ended(process):
                print(f"{folder}: {progress(said.read_text(errors='replace').splitlines()) or phase}", flush=True)
        if process.returncode:
            print(*said.read_text(errors="replace").splitlines()[-LINES_SHOWN_ON_FAILURE:], sep="\n", file=sys.stderr)
    return process.returncode == 0


def progress(lines: list[str]) -> str:
    """How far pip is, by what it has said so far; empty before that."""
    fetched = sum(line.startswith("Collecting ") for line in lines)
    if any(line.startswith("Installing collected packages") for line in lines):
        return f"unpacking {fetched} packages"
    return f"{fetched} packages fetched" if fetched else ""


def pins(requirements: Path) -> list[str]:
    """Its lines without the comments, which tell why a package is there."""
    return [line for line in requirements.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]


def main(folder: str, requirements: str, module: str | None = None) -> str | None:
    """The sentence that says what went wrong, or None."""
    done = Path(folder, "requirements.txt")
    if done.exists() and pins(done) == pins(Path(requirements)):
        return None  # written anew with the same pins, as by a checkout
    start = time.monotonic()
    version = ".".join(str(part) for part in sys.version_info[:3])
    print(
        f"{folder}: {'updating' if done.exists() else 'making'} it with Python {version} from {requirements}",
        flush=True,
    )
    try:
        if not done.exists():
            venv.create(folder, clear=True, with_pip=True, symlinks=True)
    except subprocess.CalledProcessError:
        return (
            f"{folder}: this Python cannot make virtual environments. On Debian and Ubuntu the package python3-venv "
            "is missing: install it, then run the same make command again."
        )
    pip = ["-m", "pip", "install", "--progress-bar", "off", "--no-deps", "--no-compile"]
    if not run(folder, "fetching packages", [*pip, "--require-hashes", "--requirement", requirements]):
        return (
            f"{folder}: pip could not install {requirements}; its last lines are above. Check that this machine "
            "reaches its package registry, then run the same make command again."
        )
    if module and not run(folder, f"importing {module} for the first time", ["-W", "ignore", "-c", f"import {module}"]):
        return f"{folder}: {module} cannot be imported; the last lines are above."
    shutil.copyfile(requirements, done)
    print(f"{folder}: ready after {time.monotonic() - start:.0f} s", flush=True)
    return None


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
