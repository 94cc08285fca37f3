import re
from dataclasses import fields

import numpy as np
import pytest
from jsonargparse import ArgumentError
from PIL import Image

from relief.models.segmenters.prediction.predictor import PanopticPredictor
from relief.predictions.command import PredictRequest, main, parse_predict
from relief.processes.short_help import PAGES
from relief.schema.errors import UsageError
from tests.relief.predictions.test_predict import checkpoint, inputs, picture  # noqa: F401


def test_options_are_read():
    args = ["--checkpoint", "last.ckpt", "a", "b.mp4", "--carry_ids", "true", "--every", "3"]
    request = parse_predict(args)
    assert (request.inputs, request.checkpoint) == (["a", "b.mp4"], "last.ckpt")
    assert (request.carry_ids, request.every, request.out) == (True, 3, "outputs/predict")
    assert request.predictor({}) == PanopticPredictor()


def test_what_is_not_asked_for_is_as_in_the_recipe_of_the_checkpoint():
    args = ["a", "--checkpoint", "c", "--score_threshold", "0.2", "--unfound_as_stuff", "false"]
    of_recipe = PanopticPredictor(
        short_side_px=64, score_threshold=0.0, stuff_area_px=0, unfound_as_stuff=True
    ).settings
    found = parse_predict(args).predictor({**of_recipe, "of_a_later_version": 3})
    assert found == PanopticPredictor(short_side_px=64, score_threshold=0.2, stuff_area_px=0)


@pytest.mark.parametrize("args", [["a"], ["--checkpoint", "c"], ["a", "--checkpoint", "c", "-x"]])
def test_wrong_options_are_refused(args):
    with pytest.raises(ArgumentError):
        parse_predict(args)


def test_the_page_of_help_names_every_option():
    named = set(re.findall(r"(?m)^  --(\w+)", PAGES["predict"]))
    assert named == {field.name for field in fields(PredictRequest)} - {"inputs"}


def test_exit_code_says_whether_all_images_are_there(checkpoint, inputs, tmp_path, capfd):  # noqa: F811
    common = ["--checkpoint", str(checkpoint), "--device", "cpu", "--out"]
    assert main([str(inputs / "*.png"), *common, str(tmp_path / "some")]) == 1
    good = tmp_path / "good.png"
    Image.fromarray(np.ascontiguousarray(picture(5))).save(good)
    assert main([str(good), *common, str(tmp_path / "all")]) == 0
    assert "images/s" in "".join(capfd.readouterr())
    with pytest.raises(UsageError, match="every"):
        main([str(good), *common, str(tmp_path / "none"), "--every", "0"])
