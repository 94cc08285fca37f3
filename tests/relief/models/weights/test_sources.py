from __future__ import annotations

import pytest

from relief.models.weights.sources import (
    SOURCES,
    find_on_hub,
    find_source,
    get_command,
    how_to_get,
)


def test_names_are_unique_and_every_source_says_all():
    names = [source.name for source in SOURCES]
    assert len(set(names)) == len(names)
    for source in SOURCES:
        assert source.license
        assert source.supervision
        assert source.addresses or source.by_hand
        assert all(address.startswith("https://") for address in source.addresses)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("weights/spidepth/encoder.safetensors", "spidepth/encoder"),
        ("/data/weights/spidepth/depth.pth", "spidepth/depth"),
        ("weights/depth_anything_v2_small", "depth_anything_v2_small"),
        ("weights/cause/modular.npy", "cause/modular"),
    ],
)
def test_is_found_by_the_end_of_the_path(path, name):
    assert find_source(path).name == name


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "outputs/spidepth/depth",
        "other/encoder.pth",
        "relief.models.depth.spidepth.SPIdepth",
    ],
)
def test_other_strings_are_not_weights(path):
    assert find_source(path) is None


def test_the_usual_path_of_a_source_leads_back_to_it():
    for source in SOURCES:
        assert find_source(source.path) is source


def test_a_repository_of_hugging_face_is_found():
    assert find_on_hub("apple/DepthPro-hf").name == "depth_pro"
    assert find_on_hub("apple/DepthPro") is None


def test_the_command_for_a_known_path():
    assert get_command(["a b", "c"]) == "python -m relief.models.weights get 'a b' c"
    known = "weights/dinov2_vits14.pth"
    assert how_to_get(known, "Else.") == f"Run `python -m relief.models.weights get {known}`."
    assert how_to_get("mine.pth", "Else.") == "Else."
