"""Files are written beside the work, never more than a few behind it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any


class BackgroundWriter:
    """Runs calls that write files in threads; a full queue holds the caller up.

    Args:
        num_threads: Calls at the same time.
        most_waiting: Calls begun or waiting; bounds the memory that their arguments hold.
    """

    def __init__(self, num_threads: int = 2, most_waiting: int = 4) -> None:
        self._threads = ThreadPoolExecutor(num_threads, thread_name_prefix="writer")
        self._places = threading.BoundedSemaphore(most_waiting)
        self._error: BaseException | None = None

    def submit(self, write: Callable[..., Any], *arguments: Any) -> None:
        """Calls `write(*arguments)` soon.

        Raises:
            BaseException: What an earlier call raised; from the first on nothing is called.
        """
        self._places.acquire()
        if self._error is not None:
            self._places.release()
            raise self._error
        self._threads.submit(self._call, write, arguments)

    def finish(self) -> None:
        """Waits for all calls; raises what one of them raised."""
        self.close()
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Waits for all calls, whatever became of them."""
        self._threads.shutdown(wait=True)

    def _call(self, write: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        try:
            if self._error is None:
                write(*arguments)
        except BaseException as error:  # the caller hears of it
            self._error = error
        finally:
            self._places.release()
