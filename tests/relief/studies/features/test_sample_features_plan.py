from pathlib import Path

import yaml

from relief.metrics.protocols import PANOPTICAPI
from relief.schema.label_spaces import CITYSCAPES_19
from relief.studies.features.sample_features_plan import SampleFeatures
from tests.relief.studies.features.test_sample_features import study

CONFIGS = Path(__file__).parents[4] / "configs"


def read(name):
    """A configuration with the pieces that it names in their places."""
    path = CONFIGS / name

    def whole(value):
        if isinstance(value, dict):
            return {key: whole(inner) for key, inner in value.items()}
        if isinstance(value, str) and value.endswith(".yaml"):
            return yaml.safe_load((path.parent / value).read_text())
        return value

    return whole(yaml.safe_load(path.read_text()))


def test_a_plan_names_its_splits_once_and_knows_how_to_measure(tmp_path):
    plan: SampleFeatures = study(tmp_path)
    assert plan.splits == ("train", "val")
    assert study(tmp_path, split="train").splits == ("train",)
    assert plan.measure.space == CITYSCAPES_19
    assert plan.measure.protocol == PANOPTICAPI
    assert plan.measure.rule.name == "majority"


def test_the_study_of_the_sample_has_the_numbers_of_its_recipe():
    recipe = read("label/sample.yaml")
    plan = read("studies/sample_features.yaml")["study"]["init_args"]["plan"]
    model, data = recipe["model"]["init_args"], recipe["data"]["init_args"]
    learned = plan["features"][0]
    assert learned["backbone"] == model["backbone"]
    assert plan["geometry"] == model["geometry"]
    assert plan["split_short_side_px"] == model["split_short_side_px"]
    rule = recipe["thingness"]["init_args"]["rule"]
    assert plan["rule"] == {"class_path": rule["class_path"]}  # within similar clusters
    for name in ("root", "split", "fit_split", "depth"):
        assert plan[name] == data[name], name
    kmeans = recipe["fitter"]["init_args"]["kmeans"]["init_args"]
    assert kmeans["k"] in learned["ks"]
    assert kmeans["seed"] in plan["seeds"]
    assert recipe["fitter"]["init_args"]["seed"] == plan.get("sampling_seed", 0)


def test_splitters_that_are_compared_have_one_area_filter():
    plan = read("studies/sample_features.yaml")["study"]["init_args"]["plan"]
    areas = {n: s["init_args"]["min_area_px"] for n, s in plan["splittings"].items()}
    assert areas["depth edges"] == areas["components"] > areas["components of any area"] == 1
