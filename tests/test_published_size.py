"""`label.py` with full-size random networks in the published layout, on a real frame."""

import os
from pathlib import Path

import pytest

from benchmarks.published_size import get_weights, label_at_both_geometries
from relief.formats.label_store import LabelStore

SHARED = os.environ.get("RELIEF_SHARED")
GIB = 2**30
KEY = "stuttgart/stuttgart_02_000000_005445"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(5400),
    pytest.mark.skipif(SHARED is None, reason="needs RELIEF_SHARED: real/cityscapes"),
]


def test_both_geometries_label_a_real_frame_within_two_gigabytes_above_the_weights(tmp_path):
    weights_bytes = get_weights(tmp_path)
    runs = label_at_both_geometries(tmp_path, Path(SHARED) / "real" / "cityscapes", "test")
    for name, run in runs.items():
        assert run.code == 0, name
        assert run.peak_bytes - weights_bytes <= 2 * GIB, name
    classes = LabelStore(tmp_path / "cityscapes_k80")
    assert classes.manifest.classes == "cityscapes19"
    assert len(classes.manifest.weights) == 6
    clusters = LabelStore(tmp_path / "cityscapes_full_resolution")
    assert clusters.manifest.k == 300
    assert clusters.manifest.supervision == (
        "depth: the body of the depth network was pre-trained with ImageNet labels",
    )
    for store in (classes, clusters):
        assert store.semantic(KEY).shape == (1024, 2048)
        assert store.readable(KEY)
