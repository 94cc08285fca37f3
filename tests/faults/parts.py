"""What goes wrong on purpose."""

import os
import signal
import time

import pytorch_lightning as pl


class Fault(pl.Callback):
    """One process fails before a certain batch of a certain pass.

    Args:
        kind: `raise`, `kill`, `hang`, `stop` (SIGTERM to itself) or `slow` (every batch).
        rank: Which process; -1 means all.
        at: Before which of its batches.
        in_pass: `fit`, `observe`, `label` or `any`.
    """

    def __init__(self, kind: str, rank: int = 0, at: int = 1, in_pass: str = "label") -> None:
        self.kind, self.rank, self.at, self.in_pass = kind, rank, at, in_pass

    def on_predict_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        if self.in_pass not in ("any", trainer.datamodule.current_pass):
            return
        if self.rank not in (-1, trainer.global_rank):
            return
        if self.kind == "slow":
            time.sleep(0.3)
        elif batch_idx == self.at:
            self.fail()

    def fail(self):
        if self.kind == "raise":
            raise RuntimeError("the cable fell out")
        if self.kind == "hang":
            time.sleep(3600)
        os.kill(os.getpid(), signal.SIGKILL if self.kind == "kill" else signal.SIGTERM)
