"""What goes wrong on purpose."""

import errno
import os
import resource
import signal
import time
from pathlib import Path

import pytorch_lightning as pl
from torch.utils.data import DataLoader

from datamodules.cityscapes import Cityscapes
from relief.formats.files import atomic


class Fault(pl.Callback):
    """One process fails before a certain batch of a certain pass.

    Args:
        kind: `raise`, `kill`, `hang`, `full` (the disk), `stop` (SIGTERM to itself) or `slow`
            (every batch).
        rank: Which process; -1 means all.
        at: Before which of its batches.
        in_pass: `fit`, `observe`, `label` or `any`; `train` means a training, by its steps.
    """

    def __init__(self, kind: str, rank: int = 0, at: int = 1, in_pass: str = "label") -> None:
        self.kind, self.rank, self.at, self.in_pass = kind, rank, at, in_pass

    def on_predict_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        if self.in_pass == "train" or self.in_pass not in ("any", trainer.datamodule.current_pass):
            return
        if self.rank not in (-1, trainer.global_rank):
            return
        if self.kind == "slow":
            time.sleep(0.3)
        elif batch_idx == self.at:
            self.fail()

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        here = self.in_pass == "train" and self.rank in (-1, trainer.global_rank)
        if here and trainer.global_step == self.at:
            self.fail()

    def fail(self):
        if self.kind == "raise":
            raise RuntimeError("the cable fell out")
        if self.kind == "hang":
            time.sleep(3600)
        if self.kind == "full":
            atomic.os = FullDisk()
            return
        os.kill(os.getpid(), signal.SIGKILL if self.kind == "kill" else signal.SIGTERM)


class PeakMemory(pl.Callback):
    """Writes the most megabytes that the process had, at the end of the labels."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def on_predict_end(self, trainer, pl_module):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        self.path.write_text(f"{peak:.1f}")


class FullDisk:
    """In place of the module `os`: nothing reaches the disk."""

    def __getattr__(self, name):
        return getattr(os, name)

    def fsync(self, number):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class ShuffledCityscapes(Cityscapes):
    """A data module whose author shuffles."""

    def predict_dataloader(self):
        return DataLoader(range(7), shuffle=True)
