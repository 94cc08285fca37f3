from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from relief.reports.figures.overlays import write_overlays
from relief.schema.categories import cluster_categories


class Labels:
    keys = ("a", "b/c")
    num_categories = 2
    thing_ids = (1,)

    def semantic(self, key: str) -> torch.Tensor:
        return self.panoptic(key)[..., 0]

    def panoptic(self, key: str) -> torch.Tensor:
        panoptic = torch.zeros(40, 60, 2, dtype=torch.int64)
        panoptic[10:30, 20:40] = torch.tensor([1, 1])
        return panoptic


def test_an_overlay_for_each_key_asked_for(tmp_path: Path) -> None:
    image = torch.full((3, 40, 60), 100, dtype=torch.uint8)
    write_overlays(tmp_path, Labels(), cluster_categories(2, (1,)), lambda key: image, ["b/c"])
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert written == [tmp_path / "overlays/b/c.jpg"]
    picture = np.array(Image.open(written[0])).astype(int)
    assert picture.shape == (40, 60, 3)
    assert np.abs(picture[20, 30] - picture[2, 2]).max() > 30
