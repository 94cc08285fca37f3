"""Data-parallel processes that notice when one of them dies, hangs or is stopped.

Lightning's own launcher kills the main process when a child dies, or reports success when the
child dies late; a collective waits for dead processes. Here rank 0 lives, hears what happened and
decides; nobody waits for ever.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import torch
from lightning_fabric.utilities.distributed import _set_num_threads_if_needed
from pytorch_lightning.strategies import DDPStrategy, StrategyRegistry
from pytorch_lightning.strategies.launchers import _SubprocessScriptLauncher

from relief.processes.peers import Peers, open_store
from relief.schema.errors import StoppedBySignal

CHILDREN_END_S = 20.0  # until a child that was asked to stop is killed


class ChildProcesses(_SubprocessScriptLauncher):
    """Lightning's launcher without its observer, which would kill this process too."""

    def launch(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Starts the other processes of this machine once, then calls the function."""
        kwargs.pop("trainer", None)
        self.cluster_environment.validate_settings(self.num_processes, self.num_nodes)
        if not self.cluster_environment.creates_processes_externally:
            self._call_children_scripts()
            atexit.register(self.end)
        if torch.cuda.is_available():  # on the CPU the number of threads may change last bits
            _set_num_threads_if_needed(self.num_processes)
        return function(*args, **kwargs)

    def exit_code(self, rank: int) -> int | None:
        """Of a child of this process that ended."""
        return self.procs[rank - 1].poll() if 0 < rank <= len(self.procs) else None

    def end(self) -> None:
        """Waits for the children; those that do not end are stopped."""
        limit = time.monotonic() + CHILDREN_END_S
        for signal_child in (subprocess.Popen.terminate, subprocess.Popen.kill):
            for child in self.procs:
                try:
                    child.wait(max(0.0, limit - time.monotonic()))
                except subprocess.TimeoutExpired:
                    signal_child(child)
            limit = time.monotonic() + 2.0


class WatchedDDP(DDPStrategy):
    """`DDPStrategy` whose barriers and broadcasts are meetings of `Peers`.

    Args:
        patience_s: A process without progress for so long is given up while others wait for it.
        stale_s: A process without a sign of life for so long is taken for dead.
        kwargs: As `DDPStrategy`.
    """

    def __init__(self, patience_s: float = 1800.0, stale_s: float = 60.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.patience_s, self.stale_s = patience_s, stale_s
        self.peers: Peers | None = None

    def _configure_launcher(self) -> None:
        assert self.cluster_environment is not None
        self._launcher = ChildProcesses(
            self.cluster_environment, self.num_processes, self.num_nodes
        )

    @property
    def children(self) -> ChildProcesses:
        """The launcher."""
        launcher = self.launcher
        assert isinstance(launcher, ChildProcesses)
        return launcher

    def join(self) -> None:
        """Starts the other processes, unless something else did, and meets them."""
        self.children.launch(self.setup_environment)

    def setup_environment(self) -> None:
        """Joins the process group, and opens the store that `Peers` share."""
        if self.peers is not None:
            super().setup_environment()
            return
        joined = threading.Event()
        threading.Thread(target=self._watch_the_start, args=(joined,), daemon=True).start()
        super().setup_environment()
        self.peers = self._meet_peers()
        joined.set()

    def _meet_peers(self) -> Peers:
        assert self.cluster_environment is not None
        rank, world_size = self.global_rank, self.world_size
        host = self.cluster_environment.main_address
        store: Any = open_store(rank, world_size, host, 0) if rank == 0 else None
        port = super().broadcast(store.port if rank == 0 else 0)
        if store is None:
            store = open_store(rank, world_size, host, port)
        code = self.children.exit_code
        return Peers(store, rank, world_size, self.patience_s, self.stale_s, code)

    def _watch_the_start(self, joined: threading.Event) -> None:
        """A child that dies before it joins would keep this process waiting for half an hour."""
        while not joined.wait(0.5):
            for rank in range(1, self.num_processes):
                code = self.children.exit_code(rank)
                if code:
                    text = f"error: process {rank} ended with exit code {code} at the start."
                    print(f"{text} Run the same command again.", file=sys.stderr)  # noqa: T201
                    self.children.end()
                    os._exit(1)

    def barrier(self, name: str | None = None, *args: Any, **kwargs: Any) -> None:
        """Waits for all processes; raises `PeersLost` when one never comes."""
        del name, args, kwargs
        if self.peers is not None:
            self.peers.meet()

    def broadcast(self, obj: Any, src: int = 0) -> Any:
        """As `DDPStrategy.broadcast`, once all processes are here."""
        self.barrier()
        return super().broadcast(obj, src)

    def predict_step(self, *args: Any, **kwargs: Any) -> Any:
        """A step, which counts as progress."""
        if self.peers is not None:
            self.peers.advance()
        return super().predict_step(*args, **kwargs)

    def on_exception(self, exception: BaseException) -> None:
        """Tells the other processes why this one stops."""
        super().on_exception(exception)
        if self.peers is not None:
            self.peers.leave(" ".join(str(exception).split()) or type(exception).__name__)
        if self.global_rank == 0 and not isinstance(exception, StoppedBySignal):
            for child in self.children.procs:
                child.terminate()


def watch_processes() -> None:
    """From here on the strategies `ddp` and `auto` (of several devices) are `WatchedDDP`."""
    StrategyRegistry.register("ddp", WatchedDDP, "DDP that notices lost processes", override=True)
