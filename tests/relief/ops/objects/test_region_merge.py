import pytest
import torch
from scipy import ndimage

from relief.ops.objects.panoptic_merge import MergeLimits
from relief.ops.objects.region_merge import merge_regions
from relief.schema.errors import UsageError
from relief.schema.training import Detections, DetectorClasses

CLASSES = DetectorClasses(things=(30, 10), stuff=(5, 20), apart=True)  # classes 1..2, 3..4
ROAD, CAR, PERSON = 1, 3, 4


def found(*objects):
    """Detections of (top, bottom, left, right, score) in a map of 6 x 12 pixels."""
    masks = torch.zeros(len(objects), 6, 12, dtype=torch.bool)
    for mask, (top, bottom, left, right, _) in zip(masks, objects, strict=True):
        mask[top:bottom, left:right] = True
    boxes = [[left, top, right, bottom] for top, bottom, left, right, _ in objects]
    return Detections(
        masks=masks,
        boxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        classes=torch.ones(len(objects), dtype=torch.int64),
        scores=torch.tensor([score for *_, score in objects]),
    )


def street():
    """A road with a region of cars 4 x 10 pixels, and a person of 2."""
    semantic = torch.full((6, 12), ROAD)
    semantic[1:5, 1:11] = CAR
    semantic[4:6, 0] = PERSON
    return semantic


def instances(*objects, **options):
    return merge_regions(
        street(), found(*objects), CLASSES, MergeLimits(stuff_area_px=0, **options)
    )[..., 1]


def test_every_region_of_a_thing_is_an_object_of_its_category():
    merged = merge_regions(street(), found(), CLASSES, MergeLimits(stuff_area_px=0))
    expected = torch.full((6, 12), 5)
    expected[1:5, 1:11], expected[4:6, 0] = 30, 10
    assert torch.equal(merged[..., 0], expected)
    assert merged[..., 1].tolist() == (1 * (expected == 30) + 2 * (expected == 10)).tolist()


def test_two_detections_part_a_region_between_their_centres():
    parted = instances((1, 5, 1, 4, 0.9), (1, 5, 7, 10, 0.8))
    assert parted[1:5, 1:11].tolist() == [[1] * 5 + [3] * 5] * 4
    assert parted[4:6, 0].tolist() == [2, 2]
    assert (parted > 0).sum() == 42


def test_distances_are_measured_in_the_sides_of_the_boxes():
    """Centres at x = 3 and x = 9 of boxes 4 and 2 wide: (x - 3) / 4 = (9 - x) / 2 at x = 7."""
    parted = instances((1, 5, 1, 5, 0.9), (1, 5, 8, 10, 0.8))
    assert parted[1:5, 1:11].tolist() == [[1] * 6 + [3] * 4] * 4


def test_objects_are_numbered_without_gaps_where_a_part_gets_no_pixel():
    """A wide box around a narrow one is nearer to every pixel: the narrow one gets none."""
    narrow, wide, right = (1, 5, 3, 5, 0.9), (1, 5, 1, 7, 0.8), (1, 5, 8, 11, 0.7)
    parted = instances(narrow, wide, right)
    assert parted.unique().tolist() == [0, 1, 2, 3]
    whole = merge_regions(torch.full((6, 12), CAR), found(), CLASSES, MergeLimits(stuff_area_px=0))
    assert whole[..., 1].unique().tolist() == [1]


@pytest.mark.parametrize(
    "objects",
    [
        [(1, 5, 1, 4, 0.9)],
        [(1, 5, 1, 4, 0.9), (1, 5, 7, 10, 0.4)],
        [(1, 5, 1, 5, 0.9), (1, 5, 2, 6, 0.8)],
        [(1, 5, 1, 4, 0.9), (1, 5, 9, 10, 0.8)],
        [(1, 5, 1, 4, 0.9), (0, 1, 0, 12, 0.8)],
    ],
    ids=["one", "unsure", "covered", "a tenth of the region", "on the road"],
)
def test_what_does_not_count_as_a_second_object_leaves_the_region_whole(objects):
    assert torch.equal(instances(*objects), instances())


def test_the_thresholds_are_those_given():
    unsure = [(1, 5, 1, 4, 0.9), (1, 5, 7, 10, 0.4)]
    assert instances(*unsure, score_threshold=0.3).max() == 3
    covered = [(1, 5, 1, 5, 0.9), (1, 5, 2, 6, 0.8)]
    assert instances(*covered, overlap_threshold=0.8).max() == 3


def test_small_regions_and_small_stuff_are_void():
    semantic = street()
    semantic[0, 10:] = 2
    stuff_area_px = 3 * (1024 * 2048) / (6 * 12)
    merged = merge_regions(semantic, found(), CLASSES, MergeLimits(stuff_area_px=stuff_area_px))
    assert merged[4:6, 0].tolist() == [[-1, 0]] * 2
    assert merged[0, 10:].tolist() == [[-1, 0]] * 2
    assert (merged[..., 1] == 1).sum() == 40
    assert (merged[..., 0] == -1).sum() == 4


def test_regions_are_those_that_scipy_finds():
    generator = torch.Generator().manual_seed(0)
    for _ in range(10):
        semantic = torch.randint(0, 5, (6, 12), generator=generator)
        instance = merge_regions(semantic, found(), CLASSES, MergeLimits(stuff_area_px=0))[..., 1]
        judged = sum(ndimage.label((semantic == thing).numpy())[1] for thing in (CAR, PERSON))
        assert instance.unique().tolist() == list(range(judged + 1))
        for thing in (CAR, PERSON):
            labels, number = ndimage.label((semantic == thing).numpy())
            for region in range(1, number + 1):
                inside = torch.from_numpy(labels == region)
                assert len(instance[inside].unique()) == 1


def test_classes_that_share_a_region_are_refused():
    with pytest.raises(UsageError, match=r"things_from_regions .*things_apart true"):
        merge_regions(street(), found(), DetectorClasses((30, 10), (5, 20)))
