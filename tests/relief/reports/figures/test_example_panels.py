from __future__ import annotations

import pytest
import torch

from relief.reports.figures.example_panels import DepthEdges, PanelPainter
from relief.reports.figures.overlay import palette_of, principal_axes
from relief.schema.label_spaces import CITYSCAPES_19, thing_mask

SIZE = (30, 50)
IMAGE = torch.randint(
    0, 256, (3, *SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)
SEMANTIC = torch.zeros(SIZE, dtype=torch.int64)
SEMANTIC[:, 25:] = 1
PANOPTIC = torch.stack((SEMANTIC, SEMANTIC * 3), dim=-1)
DEPTH = torch.cat((torch.zeros(1, 15, 12), torch.ones(1, 15, 13)), dim=2)
FEATURES = torch.rand(5, 3, 4, generator=torch.Generator().manual_seed(1))
TARGET = torch.stack((SEMANTIC * 13, SEMANTIC * 2), dim=-1)


def painter(**settings) -> PanelPainter:
    palette = palette_of([(200, 0, 0), (0, 0, 200)])
    return PanelPainter(palette=palette, is_thing=thing_mask((1,), 2), **settings)


def test_only_the_labels_are_needed() -> None:
    panels = painter().panels(IMAGE, SEMANTIC, PANOPTIC)
    assert [panel.name for panel in panels] == ["Input", "Clusters", "Instances", "Panoptic"]
    assert all(panel.picture.shape == (*SIZE, 3) for panel in panels)
    assert torch.equal(torch.from_numpy(panels[0].picture).permute(2, 0, 1), IMAGE)
    assert panels[1].picture[0, 0].tolist() == [200, 0, 0]


def test_everything_in_the_order_of_the_pipeline() -> None:
    panels = painter(
        edges=DepthEdges(0.1, short_side_px=30),
        groups=torch.tensor([-1, 0]),
        feature_axes=principal_axes([FEATURES]),
        space=CITYSCAPES_19,
        class_palette=palette_of(CITYSCAPES_19.colors),
        class_of_category=(0, 13),
    ).panels(IMAGE, SEMANTIC, PANOPTIC, features=FEATURES, depth=DEPTH, target=TARGET)
    assert [panel.name for panel in panels] == [
        "Input", "Features", "Clusters", "Thing regions", "Depth", "Depth edges", "Instances",
        "Panoptic", "As classes", "Ground truth",
    ]  # fmt: skip
    assert all(panel.picture.shape == (*SIZE, 3) for panel in panels)
    assert panels[3].hint == "one region of all things"
    assert len(set(map(tuple, panels[3].picture[:, 30:].reshape(-1, 3)))) > 1
    edges = panels[5].picture
    assert (edges[15, 24] == [255, 176, 32]).all()
    assert not (edges[15, 5] == [255, 176, 32]).any()


@pytest.mark.parametrize("size", [(700, 90), (13, 60), (1, 1)])
def test_any_shape_of_image(size: tuple[int, int]) -> None:
    image = torch.zeros(3, *size, dtype=torch.uint8)
    semantic = torch.zeros(size, dtype=torch.int64)
    panels = painter(edges=DepthEdges(0.1)).panels(
        image, semantic, torch.stack((semantic, semantic), dim=-1), depth=torch.zeros(1, *size)
    )
    (shape,) = {panel.picture.shape for panel in panels}
    assert max(shape) <= 640
