from __future__ import annotations

import pytest

from relief.models.weight_sources import SOURCES, find_source


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
