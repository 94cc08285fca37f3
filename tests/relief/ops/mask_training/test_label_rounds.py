import torch

from relief.ops.mask_training.label_rounds import mask_iou, merge
from tests.relief.ops.cuts.golden import scene

ROUNDS = scene("t", "rounds")


def test_what_is_kept_is_the_reference():
    kept_new, kept_old = merge(ROUNDS["old"], ROUNDS["new"], ROUNDS["scores"])
    assert torch.equal(kept_new, ROUNDS["kept_new"])
    assert torch.equal(kept_old, ROUNDS["kept_old"])
    iou = mask_iou(ROUNDS["old"], ROUNDS["new"][kept_new])
    torch.testing.assert_close(iou.float(), ROUNDS["iou"], atol=1e-6, rtol=0)


def test_without_sure_predictions_all_old_labels_stay():
    kept_new, kept_old = merge(ROUNDS["old"], ROUNDS["new"], ROUNDS["scores"], 0.99)
    assert not kept_new.any()
    assert kept_old.all()
    kept_new, kept_old = merge(ROUNDS["old"][:0], ROUNDS["new"], ROUNDS["scores"])
    assert torch.equal(kept_new, ROUNDS["kept_new"])
    assert kept_old.shape == (0,)


def test_an_iou_of_one_half_repeats_a_label():
    old = torch.zeros(1, 4, 4, dtype=torch.bool)
    old[0, :2] = True
    new = old.clone()
    new[0, 1] = False
    assert mask_iou(old, new).tolist() == [[0.5]]
    assert merge(old, new, torch.ones(1))[1].tolist() == [False]
    assert mask_iou(old & False, new & False).tolist() == [[0.0]]
