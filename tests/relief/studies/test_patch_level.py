import numpy as np
import pytest
import torch
import torch.nn.functional as F

from relief.models.codebook_fitters.mini_batch import MiniBatchKMeans
from relief.schema.geometry import WindowGeometry
from relief.studies.patch_level import PatchLevelStudy, PatchRow, patch_iou
from tests.relief.studies.tiny import draw_tree

ROAD, BUILDING, CAR = 0, 2, 13


class Patches(torch.nn.Module):
    patch_px, dim = 4, 4

    def setup(self):
        pass

    def forward(self, image):
        pooled = F.avg_pool2d(image, self.patch_px)
        return torch.cat((pooled, torch.full_like(pooled[:, :1], 0.2)), dim=1)


class Fixed:
    k = 2

    def fit(self, features):
        return torch.tensor([[0.0, 0.0, 0.0, 0.1], [5.0, 5.0, 5.0, 5.0]])


def test_iou_is_of_patches_under_the_classes_that_clusters_met():
    clusters = torch.tensor([0, 0, 0, 1, 1, 2])
    classes = torch.tensor([ROAD, ROAD, CAR, CAR, CAR, BUILDING])
    iou = patch_iou(clusters, classes, 4, "majority")
    np.testing.assert_allclose(iou[[ROAD, CAR, BUILDING]], [100 * 2 / 3, 100 * 2 / 3, 100])
    assert np.isnan(np.delete(iou, [ROAD, CAR, BUILDING])).all()


def test_one_to_one_leaves_clusters_over():
    clusters = torch.tensor([0, 0, 1, 1, 1])
    classes = torch.full((5,), ROAD)
    assert patch_iou(clusters, classes, 2, "hungarian")[ROAD] == pytest.approx(60)
    assert patch_iou(clusters, classes, 2, "majority")[ROAD] == pytest.approx(100)


def test_the_study_sees_images_once_and_sets_ours_beside_the_published(tmp_path):
    rows = [
        PatchRow("fixed", "gray", Fixed(), assignment="hungarian", cosine=True),
        PatchRow("k=6", "gray", MiniBatchKMeans(6), published={"mIoU": 41.5, "car": 12.0}),
        PatchRow("k=2", "gray", MiniBatchKMeans(2)),
    ]
    study = PatchLevelStudy(
        {"gray": Patches()},
        rows,
        str(draw_tree(tmp_path)),
        geometry=WindowGeometry(48, 48, 24),
        classes=("car", "sky"),
    )
    result = study.run()
    (table,) = result.tables
    assert table.columns == ("", "mIoU", "car", "sky")
    assert [row[0] for row in table.rows] == ["fixed", "k=6", "k=2"]
    assert table.rows[1][1].endswith(" / 41.5")
    assert table.rows[1][3].endswith(" / –")
    fixed, six, two = result.runs
    assert six["mIoU"] > two["mIoU"]
    assert six["images"] == 3
    # 12x24 patches in each of three images, but for those whose centre is void.
    assert six["patches"] == 3 * (12 * 24 - 2)
    assert 0 < fixed["mIoU"] < 100
