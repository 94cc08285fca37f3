import pytest

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
        ChildProcesses(lambda error: lost, Alone(), 2, 1).launch(closed)
    told = "lost process 1: cannot read image: a.png (cut). Replace it. Run the same command again "
    assert str(caught.value) == f"{told}to go on."
    with pytest.raises(RuntimeError, match="closed by peer"):
        ChildProcesses(lambda error: None, Alone(), 2, 1).launch(closed)


@pytest.mark.parametrize("text", ["gloo/x.cc:5] Timed out", "NCCL error", "DistBackendError: x"])
def test_errors_of_collectives_are_known(text):
    assert COLLECTIVE.search(text)
    assert not COLLECTIVE.search("RuntimeError: CUDA out of memory")
