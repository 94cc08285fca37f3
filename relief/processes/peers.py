"""The processes of one run: who is alive, who has arrived, and no waiting for the dead."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import torch

from relief.schema.errors import PeersLost

POLL_S = 0.05
STORE_TIMEOUT_S = 300.0


class Peers:
    """Meetings of all processes that end even when some of them never come.

    Collectives of NCCL and gloo cannot be left once entered, and a process that died or hangs
    holds up all others. Here every process notes in a small shared store that it is alive (a
    thread), how far it is (`advance`) and where it has arrived (`meet`); the first one judges.

    Args:
        store: Shared by all; it lives in the first process.
        rank: Of this process.
        world_size: Of all.
        patience_s: A process without progress for so long is given up while others wait for it.
        stale_s: A process without a sign of life for so long is taken for dead.
        exit_code: Of a process on this machine that ended, by rank; `None` while it runs or where
            nobody knows.
    """

    def __init__(
        self,
        store: torch.distributed.Store,
        rank: int,
        world_size: int,
        patience_s: float = 1800.0,
        stale_s: float = 60.0,
        exit_code: Callable[[int], int | None] | None = None,
    ) -> None:
        self.rank, self.world_size = rank, world_size
        self._store = store
        self._patience_s, self._stale_s = patience_s, stale_s
        self._exit_code = exit_code or (lambda _: None)
        self._meetings = 0
        self._progress = 0
        self._first_is_gone = False
        self._signs = {other: _Signs() for other in range(world_size)}
        self._ended = threading.Event()
        threading.Thread(target=self._beat, daemon=True, name="heartbeat").start()

    def advance(self) -> None:
        """Notes that this process got further.

        Raises:
            PeersLost: The first process is gone, so nobody would wait for what this one does.
        """
        self._progress += 1
        if self._first_is_gone:
            raise PeersLost({0: "gone"})

    def leave(self, reason: str) -> bool:
        """Tells the others that this process stops early; never raises.

        Returns:
            Whether they can know it.
        """
        self._ended.set()
        try:
            self._store.set(f"left/{self.rank}", reason or "stopped")
            if self.rank == 0:  # whoever waits for the word of the first
                self._store.set(f"meeting/{self._meetings + 1}", f"0: {reason}")
                self._store.set(f"meeting/{self._meetings}", f"0: {reason}")
        except (RuntimeError, ValueError):
            self._first_is_gone = True
        return not self._first_is_gone

    def lost(self, within_s: float = 0.0) -> dict[int, str]:
        """Returns why other processes are lost, by rank, as soon as it is known of one.

        Args:
            within_s: How long to wait for that; one that was silent all this time is lost, too.
        """
        limit = time.monotonic() + within_s
        others = [rank for rank in range(self.world_size) if rank != self.rank]
        while True:
            try:
                reasons = {rank: self._why_lost(rank, self._signs[rank]) for rank in others}
            except (RuntimeError, ValueError):  # the store went with the first process
                return {0: "gone"}
            is_late = time.monotonic() >= limit
            for rank in others if is_late and within_s else ():
                silent_s = self._signs[rank].silent_s()
                if silent_s > within_s - 1.0:
                    reasons[rank] = reasons[rank] or f"no sign of life for {silent_s:.0f} s"
            if any(reasons.values()) or is_late:
                return {rank: reason for rank, reason in reasons.items() if reason}
            time.sleep(POLL_S)

    def meet(self, *, without_the_lost: bool = False) -> dict[int, str]:
        """Waits until all processes have come here.

        Args:
            without_the_lost: Go on with those that live; else all of them stop.

        Returns:
            Why processes were lost, by rank; the same in every process.

        Raises:
            PeersLost: Some never come, unless `without_the_lost`.
        """
        self._meetings += 1
        name = f"meeting/{self._meetings}"
        try:
            self._store.set(f"{name}/{self.rank}", "here")
            lost = self._judge(name, without_the_lost) if self.rank == 0 else self._hear(name)
        except (RuntimeError, ValueError) as error:  # the store went with the first process
            raise PeersLost({0: "gone"}) from error
        if lost and (not without_the_lost or 0 in lost):
            raise PeersLost(lost)
        return lost

    def _judge(self, name: str, without_the_lost: bool) -> dict[int, str]:
        """The first process: waits for each other one, or finds out why it does not come."""
        lost: dict[int, str] = {}
        awaited = {rank: _Signs() for rank in range(1, self.world_size)}
        while awaited and (without_the_lost or not lost):
            for rank, signs in list(awaited.items()):
                if self._store.check([f"{name}/{rank}"]):
                    del awaited[rank]
                elif reason := self._why_lost(rank, signs) or self._why_not_here(rank, signs):
                    lost[rank] = reason
                    del awaited[rank]
            time.sleep(POLL_S if awaited else 0)
        self._store.set(name, "\n".join(f"{rank}: {reason}" for rank, reason in lost.items()))
        return lost

    def _hear(self, name: str) -> dict[int, str]:
        """The others: wait for the word of the first, as long as it lives."""
        while not self._store.check([name]):
            if self._first_is_gone:
                return {0: "gone"}
            time.sleep(POLL_S)
        lines = self._store.get(name).decode().splitlines()
        return {int(rank): reason for rank, _, reason in (line.partition(": ") for line in lines)}

    def _why_lost(self, rank: int, signs: _Signs) -> str | None:
        if self._store.check([f"left/{rank}"]):
            return self._store.get(f"left/{rank}").decode().replace("\n", " ")
        code = self._exit_code(rank)
        if code:
            return f"ended with exit code {code}"
        if self._store.check([f"beat/{rank}"]):
            signs.see(self._store.get(f"beat/{rank}").decode())
        if signs.silent_s() > self._stale_s:
            return f"no sign of life for {self._stale_s:.0f} s"
        return None

    def _why_not_here(self, rank: int, signs: _Signs) -> str | None:
        """Explains why a process that is waited for never comes: it is done, or gets no further."""
        if self._exit_code(rank) == 0:
            return "ended with exit code 0"
        if signs.idle_s() > self._patience_s:
            return f"no progress for {self._patience_s:.0f} s"
        return None

    def _beat(self) -> None:
        number = 0
        while not self._ended.wait(min(2.0, self._stale_s / 4)):
            number += 1
            try:
                self._store.set(f"beat/{self.rank}", f"{number} {self._progress}")
            except (RuntimeError, ValueError):
                self._first_is_gone = True
                return


class _Signs:
    """The last sign of life of another process, and when it last changed."""

    def __init__(self) -> None:
        self._beat, self._progress = "", ""
        self._beat_at = self._progress_at = time.monotonic()

    def see(self, beat: str) -> None:
        now, progress = time.monotonic(), beat.partition(" ")[2]
        if beat != self._beat:
            self._beat, self._beat_at = beat, now
        if progress != self._progress:
            self._progress, self._progress_at = progress, now

    def silent_s(self) -> float:
        return time.monotonic() - self._beat_at

    def idle_s(self) -> float:
        return time.monotonic() - self._progress_at


def open_store(rank: int, world_size: int, host: str, port: int) -> torch.distributed.Store:
    """The store of a run's processes.

    Args:
        rank: Of this process; the first one holds the store.
        world_size: Of all.
        host: Of the first process.
        port: Where it listens; 0 in the first process takes a free one (see `.port`).
    """
    return torch.distributed.TCPStore(
        host,
        port,
        world_size,
        is_master=rank == 0,
        timeout=timedelta(seconds=STORE_TIMEOUT_S),
        wait_for_workers=False,
    )
