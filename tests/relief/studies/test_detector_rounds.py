import pytest
import yaml

from relief.schema.errors import UsageError
from relief.studies import detector_rounds as module
from relief.studies.detector_rounds import RoundsRequest, objects_per_image, rounds_of, run_rounds
from tests.relief.studies.tiny import draw_store

REQUEST = {
    "labels": "L", "checkpoint": "C.ckpt", "label_config": "label.yaml",
    "train_config": "train.yaml", "rounds": 3, "keep_scores": [0.7, 0.65],
}  # fmt: skip


def value(command, option):
    return command[command.index(option) + 1]


def test_each_round_begins_where_the_one_before_ends(tmp_path):
    rounds = rounds_of(RoundsRequest(**REQUEST, out="O"))
    assert [one.number for one in rounds] == [1, 2, 3]
    labels, checkpoint = "L", "C.ckpt"
    for one, score in zip(rounds, ("0.7", "0.65", "0.65"), strict=True):
        (label, label_args, _), (train, train_args, _) = one.commands
        assert (label, train) == ("label.py", "train.py")
        assert value(label_args, "--model.init_args.parent") == labels
        assert value(label_args, "--model.init_args.checkpoint") == checkpoint
        assert value(label_args, "--model.init_args.keep_score") == score
        assert value(train_args, "--model.init_args.checkpoint") == checkpoint
        labels = value(label_args, "--out")
        assert value(train_args, "--data.init_args.labels.init_args.out") == labels
        checkpoint = f"O/round_{one.number}/detector/checkpoints/last.ckpt"
        assert value(train_args, "--out") == f"O/round_{one.number}/detector"


def test_rounds_run_in_order_and_are_measured(tmp_path, monkeypatch):
    config = {**REQUEST, "rounds": 1, "measure_labels": "m.yaml", "measure": ["--root", "R"]}
    (tmp_path / "rounds.yaml").write_text(yaml.safe_dump({**config, "out": str(tmp_path)}))
    draw_store(tmp_path / "round_1" / "labels")
    ran, said = [], []
    monkeypatch.setattr(
        module, "run_scripts", lambda script, commands, say, what: ran.append((script, *commands))
    )
    assert run_rounds(["--config", str(tmp_path / "rounds.yaml")], said.append) == 0
    assert [script for script, _ in ran] == ["label.py", "train.py", "label.py", "evaluate.py"]
    assert ran[3][1][:5] == ["instances", "--labels", f"{tmp_path}/round_1/measured", "--root", "R"]
    assert said == ["round 1: 5.0 objects an image to learn from"]


def test_nothing_to_do_is_told_and_objects_are_counted(tmp_path):
    with pytest.raises(UsageError, match="rounds=0"):
        rounds_of(RoundsRequest(**{**REQUEST, "rounds": 0}))
    assert objects_per_image(draw_store(tmp_path)) == 5
