import json

import pytest

from relief.formats.depth_files import FolderDepth
from relief.models.backbones.rgb_statistics import RGBStatistics
from relief.models.codebooks.thing_rule import PublishedThingRule, ThingRule
from relief.schema.errors import ReadError
from relief.schema.geometry import WindowGeometry
from relief.splitters.connected import ConnectedSplitter
from relief.splitters.depth_gradient import DepthGradientSplitter
from relief.studies.features.sample_features import run_sample_features
from relief.studies.features.sample_features_plan import FeatureSource, SampleFeatures
from tests.label_runs import run_label

FIGURES = (
    *("pq", "sq", "rq", "pq_things", "sq_things", "rq_things", "pq_stuff", "miou"),
    *("pixel_accuracy", "matched_things", "instances_per_image", "true_instances_per_image"),
)


def study(root, ks=(4,), **options):
    splittings = ["edges", "components"]
    return SampleFeatures(
        **{
            "features": [FeatureSource("rgb", RGBStatistics(2), list(ks), splittings)],
            "splittings": {
                "edges": DepthGradientSplitter(0.2, 4),
                "components": ConnectedSplitter(4),
            },
            "depth": FolderDepth(root / "depth"),
            "rule": PublishedThingRule(1),
            "geometry": WindowGeometry(32, 32, 16),
            "seeds": [0],
            "root": str(root),
            "split_short_side_px": 32,
            "processes": 1,
            **options,
        }
    )


def labelled(root, out, *options):
    assert run_label(root, out, *options) == 0
    return json.loads((out / "metrics.json").read_text())["panopticapi/majority"]


@pytest.mark.parametrize("short_side_px", [32, 24])
def test_figures_are_those_of_the_labelling_run_to_the_last_digit(
    tiny_cityscapes, tmp_path, short_side_px
):
    expected = labelled(
        *(tiny_cityscapes, tmp_path / "out"),
        *("--model.init_args.split_short_side_px", str(short_side_px)),
    )
    rows, seconds = run_sample_features(
        study(tiny_cityscapes, split_short_side_px=short_side_px, seeds=[1, 0])
    )
    assert seconds > 0
    found = next(row for row in rows if row["seed"] == 0 and row["splitting"] == "edges")
    assert {name: found[name] for name in FIGURES} == {name: expected[name] for name in FIGURES}
    assert expected["pq"] > 0


def test_another_seed_k_and_splitter_are_theirs_too(tiny_cityscapes, tmp_path):
    (tmp_path / "splitter.yaml").write_text(
        "class_path: relief.splitters.connected.ConnectedSplitter\ninit_args: {min_area_px: 4}\n"
    )
    expected = labelled(
        *(tiny_cityscapes, tmp_path / "out"),
        *("--model.init_args.splitter", str(tmp_path / "splitter.yaml")),
        *("--fitter.init_args.kmeans.init_args.k", "6"),
        *("--fitter.init_args.kmeans.init_args.seed", "2"),
        *("--thingness.init_args.rule", "relief.models.codebooks.thing_rule.ThingRule"),
    )
    rows, _ = run_sample_features(study(tiny_cityscapes, ks=[3, 6], seeds=[2], rule=ThingRule()))
    assert [(row["k"], row["seed"], row["splitting"]) for row in rows] == [
        *((3, 2, "edges"), (3, 2, "components"), (6, 2, "edges"), (6, 2, "components"))
    ]
    assert {name: rows[3][name] for name in FIGURES} == {name: expected[name] for name in FIGURES}


def test_missing_depth_is_told(tiny_cityscapes):
    next((tiny_cityscapes / "depth" / "val").rglob("*.npy")).unlink()
    with pytest.raises(ReadError, match="depth is missing: bonn"):
        run_sample_features(study(tiny_cityscapes))


@pytest.mark.slow
def test_processes_change_nothing(tiny_cityscapes):
    sources = [FeatureSource(n, RGBStatistics(2), [3], ["edges"]) for n in ("one", "two")]
    alone, _ = run_sample_features(study(tiny_cityscapes, features=sources))
    shared, _ = run_sample_features(study(tiny_cityscapes, features=sources, processes=2))
    assert [row["features"] for row in alone] == ["one", "two"]
    assert shared == alone
