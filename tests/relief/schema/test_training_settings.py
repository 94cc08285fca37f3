import copy

import pytest

from relief.schema.errors import UsageError
from relief.schema.training_settings import (
    deciding_settings,
    refuse_other_order,
    training_differences,
)


class Trained:
    free_arguments = frozenset({"predictor"})


class Predicting(Trained):
    free_arguments = frozenset()


class Data:
    free_arguments = frozenset({"root"})


class Flip:
    pass


HERE = __name__
FLIP = f"{HERE}.Flip"
CONFIG = {
    "trainer": {"max_steps": 8, "precision": "32", "devices": 1, "gradient_clip_val": None},
    "model": {
        "class_path": f"{HERE}.Trained",
        "init_args": {
            "seed": 0, "augmentations": [{"class_path": FLIP, "init_args": {"p": 0.5}}],
            "predictor": {"short_side_px": 192}, "drop": None,
        },
    },
    "data": {
        "class_path": f"{HERE}.Data",
        "init_args": {"root": "x", "size": [64, 128], "batch_size": 2},
    },
    "label_runs": {"out": []},
}  # fmt: skip


def changed(path, value, start=CONFIG):
    config = copy.deepcopy(start)
    *parents, last = path.split(".")
    inner = config
    for name in parents:
        inner = inner[int(name)] if isinstance(inner, list) else inner[name]
    inner[last] = value
    return training_differences(*(deciding_settings(c) for c in (start, config)))


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        ("model.init_args.seed", 1, "model.init_args.seed=0, this run has 1"),
        ("model.init_args.drop", 0.4, "model.init_args.drop=null, this run has 0.4"),
        (
            "model.init_args.drop",
            {"class_path": FLIP},
            'drop=null, this run has {"class_p',
        ),
        (
            "model.class_path",
            FLIP,
            f"class_path={HERE}.Trained, this run has {FLIP}",
        ),
        ("model.init_args.augmentations.0.init_args.p", 0.1, "augmentations.0.init_args.p=0.5, "),
        ("model.init_args.augmentations", [], "model.init_args.augmentations="),
        ("data.init_args.size", [32, 64], "data.init_args.size.0=64, this run has 32"),
        ("data.init_args.batch_size", 4, "data.init_args.batch_size=2, this run has 4"),
        ("trainer.precision", "bf16", "trainer.precision=32, this run has bf16"),
        ("trainer.gradient_clip_val", 1.0, "trainer.gradient_clip_val=null, this run has 1.0"),
    ],
)
def test_what_decides_the_weights(path, value, line):
    assert line in changed(path, value)[0]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("trainer.max_steps", 9),
        ("trainer.callbacks", []),
        ("trainer.devices", "auto"),
        ("model.init_args.predictor", {"short_side_px": 512}),
        ("data.init_args.root", "y"),
        ("label_runs", {}),
        ("model.init_args.new", 3),
    ],
)
def test_what_does_not(path, value):
    assert changed(path, value) == []


def test_a_predictor_decides_where_the_module_does_not_only_measure_with_it():
    path = "model.init_args.predictor.short_side_px"
    assert changed(path, 512) == []
    predicting = copy.deepcopy(CONFIG)
    predicting["model"]["class_path"] = f"{HERE}.Predicting"
    assert changed(path, 512, predicting) == [f"{path}=192, this run has 512"]


def test_the_same_is_the_same():
    settings = deciding_settings(CONFIG)
    assert "root" not in settings["data"]["init_args"]
    assert training_differences(settings, copy.deepcopy(settings)) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_epochs", 3),
        ("limit_train_batches", 2),
        ("limit_train_batches", 1),
        ("limit_train_batches", 0.5),
        ("overfit_batches", 2),
        ("overfit_batches", 0.1),
        ("reload_dataloaders_every_n_epochs", 1),
        ("use_distributed_sampler", True),
        ("fast_dev_run", True),
        ("fast_dev_run", 3),
        ("callbacks", [{"class_path": "A"}, {"class_path": "lightning.BatchSizeFinder"}]),
        ("callbacks", {"class_path": "lightning.GradientAccumulationScheduler"}),
    ],
)
def test_options_that_change_which_images_a_step_sees_are_refused(name, value):
    with pytest.raises(UsageError, match=f"^trainer.{name}.* changes which images a step sees"):
        refuse_other_order({"max_steps": 3, name: value})


@pytest.mark.parametrize("steps", [None, -1, 0])
def test_a_training_without_steps_is_refused(steps):
    with pytest.raises(UsageError, match=r"^trainer\.max_steps=.* Give --trainer\.max_steps N"):
        refuse_other_order({"max_steps": steps})


def test_options_that_leave_the_order_alone():
    neutral = {"limit_train_batches": 1.0, "overfit_batches": 0.0, "fast_dev_run": False}
    neutral |= {"max_epochs": -1, "callbacks": [{"class_path": "A"}], "limit_val_batches": 2}
    refuse_other_order({"max_steps": 1, **neutral})
    refuse_other_order({"max_steps": 1, "limit_train_batches": None, "callbacks": None})
