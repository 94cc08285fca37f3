import pytest
import torch

from relief.formats.depth_files import FolderDepth
from relief.formats.images import read_image
from relief.models.backbones.rgb_statistics import RGBStatistics
from relief.models.codebooks.codebook import Codebook
from relief.models.labelling.cluster_segmentation import label_pixels, segment
from relief.schema.errors import ReadError
from relief.schema.geometry import WindowGeometry
from relief.sources.cityscapes import CityscapesSource
from relief.studies.features.feature_windows import read_truth, see_images

GEOMETRY = WindowGeometry(32, 32, 16)


def seen(root, steps, short_side_px=16):
    tree = CityscapesSource(root, "val")
    depth = FolderDepth(root / "depth")
    backbone = RGBStatistics(2)
    return tree, see_images(
        *(tree, tree.keys, backbone, depth, GEOMETRY, short_side_px),
        lambda: steps.append(1),
    )


def test_kept_windows_label_as_the_image_itself(tiny_cityscapes):
    steps = []
    tree, images = seen(tiny_cityscapes, steps)
    assert [image.key for image in images] == tree.keys
    assert len(steps) == 3
    codebook = Codebook()
    codebook.set_centroids(torch.randn(5, 12, generator=torch.Generator().manual_seed(0)))
    picture = read_image(tree.image_path(tree.keys[1])) / 255
    expected = segment(RGBStatistics(2), codebook, picture, GEOMETRY)
    assert torch.equal(label_pixels(images[1].windows, codebook, images[1].size), expected)
    assert len(expected.unique()) > 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_sees_the_same_and_leaves_it_here(tiny_cityscapes):
    tree, here = seen(tiny_cityscapes, [])
    backbone, depth = RGBStatistics(2).to("cuda"), FolderDepth(tiny_cityscapes / "depth")
    there = see_images(tree, tree.keys, backbone, depth, GEOMETRY, 16, lambda: None, "cuda")
    assert there[0].windows.mosaic.device.type == "cpu"
    torch.testing.assert_close(there[0].windows.mosaic, here[0].windows.mosaic)


def test_depth_comes_at_the_size_of_splitting(tiny_cityscapes):
    _, images = seen(tiny_cityscapes, [])
    depth = images[0].depth(FolderDepth(tiny_cityscapes / "depth"))
    assert depth.shape == (1, 1, 16, 32)
    assert depth.min() >= 0.1
    assert depth.max() == 1.0


def test_truth_is_kept_compact_and_whole(tiny_cityscapes):
    tree, images = seen(tiny_cityscapes, [])
    (true,) = read_truth(tree, [images[0].key])
    assert true.ids.dtype == torch.int32
    assert torch.equal(true.pairs[true.ids.long()], tree.target(images[0].key))


def test_missing_depth_is_told(tiny_cityscapes):
    for path in (tiny_cityscapes / "depth" / "val").rglob("*.npy"):
        path.unlink()
    with pytest.raises(ReadError, match="depth is missing: bonn/"):
        seen(tiny_cityscapes, [])
