import pytest
import torch

from relief.schema.errors import UsageError
from relief.studies.devices import chosen_device


@pytest.mark.parametrize("has_gpu", [False, True])
def test_a_gpu_is_taken_where_there_is_one(monkeypatch, has_gpu):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_gpu)
    assert chosen_device(None).type == ("cuda" if has_gpu else "cpu")
    assert chosen_device("cpu").type == "cpu"


def test_what_is_not_there_is_told(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match=r"^no GPU here: cuda:1\. Use cpu\.$"):
        chosen_device("cuda:1")
    with pytest.raises(UsageError, match=r"^unknown device: gpu\. Use cpu or cuda\.$"):
        chosen_device("gpu")
