"""A command `source-binance-futures` that reads a local exchange, whatever the configuration file says.

The documents show commands as a user types them, with configurations that mean Binance itself. `write` puts a command
of that name into a folder for PATH; it replaces some options of the configuration and becomes the real one.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
NAME = "source-binance-futures"


def write(folder: Path, options: Mapping[str, Any], real_command: Sequence[str] = ()) -> None:
    """Puts the command into `folder`; `options` go before those of any configuration it is given.

    It becomes `real_command`: by default the installed command of this environment, else the module.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "options.json").write_text(json.dumps(options), encoding="utf-8")
    real_command = real_command or _installed_command()
    words = shlex.join(
        [sys.executable, str(Path(__file__).resolve()), str(folder / "options.json"), *real_command, "--"]
    )
    command = folder / NAME
    command.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
    command.chmod(0o755)


def _installed_command() -> list[str]:
    installed = Path(sys.executable).with_name(NAME)
    return [str(installed)] if installed.exists() else [sys.executable, "-m", "source_binance_futures"]


def redirected(arguments: Sequence[str], options: Mapping[str, Any], folder: Path) -> list[str]:
    """The arguments, with a changed copy in place of the configuration file. What is no configuration stays."""
    words = list(arguments)
    for number, word in enumerate(words):
        if word == "--config" and number + 1 < len(words):
            words[number + 1] = _changed(words[number + 1], options, folder)
        elif word.startswith("--config="):
            words[number] = "--config=" + _changed(word.partition("=")[2], options, folder)
    return words


def _changed(path: str, options: Mapping[str, Any], folder: Path) -> str:
    try:
        config = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return path  # the connector has a sentence for it
    with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".json", delete=False, encoding="utf-8") as copy:
        json.dump({**config, **options}, copy)
    return copy.name


def main() -> None:
    options_file = Path(sys.argv[1])
    options = json.loads(options_file.read_text(encoding="utf-8"))
    end = sys.argv.index("--")
    words = [*sys.argv[2:end], *redirected(sys.argv[end + 1 :], options, options_file.parent)]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    os.execve(words[0], words, {**os.environ, "PYTHONPATH": path})


if __name__ == "__main__":
    main()
