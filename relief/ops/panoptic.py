"""Panoptic maps as tables: which predicted segment meets which true one on how many pixels.

A map is (..., 2) int64 pairs (category, instance), or a compact int32 id map with the list of
pairs its ids stand for. Everything a panoptic metric needs of two maps is their joint table, a few
hundred rows, taken here with one `bincount` over the pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor

_MAX_BINS = 1 << 22  # 32 MB of counts; past it the ids are sorted instead
_INT32_END = 1 << 31


def compact_pairs(pairs: Tensor) -> tuple[Tensor, Tensor]:
    """Numbers the different (category, instance) pairs of a map.

    Args:
        pairs: (..., 2) int64, category >= -1, instance >= 0 (any value works, only slower).

    Returns:
        (...) int32 ids 0..N-1, and (N, 2) int64 the pair of each id, ascending.
    """
    flat = pairs.reshape(-1, 2)
    if flat.shape[0] == 0:
        return pairs.new_zeros(pairs.shape[:-1], dtype=torch.int32), flat.clone()
    lowest, highest = torch.aminmax(flat, dim=0)
    low, span = lowest.tolist(), (highest - lowest + 1).tolist()
    if span[0] * span[1] > _MAX_BINS:
        found, ids = torch.unique(flat, dim=0, return_inverse=True)
        return ids.to(torch.int32).reshape(pairs.shape[:-1]), found
    code = flat[:, 0] * span[1]
    code += flat[:, 1]
    code -= low[0] * span[1] + low[1]
    ids, codes = compact_ids(code, span[0] * span[1])
    found = torch.stack((codes // span[1] + low[0], codes % span[1] + low[1]), dim=1)
    return ids.reshape(pairs.shape[:-1]), found


def compact_ids(ids: Tensor, num_ids: int) -> tuple[Tensor, Tensor]:
    """Renumbers ids 0..num_ids-1 to those that occur.

    Returns:
        int32 ids 0..N-1 in the shape of `ids`, and (N,) int64 the old id of each, ascending.
    """
    flat = ids.reshape(-1)
    occurs = torch.bincount(flat, minlength=num_ids) > 0
    lookup = occurs.cumsum(0, dtype=torch.int32) - 1
    return lookup.index_select(0, flat).reshape(ids.shape), occurs.nonzero().reshape(-1)


def count_instances(panoptic: Tensor) -> int:
    """Counts the (category, instance) pairs with an instance of a (H, W, 2) map."""
    return int(numbered_objects(panoptic).max()) if panoptic.numel() else 0


def numbered_objects(panoptic: Tensor) -> Tensor:
    """Numbers the objects of a map: one number in two categories is two objects.

    Args:
        panoptic: (H, W, 2) int64 (category, instance), category >= 0 where there is an instance.

    Returns:
        (H, W) int64: 0 = none, 1..N by ascending category and instance.
    """
    category, instance = panoptic.unbind(-1)
    code = torch.where(instance > 0, category * (int(instance.max()) + 1) + instance + 1, 0)
    ids, position = code.unique(return_inverse=True)
    return position + (0 if int(ids[0]) == 0 else 1)


def joint_counts(
    predicted: Tensor,
    true: Tensor,
    num_predicted: int,
    num_true: int,
    pixels: Tensor | None = None,
) -> Tensor:
    """Pixels for each (predicted id, true id).

    Args:
        predicted: Integer ids 0..num_predicted-1, any shape; int32 is the fastest.
        true: Ids 0..num_true-1 of the same shape.
        num_predicted: Rows of the result.
        num_true: Columns of the result.
        pixels: How many pixels each entry stands for, int64; one by default.

    Returns:
        (num_predicted, num_true) int64.
    """
    code = predicted.reshape(-1)
    if num_predicted * num_true >= _INT32_END:
        code = code.to(torch.int64)
    code = torch.add(true.reshape(-1), code, alpha=num_true)
    weights = None if pixels is None else pixels.to(torch.float64)  # sums are exact below 2^53
    counts = torch.bincount(code, weights, minlength=num_predicted * num_true).to(torch.int64)
    return counts.reshape(num_predicted, num_true)


def segment_table(predicted: Tensor, true: Tensor) -> Tensor:
    """The joint table of two panoptic maps.

    Args:
        predicted: (H, W, 2) int64 (category, instance).
        true: (H, W, 2) int64 (category, instance).

    Returns:
        (N, 5) int64 rows (predicted category, predicted instance, true category, true instance,
        pixels), one for each combination that occurs.

    Raises:
        ValueError: The maps differ in shape, or are no pairs.
    """
    if predicted.shape != true.shape or predicted.shape[-1] != 2:
        msg = (
            "Expected `predicted` and `true` to be maps of (category, instance) of one size, "
            f"got {tuple(predicted.shape)} and {tuple(true.shape)}"
        )
        raise ValueError(msg)
    # Segments are regions: along a row, pixel after pixel is the same on both sides. Only where
    # something changes are the pairs looked at, each with the length of its run.
    pairs = (predicted.reshape(-1, 2).contiguous(), true.reshape(-1, 2).contiguous())
    start, length = _runs(*pairs)
    sides = [side.index_select(0, start) for side in pairs]
    runs = torch.cat((*sides, length[:, None]), dim=1).cpu()  # few: no device is waited for again
    predicted_ids, predicted_pairs = compact_pairs(runs[:, :2])
    true_ids, true_pairs = compact_pairs(runs[:, 2:4])
    size = (len(predicted_pairs), len(true_pairs))
    counts = joint_counts(predicted_ids, true_ids, *size, runs[:, 4])
    return _rows(counts, predicted_pairs, true_pairs).to(predicted.device)


def segment_table_of_ids(
    predicted: Tensor, true: Tensor, predicted_pairs: Tensor, true_pairs: Tensor
) -> Tensor:
    """`segment_table` of two compact id maps.

    Args:
        predicted: (H, W) int32 ids 0..P-1.
        true: (H, W) int32 ids 0..T-1.
        predicted_pairs: (P, 2) int64 what each predicted id stands for.
        true_pairs: (T, 2) int64 what each true id stands for.

    Returns:
        (N, 5) int64, as `segment_table`.
    """
    counts = joint_counts(predicted, true, len(predicted_pairs), len(true_pairs))
    return _rows(counts, predicted_pairs, true_pairs)


def _rows(counts: Tensor, predicted_pairs: Tensor, true_pairs: Tensor) -> Tensor:
    row, column = counts.nonzero(as_tuple=True)
    pixels = counts[row, column][:, None]
    return torch.cat((predicted_pairs[row], true_pairs[column], pixels), dim=1)


def _runs(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Where either of two (N, 2) lists of pairs changes: (R,) starts and (R,) lengths of runs."""
    size = len(first)
    changed = first[1:] != first[:-1]
    changed |= second[1:] != second[:-1]
    either = changed.view(torch.int16).reshape(-1) != 0 if size > 1 else changed.new_zeros(0)
    begin = torch.zeros(min(size, 1), dtype=torch.int64, device=first.device)
    start = torch.cat((begin, either.nonzero().reshape(-1) + 1))
    end = torch.cat((start[1:], begin + size))
    return start, end - start
