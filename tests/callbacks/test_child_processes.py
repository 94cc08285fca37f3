import pytest
import torch

from callbacks.child_processes import ChildProcesses
from callbacks.watched_ddp import COLLECTIVE
from relief.schema.errors import PeersLost


class Alone:
    creates_processes_externally = True

    def validate_settings(self, num_devices, num_nodes):
        pass


def closed():
    raise RuntimeError("[gloo/transport/tcp/pair.cc:553] Connection closed by peer [::1]:21676.")


def test_a_broken_collective_is_explained_by_what_broke_it():
    lost = PeersLost({1: "cannot read image: a.png (cut). Replace it."})
    with pytest.raises(PeersLost) as caught:
        ChildProcesses(lambda error: lost, False, Alone(), 2, 1).launch(closed)
    told = "lost process 1: cannot read image: a.png (cut). Replace it. Run the same command again "
    assert str(caught.value) == f"{told}to go on."
    with pytest.raises(RuntimeError, match="closed by peer"):
        ChildProcesses(lambda error: None, False, Alone(), 2, 1).launch(closed)


@pytest.mark.parametrize("text", ["gloo/x.cc:5] Timed out", "NCCL error", "DistBackendError: x"])
def test_errors_of_collectives_are_known(text):
    assert COLLECTIVE.search(text)
    assert not COLLECTIVE.search("RuntimeError: CUDA out of memory")


@pytest.mark.parametrize("on_gpu", [False, True])
def test_threads_of_processes_on_the_cpu_stay_as_they_are(monkeypatch, on_gpu):
    """Another number of threads may change last bits, whether the machine has a GPU or not."""
    limited: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    name = "callbacks.child_processes._set_num_threads_if_needed"
    monkeypatch.setattr(name, limited.append)
    assert ChildProcesses(lambda error: None, on_gpu, Alone(), 2, 1).launch(lambda: 7) == 7
    assert limited == ([2] if on_gpu else [])
