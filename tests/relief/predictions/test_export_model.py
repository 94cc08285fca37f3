import json
import re
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from relief.models.segmenters.boundary_network import BoundaryNetwork
from relief.models.segmenters.checkpoint import SegmenterCheckpoint
from relief.models.segmenters.encoders import SmallEncoder
from relief.predictions import export_model
from relief.predictions.export_model import ExportModelRequest, main
from relief.processes.short_help import PAGES
from relief.schema.errors import UsageError
from relief.schema.training import DetectorClasses, LabelOrigin
from tests.relief.models.segmenters.test_guided_pyramid import Patches

CLASSES = DetectorClasses(things=(4, 2), stuff=(7,), apart=True)
NEEDED = ("onnx", "onnxscript", "onnxruntime")


def test_the_page_of_help_names_every_option():
    named = set(re.findall(r"(?m)^  --(\w+)", PAGES["export-model"]))
    assert named == {field.name for field in fields(ExportModelRequest)}


def network():
    torch.manual_seed(1)
    made = BoundaryNetwork(
        2, 3, Patches(), encoder=SmallEncoder((8, 16)), widths=(8,), guide_width=8
    )
    return made.eval()


def gives(monkeypatch, made):
    """Lets any path be the checkpoint of a network."""
    origin = LabelOrigin(("labels of people",))
    trained = SegmenterCheckpoint(Path("x.ckpt"), "", CLASSES, origin, weights={})
    monkeypatch.setattr(export_model, "read_segmenter", lambda path: trained)
    monkeypatch.setattr(SegmenterCheckpoint, "build", lambda self: made)


def test_what_onnx_does_not_have_is_refused_with_a_way_out(monkeypatch, tmp_path):
    monkeypatch.setattr(export_model, "find_spec", lambda name: True)
    gives(monkeypatch, nn.Identity())
    with pytest.raises(UsageError, match=r"cannot export Identity: .* or use `relief predict`"):
        main(["--checkpoint", "x.ckpt", "--out", str(tmp_path)])
    assert not list(tmp_path.iterdir())


def test_what_is_not_installed_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(export_model, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"onnx, onnxscript, onnxruntime\. pip install"):
        main(["--checkpoint", "x.ckpt", "--out", str(tmp_path)])


@pytest.mark.slow
@pytest.mark.skipif(not all(map(find_spec, NEEDED)), reason="onnx and onnxruntime judge exports")
def test_exports_say_what_torch_says(monkeypatch, tmp_path):
    import onnxruntime

    made = network()
    gives(monkeypatch, made)
    request = ExportModelRequest("x.ckpt", str(tmp_path), 48, 64)
    paths = export_model.export_model(request)
    assert [path.name for path in paths] == [
        "model.pt2", "model.onnx", "model_float16.onnx", "model.json",
    ]  # fmt: skip
    told = json.loads((tmp_path / "model.json").read_text())
    assert told["stuff"], told["things"] == ([7], [4, 2])
    assert told["boundary"] == made.boundary
    assert told["supervision"] == ["labels of people"]
    program = torch.export.load(tmp_path / "model.pt2").module()
    for batch in (1, 3):
        image = torch.rand(batch, 3, 48, 64)
        with torch.no_grad():
            expected = made.shares(image)
            for one, other in zip(program(image), expected, strict=True):
                torch.testing.assert_close(one, other, atol=1e-6, rtol=0)
        for name, tolerance in (("model.onnx", 1e-5), ("model_float16.onnx", 2e-2)):
            session = onnxruntime.InferenceSession(str(tmp_path / name))
            for one, other in zip(
                session.run(None, {"image": image.numpy()}), expected, strict=True
            ):
                assert one.dtype == np.float32
                np.testing.assert_allclose(one, other.numpy(), atol=tolerance)
