import torch

from relief.models.backbones.rgb_statistics import RGBStatistics
from relief.models.codebooks.codebook import Codebook
from relief.models.labelling.cluster_segmentation import best_stuff, segment, window_features
from relief.ops.resize import resize_image, resize_nearest
from relief.ops.sliding_window import sliding_window_features
from relief.schema.geometry import WindowGeometry

GEOMETRY = WindowGeometry(short_side_px=8, window_px=8, stride_px=4)


def setting(classes=None):
    torch.manual_seed(0)
    codebook = Codebook()
    things = torch.zeros(5, dtype=torch.bool)
    names = torch.tensor([0, 1, 1, -1, 18]) if classes else None
    metadata = {"classes": classes} if classes else {}
    codebook.fill(torch.randn(5, 12), things, torch.full((5,), -1), names, metadata)
    return RGBStatistics(patch_px=2), codebook, torch.rand(3, 16, 32)


def test_the_map_is_the_nearest_centroid_of_the_dense_features_at_the_images_size():
    backbone, codebook, image = setting()
    labels = segment(backbone, codebook, image, GEOMETRY)
    small = resize_image(image[None], (8, 16))
    dense = sliding_window_features(backbone, small, 8, 4)[0]
    expected = torch.einsum("kc,chw->khw", codebook.unit_centroids, dense).argmax(0)
    assert torch.equal(labels, resize_nearest(expected[None], (16, 32))[0])
    assert labels.dtype == torch.int64


def test_with_classes_the_map_holds_class_ids():
    backbone, codebook, image = setting("cityscapes19")
    labels = segment(backbone, codebook, image, GEOMETRY)
    assert set(labels.unique().tolist()) <= set(range(19))


def test_window_features_know_the_size_the_network_saw():
    backbone, _, image = setting()
    assert window_features(backbone, image, GEOMETRY).size == (8, 16)


def test_best_stuff_is_the_nearest_centroid_that_is_no_thing():
    backbone, codebook, image = setting()
    codebook.thing_ids[1:3] = True
    windows = window_features(backbone, image, GEOMETRY)
    dense = sliding_window_features(backbone, resize_image(image[None], (8, 16)), 8, 4)[0]
    similarity = torch.einsum("kc,chw->khw", codebook.unit_centroids, dense)
    similarity[1:3] = -2
    expected = resize_nearest(similarity.argmax(0)[None], (16, 32))[0]
    assert torch.equal(best_stuff(windows, codebook, (16, 32)), expected)
    codebook.thing_ids[:] = True
    assert (best_stuff(windows, codebook, (16, 32)) == -1).all()


def test_best_stuff_with_classes_holds_stuff_classes():
    backbone, codebook, image = setting("cityscapes19")  # 18 is a thing, cluster 3 has no class
    windows = window_features(backbone, image, GEOMETRY)
    assert set(best_stuff(windows, codebook, (16, 32)).unique().tolist()) <= {0, 1}
