import copy

import pytest
import torch
from detectron2.layers import FrozenBatchNorm2d
from torch import nn

from relief.models.optimization.freezing import (
    fix_batch_statistics,
    freeze_all_but,
    freeze_batch_norms,
)
from relief.models.segmenters.panoptic_cascade import PanopticCascade
from relief.models.segmenters.resnet_pyramid import ResNetPyramid
from relief.schema.errors import UsageError


def small():
    """A small network of the published class, with the batch norms of its ResNet."""
    torch.manual_seed(0)
    return PanopticCascade(
        2, 3, backbone=ResNetPyramid(width=16), anchor_sizes_px=(8, 16, 32, 64, 96),
        anchors_kept=(100, 50), proposals_kept=(50, 20), regions_per_image=16, box_width=16,
        mask_layers=1, mask_width=8, semantic_width=32, roi_sampling_ratio=1, drop_loss_iou=None,
        score_threshold=0.0,
    )  # fmt: skip


def batch():
    generator = torch.Generator().manual_seed(0)
    instance = torch.zeros(1, 64, 96, dtype=torch.int64)
    instance[:, 8:40, 10:50] = 1
    return {
        "image": torch.rand(1, 3, 64, 96, generator=generator),
        "semantic": torch.where(instance > 0, 0, 2), "instance": instance,
        "classes": [torch.tensor([1])], "key": ["a"],
    }  # fmt: skip


def test_only_the_heads_learn():
    network = small()
    before = copy.deepcopy(network.state_dict())
    trained = freeze_all_but(network)
    freeze_batch_norms(network)
    named = dict(network.named_parameters())
    assert trained == [name for name, value in named.items() if value.requires_grad]
    parts = {".".join(name.split(".")[:2]) for name in trained}
    assert parts == {"detector.proposal_generator", "detector.roi_heads", "detector.sem_seg_head"}
    assert not any("norm" in name for name in trained)
    assert any("sem_seg_head" in name and "norm" in name for name in named)  # there are such

    optimizer = torch.optim.AdamW(network.parameters(), lr=0.1, weight_decay=0.1)
    torch.manual_seed(0)
    sum(network.train()(batch()).values()).backward()
    for name, value in named.items():
        assert (value.grad is not None) == (name in trained), name
    optimizer.step()
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]) == (name not in trained), name


def test_parts_are_chosen_by_name():
    network = nn.ModuleDict({"body": nn.Linear(2, 2), "top_norm": nn.LayerNorm(2)})
    assert freeze_all_but(network, trained=("body",), frozen=("bias",)) == ["body.weight"]
    assert freeze_all_but(network, trained=("",), frozen=()) == [
        *("body.weight", "body.bias", "top_norm.weight", "top_norm.bias")
    ]
    assert all(value.requires_grad for value in network.parameters())
    with pytest.raises(UsageError, match="nothing to train"):
        freeze_all_but(network)


def batch_norms(sync=False):
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Sequential(nn.BatchNorm2d(4, affine=False))
    )
    network(torch.randn(2, 3, 8, 8))  # statistics of its own
    with torch.no_grad():
        network[1].weight.uniform_(0.5, 2)
        network[1].bias.uniform_(-1, 1)
    return nn.SyncBatchNorm.convert_sync_batchnorm(network) if sync else network


@pytest.mark.parametrize("sync", [False, True])
def test_frozen_batch_norms_compute_the_same(sync):
    network = batch_norms(sync).eval()
    image = torch.randn(2, 3, 8, 8)
    expected, names = network(image), list(network.state_dict())
    freeze_batch_norms(network)
    assert not [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    torch.testing.assert_close(network(image), expected, atol=1e-6, rtol=1e-5)
    assert set(names) <= set(network.state_dict())  # a scale that was none is one now
    assert [name for name, _ in network.named_parameters()] == ["0.weight", "0.bias"]

    kept = copy.deepcopy(network.state_dict())
    torch.testing.assert_close(network.train()(image), expected, atol=1e-6, rtol=1e-5)
    for name, value in network.state_dict().items():
        assert torch.equal(value, kept[name])


def test_frozen_batch_norms_are_those_of_detectron2_to_the_last_bit():
    network, image = batch_norms().eval(), torch.randn(2, 3, 8, 8)
    theirs = FrozenBatchNorm2d.convert_frozen_batchnorm(copy.deepcopy(network))
    freeze_batch_norms(network)
    with torch.no_grad():
        assert torch.equal(network(image), theirs(image))
    assert network.state_dict().keys() == theirs.state_dict().keys()


def test_a_frozen_detector_predicts_what_it_did_and_fits_an_unfrozen_one():
    network, image = small(), batch()["image"]
    network.train()(batch())  # statistics that are not those of the start
    expected = network.predict(image)
    freeze_batch_norms(network)
    found = network.predict(image)
    torch.testing.assert_close(found["semantic_logits"], expected["semantic_logits"])
    for name in ("boxes", "scores", "classes"):
        torch.testing.assert_close(found["detections"][0][name], expected["detections"][0][name])
    fresh = small()
    fresh.load_state_dict(network.state_dict())
    torch.testing.assert_close(fresh.predict(image)["semantic_logits"], expected["semantic_logits"])


def test_statistics_stay_and_scales_learn():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Sequential(nn.BatchNorm2d(4)))
    network(torch.rand(2, 3, 4, 4))  # statistics of their own
    image = torch.rand(2, 3, 4, 4)
    before, expected = copy.deepcopy(network.state_dict()), network.eval()(image)
    fix_batch_statistics(network)
    torch.testing.assert_close(network.train()(image), expected)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    network(image).square().sum().backward()
    optimizer.step()
    assert network.state_dict().keys() == before.keys()
    for name, value in network.state_dict().items():
        learns = name.endswith(("weight", "bias"))
        assert torch.equal(value, before[name]) != learns, name
