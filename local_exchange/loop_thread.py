"""An event loop in a thread of its own, so that blocking tests can talk to it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

_TIMEOUT = 10.0
"""Seconds for anything asked of the loop; everything asked of it takes milliseconds."""


class LoopThread:
    """Runs `main` until it ends. `main` sets `ready` when others may come in."""

    def __init__(self, main: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.ready = threading.Event()
        self._main = main
        self._thread = threading.Thread(target=self._run, name="local-exchange", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._failure: Exception | None = None

    def start(self) -> None:
        """Start, and return when `main` is ready. What it failed with until then is raised here."""
        self._thread.start()
        if not self.ready.wait(_TIMEOUT):
            raise TimeoutError("the event loop's thread did not get ready")
        if self._failure is not None:
            raise self._failure

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` in the loop and wait for its end."""
        if self._loop is None or self._loop.is_closed():
            work.close()
            raise RuntimeError("the local exchange is not open")
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_TIMEOUT)

    def call(self, action: Callable[[], object]) -> None:
        """Call `action` in the loop and wait until it has returned."""

        async def work() -> None:
            action()

        self.run(work())

    def stop(self, request: Callable[[], object]) -> None:
        """Make the request that ends `main`, and wait for its end. What it failed with is raised here."""
        if self._failure is None:
            self.call(request)
        self._thread.join(_TIMEOUT)
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        async def main() -> None:
            self._loop = asyncio.get_running_loop()
            await self._main()

        try:
            asyncio.run(main())
        except Exception as error:
            self._failure = error
        finally:
            self.ready.set()
