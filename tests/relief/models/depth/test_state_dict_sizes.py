from __future__ import annotations

import torch

from relief.models.depth.state_dict_sizes import count


def test_counts_different_numbers_at_the_start_of_names():
    names = ["blocks.0.weight", "blocks.0.bias", "blocks.11.weight", "head.blocks.5.weight"]
    state_dict = dict.fromkeys(names, torch.zeros(1))
    assert count(state_dict, r"blocks\.(\d+)\.") == 2
    assert count(state_dict, r"layers\.(\d+)\.") == 0
