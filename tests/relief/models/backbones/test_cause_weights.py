import json

import pytest
import torch
from safetensors.torch import save_file

from relief.models.backbones.cause_weights import about_of, random_like, split_state_dict
from relief.schema.errors import WeightsError


def test_one_file_is_split_into_body_head_and_codebook():
    tensors = {
        "backbone.norm.weight": torch.ones(2, dtype=torch.float16),
        "segment.head_ema.query_pos": torch.zeros(3, 2),
        "codebook": torch.zeros(4, 2, dtype=torch.float16),
    }
    backbone, segment, codebook = split_state_dict(tensors, "file")
    assert list(backbone) == ["norm.weight"]
    assert list(segment) == ["head_ema.query_pos"]
    assert backbone["norm.weight"].dtype == codebook.dtype == torch.float32


def test_strangers_and_gaps_are_named():
    with pytest.raises(WeightsError, match="file \\(no codebook\\)"):
        split_state_dict({}, "file")
    with pytest.raises(WeightsError, match=r"file \(unknown head\.weight\)"):
        split_state_dict({"codebook": torch.zeros(1, 1), "head.weight": torch.zeros(1)}, "file")


def test_random_values_follow_what_a_tensor_is_for():
    tensors = {
        "backbone.norm.weight": torch.zeros(5),
        "backbone.norm.bias": torch.ones(5),
        "backbone.pos_embed": torch.zeros(1, 50, 64),
        "segment.linear1.weight": torch.zeros(64, 100),
        "codebook": torch.zeros(50, 64),
    }
    drawn = random_like(tensors, seed=1)
    assert torch.equal(drawn["backbone.norm.weight"], torch.ones(5))
    assert torch.equal(drawn["backbone.norm.bias"], torch.zeros(5))
    assert abs(drawn["backbone.pos_embed"].std() - 0.02) < 0.002
    assert abs(drawn["segment.linear1.weight"].std() - 0.1) < 0.01
    assert abs(drawn["codebook"].std() - 1) < 0.1
    assert not torch.equal(drawn["codebook"], random_like(tensors, seed=2)["codebook"])


def test_about_is_read_from_the_header(tmp_path):
    told, silent = str(tmp_path / "told.safetensors"), str(tmp_path / "silent.safetensors")
    save_file({"x": torch.zeros(1)}, told, metadata={"about": json.dumps({"notes": ["drawn"]})})
    save_file({"x": torch.zeros(1)}, silent)
    assert about_of(told) == {"notes": ["drawn"]}
    assert about_of(silent) == {}
    assert about_of("any.pth") == {}


@pytest.mark.parametrize("about", ["{", "[1]", '{"notes": 5}'])
def test_an_unreadable_header_is_one_line(tmp_path, about):
    path = str(tmp_path / "a.safetensors")
    save_file({"x": torch.zeros(1)}, path, metadata={"about": about})
    with pytest.raises(WeightsError, match=r"cannot load weights: .*a\.safetensors"):
        about_of(path)
