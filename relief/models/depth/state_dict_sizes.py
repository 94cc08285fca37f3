"""Sizes of a network read off the names of its tensors."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor


def count(state_dict: Mapping[str, Tensor], pattern: str) -> int:
    """How many different values the group of a pattern has at the start of the names."""
    return len({match[1] for name in state_dict if (match := re.match(pattern, name))})
