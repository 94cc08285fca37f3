"""Which query of a mask decoder learns which object: one to one, by the least cost.

The costs and losses are those of Cheng et al., "Masked-attention Mask Transformer for Universal
Image Segmentation", 2022: class probability, binary cross entropy and dice on sampled points.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor


def dice_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """One minus twice the overlap by the sum, of masks on points.

    Args:
        logits: (..., P) float32.
        targets: (..., P) float32 in [0, 1].

    Returns:
        (...) float32 in [0, 1].
    """
    shares = logits.sigmoid()
    overlap = 2 * (shares * targets).sum(dim=-1)
    return 1 - (overlap + 1) / (shares.sum(dim=-1) + targets.sum(dim=-1) + 1)


def match_masks(
    class_logits: Tensor,
    mask_logits: Tensor,
    classes: Tensor,
    masks: Tensor,
    class_weight: float = 2.0,
    mask_weight: float = 5.0,
) -> tuple[Tensor, Tensor]:
    """Gives every object of an image the query that costs least, each query once (Hungarian).

    Args:
        class_logits: (Q, 1 + classes) float32, the last one of no object.
        mask_logits: (Q, P) float32, on points.
        classes: (N,) int64, N <= Q.
        masks: (N, P) float32 in [0, 1], of the objects on the same points.
        class_weight: Weight of the probability of the class.
        mask_weight: Weights of cross entropy and dice.

    Returns:
        (N,) int64 queries and (N,) int64 objects.
    """
    with torch.no_grad():
        logits = mask_logits.float()
        inside, outside = F.softplus(-logits), F.softplus(logits)
        entropy = (inside @ masks.T + outside @ (1 - masks).T) / masks.shape[1]
        shares = logits.sigmoid()
        overlap = 2 * shares @ masks.T
        dice = 1 - (overlap + 1) / (shares.sum(dim=1)[:, None] + masks.sum(dim=1) + 1)
        likely = class_logits.float().softmax(dim=1)[:, classes]
        cost = mask_weight * (entropy + dice) - class_weight * likely
    queries, objects = linear_sum_assignment(cost.cpu().numpy())
    device = class_logits.device
    return torch.from_numpy(queries).to(device), torch.from_numpy(objects).to(device)
