"""`make profile`: a flame graph of a whole `read` under flood, by py-spy, to `build/bench/profile.svg`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from .processes import ROOT, flood, read_command

UPDATES = 1_000_000


def main() -> None:
    target = ROOT / "build" / "bench" / "profile.svg"
    target.parent.mkdir(parents=True, exist_ok=True)
    py_spy = str(Path(sys.executable).with_name("py-spy"))
    with tempfile.TemporaryDirectory() as name, flood(UPDATES * 2, folder := Path(name)) as source:
        record = [py_spy, "record", "--threads", "--gil", "--rate", "200", "--output", str(target), "--"]
        command = [*record, *read_command(source.url, folder, UPDATES)]
        print(f"Reading {UPDATES:,} updates under py-spy ...", flush=True)
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False, timeout=600)
    print(f"Written to {target.relative_to(ROOT)}" if done.returncode == 0 else "py-spy could not record; see above.")
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
