"""Examples in docstrings run and give what they say."""

import doctest
import importlib

import pytest

from tests.test_house import ROOT, source_files

WITH_EXAMPLES = [
    ".".join(file.relative_to(ROOT).with_suffix("").parts)
    for file in source_files()
    if ">>> " in file.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_examples(module):
    results = doctest.testmod(importlib.import_module(module))
    assert results.attempted > 0
    assert results.failed == 0


@pytest.mark.parametrize(
    "module",
    [
        "relief.metrics.panoptic_quality",
        "relief.models.codebooks.codebook",
        "relief.splitters.connected",
        "relief.splitters.depth_gradient",
        "relief.splitters.knn_linkage",
        "relief.splitters.watershed",
    ],
)
def test_public_classes_have_examples(module):
    assert module in WITH_EXAMPLES
