import json

import numpy as np
import pytest
import torch

from relief.formats.exports.coco import CocoCorrections, CocoInstancesExport
from relief.formats.exports.corrections import CorrectedLabels
from relief.formats.exports.label_studio import LabelStudio, LabelStudioCorrections
from relief.formats.exports.labelme import LabelMe, LabelMeCorrections
from relief.schema.errors import ReadError, UsageError
from tests.relief.formats.exports.drawn import FILE_NAMES, KEYS, SIZE, draw_labels, panoptic_of


def labelme(tmp_path, exported):
    LabelMe(tolerance_px=0).write(tmp_path, exported)
    return LabelMeCorrections(str(tmp_path))


def label_studio(tmp_path, exported):
    LabelStudio(tolerance_px=0).write(tmp_path, exported)
    tasks = json.loads((tmp_path / "tasks.json").read_text())
    for task in tasks:  # as an annotator submits what was predicted
        results = task.pop("predictions")[0]["result"]
        task["annotations"] = [{"result": results}, {"result": [], "was_cancelled": True}]
    (tmp_path / "done.json").write_text(json.dumps(tasks))
    return LabelStudioCorrections(str(tmp_path / "done.json"))


def coco(tmp_path, exported):
    CocoInstancesExport(polygons=True, tolerance_px=0).write(tmp_path, exported)
    return CocoCorrections(str(tmp_path / "instances.json"))


def corrected(exported, corrections):
    keys = corrections.keys(FILE_NAMES)
    return CorrectedLabels(exported.labels, corrections, exported.categories, keys)


@pytest.mark.parametrize("tool", [labelme, label_studio, coco])
def test_what_nobody_changed_comes_back_equal(tmp_path, tool):
    exported = draw_labels(tmp_path)
    again = corrected(exported, tool(tmp_path / "tool", exported))
    assert list(again.keys) == list(KEYS)
    for key in KEYS:
        expected = panoptic_of(key)
        expected[(expected == torch.tensor((1, 0))).all(-1)] = torch.tensor((-1, 0))
        assert torch.equal(again.panoptic(key), expected)
        assert torch.equal(again.semantic(key), expected[..., 0])


def test_labelme_moves_removes_and_adds(tmp_path):
    exported = draw_labels(tmp_path)
    corrections = labelme(tmp_path / "m", exported)
    file = tmp_path / "m" / "two.json"
    content = json.loads(file.read_text())
    shapes = [shape for shape in content["shapes"] if shape["group_id"] != 1]
    shapes.append({"label": "cluster 1", "points": [[0, 0], [4, 3]], "shape_type": "rectangle"})
    file.write_text(json.dumps({**content, "shapes": shapes}))
    panoptic = corrected(exported, corrections).panoptic("two")
    assert panoptic[1, 2].tolist() == [1, 2]
    assert panoptic[12, 5].tolist() == [-1, 0]
    assert panoptic[17, 22].tolist() == [2, 1]
    (tmp_path / "m" / "a" / "one.json").unlink()
    assert corrections.keys(FILE_NAMES) == ["two"]


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ({"label": "tree", "points": [[0, 0], [4, 0], [4, 3]]}, "unknown label in two: tree"),
        ({"label": "cluster 1", "points": [[0, 0], [4, 3]]}, "fewer than 3 corners"),
        ({"label": "cluster 1", "points": [[0, 0]], "shape_type": "point"}, "of kind point"),
        ({"points": []}, "no 'label'"),
    ],
)
def test_what_labelme_cannot_mean_is_one_line(tmp_path, shape, told):
    exported = draw_labels(tmp_path)
    labels = corrected(exported, labelme(tmp_path / "m", exported))
    file = tmp_path / "m" / "two.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "shapes": [shape]}))
    with pytest.raises(ReadError, match=told) as refused:
        labels.panoptic("two")
    assert "\n" not in str(refused.value)
    assert labels.panoptic("a/one").shape[:2] == SIZE
    file.write_text(json.dumps({**json.loads(file.read_text()), "imageWidth": 7}))
    with pytest.raises(ReadError, match="of an image of 20x7, labels are 20x30"):
        labels.panoptic("two")


def test_masks_of_labelme_are_painted(tmp_path):
    import base64
    import io

    from PIL import Image

    exported = draw_labels(tmp_path)
    labels = corrected(exported, labelme(tmp_path / "m", exported))
    pixels = np.zeros((3, 4), bool)
    pixels[1, 2:] = True
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    mask = base64.b64encode(buffer.getvalue()).decode()
    shape = {"label": "cluster 2", "shape_type": "mask", "points": [[5, 6], [8, 8]], "mask": mask}
    file = tmp_path / "m" / "two.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "shapes": [shape]}))
    is_painted = labels.panoptic("two")[..., 0] == 2
    assert is_painted.nonzero().tolist() == [[7, 7], [7, 8]]


def test_tasks_without_annotations_are_left_out(tmp_path):
    exported = draw_labels(tmp_path)
    corrections = label_studio(tmp_path / "l", exported)
    tasks = json.loads(corrections.path.read_text())
    tasks[0]["annotations"] = []
    result = tasks[1]["annotations"][0]["result"][0]
    result.update(type="rectanglelabels", value={"x": 0, "y": 0, "width": 10, "height": 50})
    result["value"]["rectanglelabels"] = ["cluster 3"]
    corrections.path.write_text(json.dumps(tasks))
    labels = corrected(exported, corrections)
    assert labels.keys == ["two"]
    assert (labels.panoptic("two")[:10, :3, 0] == 3).all()
    result["type"] = "brushlabels"
    corrections.path.write_text(json.dumps(tasks))
    with pytest.raises(ReadError, match=r"a region of kind brushlabels, expected polygons"):
        corrected(exported, LabelStudioCorrections(str(corrections.path))).panoptic("two")
    corrections.path.write_text(json.dumps([{"data": {}}]))
    with pytest.raises(UsageError, match=r"not a JSON export .*\. Export as JSON\.$"):
        LabelStudioCorrections(str(corrections.path)).keys(FILE_NAMES)


def test_a_folder_without_corrections_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"no corrections: .* has no KEY\.json"):
        LabelMeCorrections(str(tmp_path)).keys(FILE_NAMES)
