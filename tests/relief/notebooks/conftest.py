import numpy as np
import pytest
from PIL import Image

import relief
from tests.label_runs import TINY

SPLITTER = "relief.splitters.connected.ConnectedSplitter"
OPTIONS = {
    "model.init_args.splitter": {"class_path": SPLITTER, "init_args": {"min_area_px": 4}},
    "thingness.init_args.rule.class_path": "relief.models.codebooks.thing_rule.PublishedThingRule",
}


@pytest.fixture(scope="session")
def photographs(tmp_path_factory):
    """Five small streets: a road, a sky, and a box that is somewhere else in each."""
    folder = tmp_path_factory.mktemp("photographs")
    for number in range(5):
        picture = np.full((32, 64, 3), (90, 90, 95), dtype=np.uint8)
        picture[:14] = (140, 180, 220)
        left = 6 + 9 * number
        picture[12:24, left : left + 10] = (200, 40, 30)
        Image.fromarray(picture).save(folder / f"street_{number}.png")
    return folder


@pytest.fixture(scope="session")
def labels(photographs):
    return relief.load(TINY, OPTIONS, device="cpu")(photographs)
