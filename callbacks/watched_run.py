"""A labelling run around its processes: who begins, and what is left in order at the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytorch_lightning as pl

from callbacks.watched_ddp import WatchedDDP, watch_processes
from relief.formats.label_run import LabelRun
from relief.schema.errors import StoppedBySignal

__all__ = ["first_process_first", "watch_processes", "watched_run"]


@contextmanager
def first_process_first(trainer: pl.Trainer) -> Iterator[None]:
    """The first process runs the block alone; where it succeeds, all others run it too.

    Lightning's own launcher starts the others after it; those of torchrun or SLURM wait before it.
    """
    strategy = trainer.strategy
    if not isinstance(strategy, WatchedDDP):
        yield
    elif trainer.is_global_zero:
        yield
        strategy.join()
    else:
        strategy.join()
        yield


@contextmanager
def watched_run(trainer: pl.Trainer, run: LabelRun, keys: Sequence[str]) -> Iterator[None]:
    """At its end, however it comes: no other process, no lock.

    Args:
        trainer: Of the run.
        run: Its folder.
        keys: All its images; filled when they are known.

    Raises:
        StoppedBySignal: A signal came; the message says how many images are labelled.
    """
    try:
        yield
    except StoppedBySignal as stop:
        end_processes(trainer)
        counted = f" after {run.count(keys)} of {len(keys)} images" if keys else ""
        raise StoppedBySignal(stop.number, counted) from None
    except BaseException as error:
        if isinstance(trainer.strategy, WatchedDDP):
            trainer.strategy.leave(error)
        raise
    finally:
        end_processes(trainer)
        run.lock.release()


def end_processes(trainer: pl.Trainer) -> None:
    """Waits for the processes that this one started; those that do not end are stopped."""
    if isinstance(trainer.strategy, WatchedDDP):
        trainer.strategy.children.end()
