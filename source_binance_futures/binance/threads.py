"""Threads of this process: one that cannot be started is a failure with an owner, not a bare `RuntimeError`."""

from __future__ import annotations

import threading
from collections.abc import Callable

from .errors import NoThread


def start_thread(name: str, work: Callable[[], None], what: str) -> threading.Thread:
    """Start a daemon thread. Raises `NoThread`; `what` says, as the beginning of a sentence, what does not happen."""
    thread = threading.Thread(target=work, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:  # the limit of processes is reached, or there is no memory for another stack
        raise NoThread(what) from error
    return thread
