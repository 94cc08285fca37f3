"""Seven images, and what a run without faults makes of them."""

import pytest

from tests.conftest import draw_frame
from tests.label_processes import Run, arguments
from tests.label_runs import label_bytes


@pytest.fixture(scope="session")
def seven(tmp_path_factory):
    """Three train and seven val frames of 32x64 with ground truth and depth."""
    root = tmp_path_factory.mktemp("seven") / "cityscapes"
    for number in range(3):
        draw_frame(root, "train", "aachen", number)
    for number in range(7):
        draw_frame(root, "val", "bonn", 10 + number)
    return root


@pytest.fixture(scope="session")
def uninterrupted(seven, tmp_path_factory):
    """The labels of a run in one go, as bytes by path."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    run = Run(arguments(seven, folder / "out"), folder / "log")
    code, said = run.finish()
    assert code == 0, said
    return label_bytes(folder / "out")


@pytest.fixture
def finish_the_rest(seven, uninterrupted, tmp_path):
    """Labels what is missing of seven images; the bytes are those of a run in one go."""

    def finish(out, done):
        assert not (out / "run.lock").exists()
        code, said = Run(arguments(seven, out), tmp_path / "again").finish()
        assert code == 0
        assert f"{done} of 7 images already labelled, {7 - done} to do" in said
        assert label_bytes(out) == uninterrupted

    return finish
