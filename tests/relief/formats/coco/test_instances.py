import json

import numpy as np
import pytest
from pycocotools import mask as rle
from pycocotools.coco import COCO

from relief.formats.coco.instances import CocoInstances, write_coco_instances
from relief.ops.objects.instance_masks import decoded
from relief.schema.categories import cluster_categories
from relief.schema.errors import ReadError, UsageError
from tests.contracts.instances import InstanceReaderContract
from tests.relief.metrics.test_instance_ap import SIZE, drawn


class TestCocoInstances(InstanceReaderContract):
    @pytest.fixture
    def reader(self, tmp_path):
        return read(tmp_path, annotation(), annotation(id=2, iscrowd=1))


class TestBoxes(InstanceReaderContract):
    @pytest.fixture
    def reader(self, tmp_path):
        return read(tmp_path, annotation(segmentation=[]))


SQUARE = [[1, 1, 5, 1, 5, 4, 1, 4]]


def packed(pixels):
    code = rle.encode(np.asfortranarray(pixels.astype(np.uint8)))
    return {"size": list(pixels.shape), "counts": code["counts"].decode()}


def annotation(**values):
    given = {"id": 1, "image_id": 7, "category_id": 3, "segmentation": SQUARE, "iscrowd": 0}
    return given | {"bbox": [1, 1, 4, 3], "area": 12} | values


def content(*annotations, **values):
    return {
        "images": [{"id": 7, "file_name": "a/b.jpg", "height": 6, "width": 8}],
        "annotations": list(annotations),
        "categories": [{"id": 3, "name": "cat"}, {"id": 1, "name": "dog"}],
    } | values


def written(folder, values, name="truth.json"):
    path = folder / name
    path.write_text(json.dumps(values))
    return path


def read(folder, *annotations, **values):
    return CocoInstances(written(folder, content(*annotations, **values)))


def test_polygons_run_lengths_and_packed_ones_are_the_same_mask(tmp_path):
    pixels = np.zeros((6, 8), bool)
    pixels[1:4, 1:5] = True
    counts = [7, 3, 3, 3, 3, 3, 3, 3, 20]
    segmentations = (SQUARE, {"size": [6, 8], "counts": counts}, packed(pixels))
    reader = read(
        tmp_path, *(annotation(id=i, segmentation=s) for i, s in enumerate(segmentations))
    )
    assert reader.keys == ["a/b"]
    assert reader.categories == {1: "dog", 3: "cat"}
    instances = reader.instances("a/b")
    assert len(instances) == 3
    assert instances.size == (6, 8)
    assert all(np.array_equal(decoded(mask), pixels) for mask in instances.masks)
    assert instances.boxes.tolist() == [[1, 1, 4, 3]] * 3
    assert instances.area_px.tolist() == [12] * 3


def test_given_boxes_and_areas_stay_and_missing_ones_come_from_the_mask(tmp_path):
    given = annotation(bbox=[0, 0, 6, 5], area=99.5, iscrowd=1)
    without = annotation()
    del without["bbox"], without["area"]
    instances = read(tmp_path, given, without).instances("a/b")
    assert instances.boxes.tolist() == [[0, 0, 6, 5], [1, 1, 4, 3]]
    assert instances.area_px.tolist() == [99.5, 12]
    assert instances.crowd.tolist() == [True, False]
    assert instances.scores.tolist() == [1, 1]


def test_predictions_have_scores_and_the_area_of_their_mask(tmp_path):
    truth = read(tmp_path, annotation())
    results = [{"image_id": 7, "category_id": 1, "score": 0.25, "segmentation": SQUARE, "area": 5}]
    reader = CocoInstances(written(tmp_path, results, "results.json"), truth)
    instances = reader.instances("a/b")
    assert (instances.scores.tolist(), instances.area_px.tolist()) == ([0.25], [12])
    assert instances.category.tolist() == [1]
    with pytest.raises(UsageError, match=r"a list of results; its images are those of --truth"):
        CocoInstances(reader.json_path).keys  # noqa: B018


def test_a_file_without_masks_holds_boxes(tmp_path):
    boxes = annotation(segmentation=[])
    reader = read(tmp_path, boxes)
    assert not reader.has_masks
    assert reader.instances("a/b").masks is None
    assert read(tmp_path, annotation()).has_masks
    with pytest.raises(ReadError, match="no segmentation, where others have one"):
        read(tmp_path, annotation(), boxes).instances("a/b")


def test_an_empty_mask_of_a_detector_with_a_box_finds_nothing(tmp_path):
    empty = annotation(score=0.5, segmentation=packed(np.zeros((6, 8))))
    instances = read(tmp_path, empty).instances("a/b")
    assert (len(instances), instances.area_px.tolist()) == (1, [0])


