import itertools

import torch

from relief.ops.objects.mask_matching import dice_loss, match_masks


def test_dice_is_none_for_the_same_mask_and_most_for_another():
    mask = torch.tensor([1.0, 1, 0, 0] * 50)
    sure = 40 * (mask - 0.5)
    assert dice_loss(sure, mask) < 1e-3
    assert dice_loss(-sure, mask) > 0.98
    assert dice_loss(torch.stack((sure, -sure)), mask).shape == (2,)


def test_every_object_gets_the_query_of_its_mask_and_class():
    masks = torch.tensor([[1.0, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 1, 1, 0, 0]])
    classes = torch.tensor([0, 0, 1])  # the last two share a mask, their classes part them
    mask_logits = 10 * (masks[[2, 0, 1, 0]] - 0.5)
    mask_logits[3] = 0
    class_logits = torch.zeros(4, 3)
    class_logits[0, 1], class_logits[2, 0] = 4, 4
    queries, objects = match_masks(class_logits, mask_logits, classes, masks)
    assert dict(zip(objects.tolist(), queries.tolist(), strict=True)) == {0: 1, 1: 2, 2: 0}


def test_costs_are_those_of_the_losses_and_the_sum_is_the_least():
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(4, 30, generator=generator)
    class_logits = torch.randn(4, 3, generator=generator)
    masks = (torch.rand(3, 30, generator=generator) > 0.5).float()
    classes = torch.tensor([1, 0, 1])

    def cost(query, n):
        entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits[query], masks[n])
        likely = class_logits[query].softmax(dim=0)[classes[n]]
        return 5 * (entropy + dice_loss(logits[query], masks[n])) - 2 * likely

    queries, objects = match_masks(class_logits, logits, classes, masks)
    found = sum(cost(*pair) for pair in zip(queries, objects, strict=True))
    every = [
        sum(cost(query, n) for n, query in enumerate(taken))
        for taken in itertools.permutations(range(4), 3)
    ]
    assert torch.isclose(found, min(every))


def test_without_objects_nothing_is_matched():
    none = torch.zeros(0, dtype=torch.int64)
    queries, objects = match_masks(torch.zeros(4, 3), torch.zeros(4, 8), none, torch.zeros(0, 8))
    assert len(queries) == len(objects) == 0
