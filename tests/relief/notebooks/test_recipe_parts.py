from relief.notebooks.recipe_parts import recipe_parts
from tests.label_runs import TINY
from tests.relief.notebooks.conftest import OPTIONS, SPLITTER


def test_parts_share_the_labellers_own(tmp_path):
    parts = recipe_parts(TINY, OPTIONS | {"fitter.init_args.seed": 3})
    assert type(parts.labeller.splitter).__name__ == "ConnectedSplitter"
    assert parts.fitter.backbone is parts.labeller.backbone is parts.thingness.backbone
    assert parts.fitter.codebook is parts.labeller.codebook is parts.thingness.codebook
    assert parts.fitter.seed == 3
    model = parts.determinants["model"]["init_args"]
    assert model["splitter"]["class_path"] == SPLITTER
    assert "data" not in parts.determinants


def test_recipes_are_found_by_name_and_with_their_pieces():
    parts = recipe_parts("image_folder", {})
    assert type(parts.labeller.backbone).__name__ == "TimmFeatures"
    assert type(parts.thingness.rule).__name__ == "ThingRule"
