import hashlib
import os

import pytest
import torch
from torch import nn

from relief.models.segmenters.checkpoint import read_segmenter
from relief.models.segmenters.network_settings import NetworkSettings
from relief.schema.errors import UsageError, WeightsError
from relief.schema.training import DetectorClasses


def written(path, **changes):
    content = {
        "state_dict": {"network.weight": torch.ones(3, 2), "network.bias": torch.zeros(3)},
        "classes": {"things": (4, 1), "stuff": (0, 2, 3)},
        "supervision": ["labels: none"],
        "optimizer_states": [],
    }
    torch.save(content | changes, path)
    return path


def test_what_others_use_of_a_checkpoint(tmp_path):
    path = written(tmp_path / "last.ckpt")
    found = read_segmenter(path)
    assert found.classes == DetectorClasses((4, 1), (0, 2, 3))
    assert found.origin.label_classes is None
    assert found.origin.supervision == ("labels: none",)
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    network = found.build(lambda things, stuff: nn.Linear(things, stuff))
    assert torch.equal(network.weight, torch.ones(3, 2))
    assert not network.training


def test_things_told_apart_have_regions_of_their_own(tmp_path):
    classes = {"things": (4, 1), "stuff": (0, 2, 3), "apart": True}
    weights = {"network.weight": torch.ones(5, 2), "network.bias": torch.zeros(5)}
    path = written(tmp_path / "last.ckpt", classes=classes, state_dict=weights)
    assert read_segmenter(path).build(lambda things, regions: nn.Linear(things, regions))


def test_teacher_and_student(tmp_path):
    weight, counter = {"weight": torch.ones(3, 2)}, torch.tensor(3)
    state = {f"network.{name}": value for name, value in weight.items()}
    state |= {f"teacher.{name}": 2 * value for name, value in weight.items()}
    path = written(tmp_path / "last.ckpt", state_dict=state | {"threshold.prior": counter})
    for which, value in ((None, 2), ("teacher", 2), ("student", 1)):
        assert list(read_segmenter(path, which).weights) == ["weight"]
        assert (read_segmenter(path, which).weights["weight"] == value).all()


def test_a_training_of_one_network_is_no_choice(tmp_path):
    path = written(tmp_path / "last.ckpt")
    for which in (None, "teacher", "student"):
        assert read_segmenter(path, which).weights.keys() == {"weight", "bias"}


def test_frozen_batch_norms_have_lost_their_counters(tmp_path):
    state = nn.BatchNorm1d(3).state_dict() | {"running_mean": torch.ones(3)}
    del state["num_batches_tracked"]
    path = written(
        tmp_path / "last.ckpt", state_dict={f"network.{name}": v for name, v in state.items()}
    )
    network = read_segmenter(path).build(lambda things, stuff: nn.BatchNorm1d(stuff))
    assert torch.equal(network.running_mean, torch.ones(3))
    assert network.num_batches_tracked == 0


LINEAR = {"class_path": "torch.nn.Linear", "init_args": {"bias": True}}


def test_a_file_knows_its_network(tmp_path):
    found = read_segmenter(written(tmp_path / "last.ckpt", network=LINEAR))
    assert found.network == NetworkSettings("torch.nn.Linear", {"bias": True})
    network = found.build()
    assert type(network) is nn.Linear
    assert torch.equal(network.weight, torch.ones(3, 2))
    assert not network.training


def test_arguments_of_the_network_may_change(tmp_path):
    weights = {"network.weight": torch.ones(3, 2)}
    found = read_segmenter(written(tmp_path / "last.ckpt", network=LINEAR, state_dict=weights))
    assert found.build(changes={"bias": False}).bias is None
    assert found.build(nn.Linear, {"bias": False}).bias is None
    with pytest.raises(UsageError, match=r"^cannot change colour of the network of .*last\.ckpt"):
        found.build(changes={"colour": "red"})


def test_a_file_of_an_earlier_version_asks_for_its_network(tmp_path):
    found = read_segmenter(written(tmp_path / "last.ckpt"))
    assert found.network is None
    with pytest.raises(WeightsError, match=r"last\.ckpt does not say .*init_args\.network CLASS"):
        found.build()


@pytest.mark.parametrize("network", [3, {"init_args": {}}, {"class_path": 1}, ["torch.nn.Linear"]])
def test_a_network_that_cannot_be_read(tmp_path, network):
    path = written(tmp_path / "last.ckpt", network=network)
    with pytest.raises(WeightsError, match="cannot read checkpoint"):
        read_segmenter(path)


def test_another_network(tmp_path):
    found = read_segmenter(written(tmp_path / "last.ckpt"))
    with pytest.raises(WeightsError, match=r"cannot load weights: .*last\.ckpt"):
        found.build(lambda things, stuff: nn.Linear(things, stuff, bias=False))


def test_how_it_was_chosen_is_supervision(tmp_path):
    found = read_segmenter(written(tmp_path / "best.ckpt", selection="val ground truth (val/pq)"))
    assert found.origin.supervision[1:] == (
        "network: chosen among checkpoints by val ground truth (val/pq)",
    )


def test_a_choice_without_ground_truth_is_a_note(tmp_path):
    found = read_segmenter(written(tmp_path / "agreed.ckpt", choice="train/agreement"))
    assert found.origin.notes[-1] == "network: chosen among checkpoints by train/agreement"
    assert not any("chosen" in sentence for sentence in found.origin.supervision)


@pytest.mark.parametrize(
    "content",
    [
        {"state_dict": {}},
        {"classes": 3, "state_dict": {}},
        {"classes": {"things": [1], "stuff": [0]}, "state_dict": {}, "notes": [5]},
    ],
)
def test_files_that_are_no_training(tmp_path, content):
    torch.save(content, tmp_path / "other.ckpt")
    with pytest.raises(WeightsError, match=r"cannot read checkpoint: .*other\.ckpt"):
        read_segmenter(tmp_path / "other.ckpt")


def test_a_network_that_diverged_is_refused(tmp_path):
    state = {"network.weight": torch.full((3, 2), torch.nan), "network.bias": torch.zeros(3)}
    path = written(tmp_path / "last.ckpt", state_dict=state)
    with pytest.raises(WeightsError, match=r"last\.ckpt \(NaN or infinite values in weight\)"):
        read_segmenter(path)


def test_code_is_not_run(tmp_path):
    class Harmful:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "harm"),))

    written(tmp_path / "last.ckpt", evaluation=Harmful())
    with pytest.raises(WeightsError):
        read_segmenter(tmp_path / "last.ckpt")
    assert not (tmp_path / "harm").exists()
