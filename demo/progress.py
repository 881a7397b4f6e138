"""A line for every step while it goes on, so that no silence lasts longer than a few seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

SECONDS_BETWEEN_SIGNS = {True: 0.5, False: 2.5}
"""In a terminal one line is drawn again and again; in a file or a CI log every sign is a line of its own."""


@contextmanager
def step(console: Console, text: str) -> Iterator[None]:
    """Show `text` and the seconds that it takes, then whether it succeeded. What an error says is the caller's."""
    ended = threading.Event()
    start = time.monotonic()

    def sign() -> str:
        return f"{text}: {time.monotonic() - start:.0f} s"

    def give_signs() -> None:
        while not ended.wait(SECONDS_BETWEEN_SIGNS[console.is_terminal]):
            if console.is_terminal:
                status.update(sign())
            elif not console.record:  # a picture shows what came of it
                console.print(f"  … {sign()}")

    status = console.status(text)
    if console.is_terminal:
        status.start()
    signs = threading.Thread(target=give_signs)
    signs.start()
    outcome = "[red]✗[/red]"
    try:
        yield
        outcome = "[green]✓[/green]"
    finally:
        ended.set()
        signs.join()
        status.stop()
        console.print(f"{outcome} {text} [dim]({time.monotonic() - start:.1f} s)[/dim]")
