"""Reads the files that a user names: configuration, catalog, state, as JSON. Imports nothing of the CDK.

`read` needs them before it imports the CDK, and the CDK's entry point reads them again through the source. Each
function raises `ConfigurationError`.
"""

from __future__ import annotations

import json
import os
import tempfile
from typing import Any

from .binance.transport.sockets import reason
from .config import ConfigurationError

MOST_DEEP = 50  # lists and objects inside each other; more end in a RecursionError of the CDK


class UnusableFile(ConfigurationError):
    """A file that the user must change."""

    def __init__(self, what: str, path: str | None, why: str) -> None:
        super().__init__(f"The {what} file {path} cannot be used: {why}.")


def read_config(path: str) -> dict[str, Any]:
    """Return the configuration, not yet validated."""
    content = _read_json("configuration", path)
    if not isinstance(content, dict):
        raise UnusableFile("configuration", path, 'it is not an object; write {} or {"listen_seconds": 60}')
    return content


def read_catalog(path: str) -> dict[str, Any]:
    """Return the configured catalog, whose streams are objects with a "stream"; nothing else has been validated."""
    content = _read_json("catalog", path)
    if isinstance(content, dict) and isinstance(content.get("streams"), list):
        are_configured = [isinstance(item, dict) and "stream" in item for item in content["streams"]]
        if all(are_configured):
            return content
    form = '{"stream": ..., "sync_mode": ..., "destination_sync_mode": ...}, where "stream" is what discover prints'
    raise UnusableFile("catalog", path, f'it is not a configured catalog; each of its "streams" is {form}')


def read_state(path: str | None) -> list[dict[str, Any]]:
    """Return the states of the streams from a list, as Airbyte writes it, or from one state or STATE message."""
    content = _read_json("state", path) if path else []
    states = content if isinstance(content, list) else [content] if content else []
    states = [item.get("state", item) if isinstance(item, dict) else item for item in states]
    if any(not isinstance(item, dict) or not item.get("stream") for item in states):
        why = 'it is not a list of states of one stream each, as in [{"type": "STREAM", "stream": {...}}]'
        raise UnusableFile("state", path, f"{why}; one of all streams (GLOBAL) is not taken")
    return [{"type": "STREAM", **item} for item in states]


def require_temporary_folder() -> None:
    """Raise `ConfigurationError` if the CDK cannot make the temporary folder that each of its commands needs."""
    try:
        with tempfile.TemporaryDirectory():
            return
    except OSError as error:
        named = os.environ.get("TMPDIR")
        tried = f"TMPDIR names {named}" if named else "TMPDIR is not set"
        raise ConfigurationError(
            f"No temporary folder can be made: {reason(error).rstrip('.')} ({tried}). Set TMPDIR to a folder that this "
            "user may write to; for a container with a read-only file system add --tmpfs /tmp."
        ) from error


def _read_json(what: str, path: str) -> Any:
    try:
        with open(path, "rb") as file:
            content = json.loads(file.read())  # UTF-8 or UTF-16, with or without a byte order mark
        json.dumps(content, ensure_ascii=False).encode()
        _require_depth(content, MOST_DEEP)
        return content
    except FileNotFoundError as error:
        raise ConfigurationError(f"There is no {what} file {path}.") from error
    except json.JSONDecodeError as error:
        why = f"it is not JSON (line {error.lineno}, column {error.colno}: {error.msg})"
    except UnicodeDecodeError:
        why = "it is not text in UTF-8"
    except UnicodeEncodeError as error:  # JSON may hold half of a surrogate pair, UTF-8 cannot
        why = f'it contains "\\u{ord(error.object[error.start]):04x}", which is half of a character'
    except (RecursionError, ValueError):  # Python reads no integer of more than 4300 digits
        why = "it is nested too deeply, or contains a number of too many digits"
    except OSError as error:
        why = reason(error)
    raise UnusableFile(what, path, why)


def _require_depth(content: Any, most: int) -> None:
    """Raise `RecursionError` if a JSON document has more lists and objects inside each other; go no deeper."""
    if most == 0:
        raise RecursionError
    inside = content.values() if isinstance(content, dict) else content
    for item in inside if isinstance(content, (dict, list)) else ():
        _require_depth(item, most - 1)
