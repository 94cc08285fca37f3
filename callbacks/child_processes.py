"""The processes that the first one of a run starts on its machine."""

from __future__ import annotations

import atexit
import subprocess
import time
from collections.abc import Callable
from typing import Any

from lightning_fabric.utilities.distributed import _set_num_threads_if_needed
from pytorch_lightning.strategies.launchers import _SubprocessScriptLauncher

from relief.schema.errors import PeersLost

CHILDREN_END_S = 20.0  # until a child that was asked to stop is killed


class ChildProcesses(_SubprocessScriptLauncher):
    """Lightning's launcher without its observer, which would kill this process too.

    Args:
        explain: Says which process is gone where a collective failed for it.
        on_gpu: Whether the processes compute on GPUs.
        args: As Lightning's launcher.
    """

    def __init__(
        self, explain: Callable[[RuntimeError], PeersLost | None], on_gpu: bool, *args: Any
    ) -> None:
        super().__init__(*args)
        self._explain, self._on_gpu = explain, on_gpu

    def launch(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Starts the other processes of this machine once, then calls the function.

        Raises:
            PeersLost: In place of what a collective says when another process is gone.
        """
        kwargs.pop("trainer", None)
        self.cluster_environment.validate_settings(self.num_processes, self.num_nodes)
        if not self.cluster_environment.creates_processes_externally:
            self._call_children_scripts()
            atexit.register(self.end)
        if self._on_gpu:  # on the CPU the number of threads may change last bits
            _set_num_threads_if_needed(self.num_processes)
        try:
            return function(*args, **kwargs)
        except RuntimeError as error:
            lost = self._explain(error)
            if lost is None:
                raise
            raise lost from error

    def exit_code(self, rank: int) -> int | None:
        """Returns the exit code of a child; `None` while it runs, or for another rank."""
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
