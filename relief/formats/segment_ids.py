"""COCO segment ids: (category, instance) in 24 bits, and 24 bits in an RGB PNG."""

from __future__ import annotations

INSTANCE_BITS = 15
MAX_INSTANCES = 2**INSTANCE_BITS - 1
MAX_CATEGORIES = 2 ** (24 - INSTANCE_BITS) - 1