def test_lvis_names_its_photographs_by_address(tmp_path):
    image = {"id": 7, "coco_url": "http://x.org/train2017/000000391895.jpg"}
    reader = read(tmp_path, images=[image | {"height": 6, "width": 8}])
    assert reader.keys == ["train2017/000000391895"]
    assert reader.image(reader.keys[0]).file_name == "train2017/000000391895.jpg"


TALL = packed(np.ones((8, 6)))
SHORT = {"size": [6, 8], "counts": [7, 3]}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"bbox": [1, 1, 0, 3]}, r"box \[1, 1, 0, 3\] has no area"),
        ({"bbox": [1, 1, 4]}, r"box \[1, 1, 4\] has no area"),
        ({"bbox": [1, 1, float("nan"), 3]}, "has no area"),
        ({"segmentation": TALL}, "RLE of 8x6 in an image of 6x8: height and width are swapped"),
        ({"segmentation": packed(np.ones((5, 5)))}, "RLE of 5x5 in an image of 6x8"),
        ({"segmentation": SHORT}, "RLE whose runs do not fill 6x8 px"),
        ({"segmentation": {"size": [6, 8], "counts": "zz"}}, "RLE that cannot be read"),
        ({"segmentation": {"size": [6, 8], "counts": "52203"}}, "RLE whose runs do not fill"),
        ({"segmentation": [[1, 1, 5, 4]]}, "a polygon of fewer than 3 corners"),
        ({"segmentation": [[1, 1, 5, 4, float("inf"), 2]]}, "corners that are not finite"),
        ({"score": float("nan")}, "score nan is no number"),
        ({"segmentation": "here"}, "values of another kind"),
        ({"bbox": ["left", 1, 1, 1]}, "values of another kind"),
    ],
)
def test_a_malformed_instance_fails_its_image_in_one_line(tmp_path, wrong, told):
    with pytest.raises(ReadError, match=told) as refused:
        read(tmp_path, annotation(), annotation(id=2, **wrong)).instances("a/b")
    line = str(refused.value)
    assert "a/b, annotation 2" in line
    assert line.endswith(". Mend the file.")
    assert "\n" not in line


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (content(annotation(category_id=2)), "category 2 is used and not listed"),
        (content(annotation(image_id=8)), "image 8 is used and not listed"),
        (content(images=[{"id": 7, "file_name": "a.jpg"}]), "images without id, file_name, height"),
        (content(images=content()["images"] * 2), "two images of a/b"),
        (content({"id": 1}), "annotations without image_id and category_id"),
        (content(categories=[{"id": "cat"}]), "categories without a whole number as id"),
        ({"images": []}, "no images, annotations and categories"),
        (3, "no images, annotations and categories"),
    ],
)
def test_a_file_that_is_none_is_refused_in_one_line(tmp_path, wrong, told):
    with pytest.raises(UsageError, match=f"^cannot read COCO instances: .*{told}"):
        CocoInstances(written(tmp_path, wrong)).keys  # noqa: B018
    with pytest.raises(UsageError, match="not a readable JSON file"):
        CocoInstances(tmp_path / "none.json").keys  # noqa: B018


def test_an_unknown_key_is_one_line(tmp_path):
    with pytest.raises(ReadError, match="no labels of x"):
        read(tmp_path).instances("x")


def test_what_is_written_reads_back_and_pycocotools_reads_it(tmp_path):
    images = {name: drawn(seed)[0] for seed, name in enumerate(("one.jpg", "a/two.png"))}
    path = tmp_path / "instances.json"
    write_coco_instances(path, images.items(), cluster_categories(3, (1, 2)), ["none"])
    reader = CocoInstances(path)
    assert reader.keys == ["a/two", "one"]
    assert reader.categories == {1: "cluster 0", 2: "cluster 1", 3: "cluster 2"}
    for name, expected in images.items():
        found = reader.instances(name.rpartition(".")[0])
        assert found.masks == expected.masks
        assert np.array_equal(found.category, expected.category + 1)
        assert np.array_equal(found.boxes, expected.boxes)
        assert np.array_equal(found.scores, expected.scores)
        assert np.array_equal(found.area_px, expected.area_px)
    coco = COCO(str(path))
    assert coco.annToMask(coco.anns[1]).sum() == images["one.jpg"].area_px[0]
    assert (coco.imgs[2]["height"], coco.imgs[2]["width"]) == SIZE
    assert json.loads(path.read_text())["info"] == {"supervision": ["none"]}
