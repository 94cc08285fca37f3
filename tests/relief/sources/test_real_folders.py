"""Real labelled frames that lie outside the repository; skipped by name without them."""

import os
from pathlib import Path

import pytest

from relief.schema.sources import keys_with_target
from relief.sources.cityscapes import CityscapesSource

SHARED = os.environ.get("RELIEF_SHARED")
TREES = {
    "camvid": ("test", 78, {"sky", "building", "road", "car"}),
    "cityscapes_128": ("val", 500, {"sky", "road", "car"}),
    "cityscapes_panoptic_128": ("val", 15, {"road", "car", "person"}),
}


@pytest.mark.parametrize("name", TREES)
def test_labelled_frames_are_read_with_their_classes(name):
    if not SHARED:
        pytest.skip(f"needs real/{name}: set RELIEF_SHARED to the folder that holds real")
    split, count, expected = TREES[name]
    source = CityscapesSource(Path(SHARED) / "real" / name, split)
    assert len(keys_with_target(source)) == len(source.keys) == count
    category, instance = source.target(source.keys[0]).unbind(-1)
    names = source.label_space.names
    assert expected - {names[i] for i in category.unique().tolist() if i >= 0} <= {"sky", "person"}
    assert bool(instance.any()) == (name == "cityscapes_panoptic_128")
