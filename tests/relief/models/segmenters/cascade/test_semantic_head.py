import torch

from relief.models.segmenters.cascade.detectron2_parts import ShapeSpec
from relief.models.segmenters.cascade.semantic_head import SemanticHead


def head():
    torch.manual_seed(0)
    shapes = {"p2": ShapeSpec(channels=8, stride=4), "p3": ShapeSpec(channels=8, stride=8)}
    return SemanticHead(
        shapes, num_classes=3, conv_dims=32, common_stride=4, loss_weight=0.5, norm="GN",
        ignore_value=-1,
    )  # fmt: skip


def test_a_strided_loss_looks_at_some_of_the_pixels():
    """Constant logits: the loss is the mean over the pixels that are looked at, void left out."""
    made = head()
    logits = torch.tensor([1.0, 0.0, -1.0])[None, :, None, None].expand(1, 3, 4, 8)
    targets = torch.randint(0, 3, (1, 16, 32), generator=torch.Generator().manual_seed(1))
    targets[:, 5, 5] = -1
    for stride in (1, 2, 4):
        made.loss_stride_px = stride
        first = stride // 2
        seen = targets[:, first::stride, first::stride].flatten()
        each = -torch.log_softmax(torch.tensor([1.0, 0.0, -1.0]), 0)[seen[seen >= 0]]
        found = made.losses(logits, targets)["loss_sem_seg"]
        torch.testing.assert_close(found, 0.5 * each.mean())


def test_where_all_is_ignored_the_loss_is_zero_and_so_is_its_gradient():
    made = head()
    targets = torch.full((1, 16, 32), -1)
    for stride in (2, 4, 1):
        targets[:, 0, 0] = -1 if stride == 1 else 1  # of no pixel that the strides look at
        made.loss_stride_px = stride
        logits = torch.rand(1, 3, 4, 8, requires_grad=True)
        loss = made.losses(logits, targets)["loss_sem_seg"]
        loss.backward()
        assert loss.item() == 0.0
        assert torch.equal(logits.grad, torch.zeros_like(logits))
