from __future__ import annotations

import dataclasses
import json

import pytest
import torch

from relief.schema.errors import UsageError
from relief.schema.manifest import Manifest, differences

MANIFEST = Manifest(
    k=80,
    parts={"splitter": {"class_path": "a.B", "init_args": {"min_area_px": 100}}},
    weights={"backbone": "ab12"},
    images={"b": "pending", "a": "labelled"},
)


def test_json_reads_back_equal_and_is_stable() -> None:
    whole = dataclasses.replace(MANIFEST, thing_ids=(3, 5), groups=(-1,) * 80)
    text = whole.to_json()
    assert Manifest.from_json(text) == whole
    assert text.endswith("}\n")
    shuffled = dataclasses.replace(whole, images={"a": "labelled", "b": "pending"})
    assert shuffled.to_json() == text
    assert list(json.loads(text)) == sorted(json.loads(text))
    assert '\n "thing_ids": [3, 5],\n' in text


def test_things_and_groups_as_tensors() -> None:
    known = dataclasses.replace(MANIFEST, k=4, thing_ids=(1, 3), groups=(-1, 0, -1, 1))
    assert known.is_thing.tolist() == [False, True, False, True]
    assert known.group_of_id.tolist() == [-1, 0, -1, 1]
    unknown = dataclasses.replace(MANIFEST, k=2)
    assert not unknown.is_thing.any()
    assert torch.equal(unknown.group_of_id, torch.tensor([-1, -1]))


def test_categories_are_classes_where_an_oracle_named_them() -> None:
    oracle = dataclasses.replace(MANIFEST, label_space="oracle_classes", classes="cityscapes27")
    assert (MANIFEST.num_categories, oracle.num_categories) == (80, 27)


def test_differences_are_lines_for_people() -> None:
    other = dataclasses.replace(
        MANIFEST,
        k=27,
        parts={"splitter": {"class_path": "a.B", "init_args": {"min_area_px": 1000}}},
        weights={},
    )
    assert differences(other, MANIFEST) == [
        "k=27, this run has k=80",
        "parts.splitter.init_args.min_area_px=1000, "
        "this run has parts.splitter.init_args.min_area_px=100",
        "weights.backbone=nothing, this run has weights.backbone=ab12",
    ]
    assert differences(MANIFEST, MANIFEST) == []


def test_images_and_what_is_not_known_yet_make_no_difference() -> None:
    images = {"a": "labelled", "b": "labelled"}
    later = dataclasses.replace(MANIFEST, thing_ids=(1,), groups=(-1,) * 80, images=images)
    assert differences(MANIFEST, later) == []
    assert differences(later, dataclasses.replace(later, thing_ids=(2,))) == [
        "thing_ids=[1], this run has thing_ids=[2]"
    ]


def test_what_is_no_number_is_the_same_again_and_stays_json() -> None:
    one, two = (
        dataclasses.replace(MANIFEST, parts={"depth": {"invalid_value": float("nan")}, "n": [1.5]})
        for _ in range(2)
    )
    assert differences(one, two) == []
    read = json.loads(one.to_json(), parse_constant=pytest.fail)
    assert read["parts"] == {"depth": {"invalid_value": "nan"}, "n": [1.5]}
    assert differences(Manifest.from_json(one.to_json()), two) == []


def test_long_values_are_cut() -> None:
    one, two = (dataclasses.replace(MANIFEST, parts={"n": letter * 500}) for letter in "xy")
    (line,) = differences(one, two)
    assert len(line) < 200


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format_version": 1}', "null", '{"k": }'])
def test_other_files_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"cannot read manifest: OUT/manifest.json"):
        Manifest.from_json(text, "OUT/manifest.json")


def test_a_newer_format_is_refused() -> None:
    text = json.dumps({**json.loads(MANIFEST.to_json()), "format_version": 2})
    with pytest.raises(UsageError, match="format 2"):
        Manifest.from_json(text)


def test_what_the_codebook_decides_is_compared_once_both_know_it() -> None:
    unknown = dataclasses.replace(MANIFEST, thing_ids=None, groups=None)
    named = dataclasses.replace(
        MANIFEST,
        label_space="oracle_classes",
        classes="cityscapes19",
        supervision=("ground truth of val",),
        thing_ids=(11,),
        groups=(-1,) * 19,
    )
    assert differences(named, unknown) == []
    clusters = dataclasses.replace(MANIFEST, thing_ids=(11,), groups=(-1,) * 19)
    assert any("classes=cityscapes19" in line for line in differences(named, clusters))


@pytest.mark.parametrize(
    "wrong", [{"images": "all"}, {"parts": [1]}, {"classes": 5}, {"thing_ids": [10**9]}]
)
def test_values_of_another_type_are_no_manifest(wrong):
    values = json.loads(Manifest(k=3, thing_ids=(1,), groups=(-1, 0, -1)).to_json()) | wrong
    with pytest.raises(UsageError, match=r"^cannot read manifest: x\. Use another folder"):
        Manifest.from_json(json.dumps(values), "x")
