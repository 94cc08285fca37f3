"""Pools of processes that end with the run."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

from relief.processes.signals import end_with_the_run


@contextmanager
def process_pool(count: int) -> Iterator[ProcessPoolExecutor]:
    """Yields a pool of so many processes; where the work raises, they stop what they do.

    A fresh server forks them: this process may hold threads, which do not survive a fork.
    """
    pool = ProcessPoolExecutor(
        count, multiprocessing.get_context("forkserver"), initializer=end_with_the_run
    )
    try:
        yield pool
    except BaseException:
        processes = list((pool._processes or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()
        raise
    finally:
        pool.shutdown()
