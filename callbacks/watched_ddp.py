"""Data-parallel processes that notice when one of them dies, hangs or is stopped.

Lightning's own launcher kills the main process when a child dies, or reports success when the
child dies late; a collective waits for dead processes. Here rank 0 lives, hears what happened and
decides; nobody waits for ever.
"""

from __future__ import annotations

import os
import re
import threading
from typing import Any

from pytorch_lightning.strategies import DDPStrategy, StrategyRegistry

from callbacks.child_processes import ChildProcesses
from relief.processes.peers import Peers, open_store
from relief.reports.run_log import complain
from relief.schema.errors import TOLD, PeersLost, ReliefError, StoppedBySignal

COLLECTIVE = re.compile(r"gloo|NCCL|Dist\w*Error|Connection (closed|reset)")
EXPLANATION_S = 6.0  # more than two heartbeats: who is lost is known by then


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
        self._is_watching = False
        self._ended = threading.Event()

    def _configure_launcher(self) -> None:
        assert self.cluster_environment is not None
        on_gpu = self.root_device.type == "cuda"
        self._launcher = ChildProcesses(
            self._explain, on_gpu, self.cluster_environment, self.num_processes, self.num_nodes
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
                    self._give_up(f"{text} Run the same command again.")

    def _explain(self, error: RuntimeError) -> PeersLost | None:
        """Explains why a collective failed, which itself only says that it did."""
        if self.peers is None or not COLLECTIVE.search(f"{type(error).__name__}: {error}"):
            return None
        lost = self.peers.lost(EXPLANATION_S)
        return PeersLost(lost) if lost else None

    def _watch_peers(self) -> None:
        """A collective may wait for a lost process for half an hour and hear nothing."""
        while self.peers is not None and not self._ended.wait(1.0):
            lost = self.peers.lost()
            if lost and not self._ended.wait(EXPLANATION_S):
                self._give_up(f"error: {PeersLost(lost)}")

    def _give_up(self, text: str) -> None:
        """Ends this process from a thread, whatever it waits for."""
        if self.global_rank == 0:
            complain(text)
        for child in self.children.procs:
            child.kill()
        os._exit(1)

    def _watch(self) -> None:
        """From here on no collective is waited for in vain; a labelling run has none."""
        if not self._is_watching:
            self._is_watching = True
            threading.Thread(target=self._watch_peers, daemon=True, name="peers").start()

    def on_train_start(self) -> None:
        """The collectives begin."""
        super().on_train_start()
        self._watch()

    def on_validation_start(self) -> None:
        """As `on_train_start`."""
        super().on_validation_start()
        self._watch()

    def on_test_start(self) -> None:
        """As `on_train_start`."""
        super().on_test_start()
        self._watch()

    def teardown(self) -> None:
        """Nothing is waited for any more."""
        super().teardown()
        self._ended.set()

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
        self._advance()
        return super().predict_step(*args, **kwargs)

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        """As `predict_step`."""
        self._advance()
        return super().training_step(*args, **kwargs)

    def validation_step(self, *args: Any, **kwargs: Any) -> Any:
        """As `predict_step`."""
        self._advance()
        return super().validation_step(*args, **kwargs)

    def test_step(self, *args: Any, **kwargs: Any) -> Any:
        """As `predict_step`."""
        self._advance()
        return super().test_step(*args, **kwargs)

    def _advance(self) -> None:
        if self.peers is not None:
            self.peers.advance()

    def on_exception(self, exception: BaseException) -> None:
        """Tells the other processes why this one stops."""
        super().on_exception(exception)
        self.leave(exception)
        if self.global_rank == 0 and not isinstance(exception, StoppedBySignal):
            for child in self.children.procs:
                child.terminate()

    def leave(self, exception: BaseException) -> None:
        """Tells the other processes why this one stops."""
        reason = " ".join(str(exception).split())
        if not isinstance(exception, ReliefError):
            reason = f"{type(exception).__name__}: {reason}"
        if self.peers is not None and self.peers.leave(reason):
            exception.add_note(TOLD)


def watch_processes() -> None:
    """From here on the strategies `ddp...` and `auto` (of several devices) are `WatchedDDP`."""
    about = "DDP that notices lost processes"
    StrategyRegistry.register("ddp", WatchedDDP, about, override=True)
    for find in (False, True):
        name = f"ddp_find_unused_parameters_{str(find).lower()}"
        options = {"find_unused_parameters": find}
        StrategyRegistry.register(name, WatchedDDP, about, override=True, **options)
