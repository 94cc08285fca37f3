from __future__ import annotations

from relief.reports.run_facts import run_facts
from relief.schema.manifest import Manifest

PARTS = {
    "model": {
        "class_path": "lightning_modules.pseudo_labeler.PseudoLabeler",
        "init_args": {
            "backbone": {"class_path": "a.b.CauseTR", "init_args": {"weights": "x.safetensors"}},
            "codebook": {"class_path": "a.Codebook", "init_args": {}},
            "splitter": {
                "class_path": "a.DepthGradientSplitter",
                "init_args": {"gradient_threshold": 0.2, "min_area_px": 400, "flip": True},
            },
            "split_short_side_px": 512,
        },
    },
    "thingness": {
        "class_path": "a.ThingFinder",
        "init_args": {"rule": {"class_path": "a.ThingRule"}},
    },
}


def test_facts_of_a_run() -> None:
    manifest = Manifest(
        k=4,
        parts=PARTS,
        weights={"backbone": "0123456789abcdef"},
        thing_ids=(1, 2),
        groups=(-1, 0, 0, -1),
    )
    assert run_facts(manifest) == [
        ("Ids", "4 clusters; 2 are things, split in 1 group"),
        ("Labeller", "PseudoLabeler: split short side px 512"),
        ("Backbone", "CauseTR: weights x.safetensors"),
        ("Splitter", "DepthGradientSplitter: gradient threshold 0.2, min area px 400, flip yes"),
        ("Thingness", "ThingFinder"),
        ("Rule", "ThingRule"),
        ("Weights", "sha256 of backbone 0123456789ab…"),
    ]


def test_class_ids_say_where_they_come_from() -> None:
    manifest = Manifest(k=80, label_space="oracle_classes", classes="cityscapes19")
    assert run_facts(manifest) == [
        ("Ids", "19 classes of cityscapes19, named by ground truth, from 80 clusters")
    ]


def test_one_cluster_is_told_in_the_singular() -> None:
    manifest = Manifest(k=1, thing_ids=(0,), groups=(0,))
    assert run_facts(manifest) == [("Ids", "1 cluster; 1 is a thing, split in 1 group")]
