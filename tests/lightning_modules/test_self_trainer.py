"""Self-training of a network of a few weights, step by step."""

import copy
from functools import partial
from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from lightning_modules.self_trainer import SelfTrainer
from relief.models.optimization.trained_parameters import NamedParameters
from relief.models.self_training.rounds import Rounds
from relief.models.self_training.semantic_thresholds import ClassAdaptiveThreshold
from relief.models.teachers.mean_teacher import MeanTeacher
from relief.schema.errors import TrainingDivergedError, WeightsError
from relief.schema.label_spaces import CITYSCAPES_19
from relief.schema.training import Augmentation, Detections, SegmenterPrediction
from relief.schema.training_parts import Criterion

CLASSES = {"things": (3,), "stuff": (0, 1, 2)}
SIZE = (8, 16)


class Tiny(nn.Module):
    """A body with batch norm, and a semantic head with a norm of its own."""

    def __init__(self, num_things, num_stuff):
        super().__init__()
        self.body = nn.Conv2d(3, 4, 3, padding=1)
        self.body_norm = nn.BatchNorm2d(4)
        self.head = nn.Conv2d(4, num_stuff + 1, 1)
        self.head_norm = nn.GroupNorm(1, num_stuff + 1)
        self.learned_from = []

    def setup(self):
        raise AssertionError("weights come from the checkpoint")

    def predict(self, image, size=None):
        raise AssertionError("the teacher is asked through its views")

    def logits(self, image):
        return self.head_norm(self.head(self.body_norm(self.body(image)).relu()))

    def forward(self, batch, moment):
        self.learned_from.append(batch)
        logits = self.logits(batch["image"])
        return {"loss_sem_seg": F.cross_entropy(logits, batch["semantic"], ignore_index=-1)}


class OneLook:
    """In place of test-time augmentation: the network's own logits, two objects of 0.72 and 0.9."""

    def __init__(self):
        self.seen = []

    def __call__(self, network, image, size=None):
        assert not network.training
        assert not torch.is_grad_enabled()
        self.seen.append(image)
        masks = torch.zeros(2, *SIZE, dtype=torch.bool)
        masks[0, :2, :2] = masks[1, 4:, 4:] = True
        found = Detections(
            masks=masks,
            boxes=torch.tensor([[0.0, 0, 2, 2], [4, 4, 16, 8]]),
            classes=torch.zeros(2, dtype=torch.int64),
            scores=torch.tensor([0.72, 0.9]),
        )
        return SegmenterPrediction(
            semantic_logits=network.logits(image).float(), detections=[found] * len(image)
        )


class Darker(Augmentation):
    def __call__(self, batch, moment):
        return {**batch, "image": batch["image"] / 2}


class Noise(Dataset):
    def __len__(self):
        return 64

    def __getitem__(self, index):
        image = torch.rand(3, *SIZE, generator=torch.Generator().manual_seed(index))
        return {"image": image, "key": str(index)}


def collate(samples):
    return {
        "image": torch.stack([s["image"] for s in samples]),
        "key": [s["key"] for s in samples],
    }


class Images(pl.LightningDataModule):
    label_space = CITYSCAPES_19

    def train_dataloader(self):
        return DataLoader(Noise(), batch_size=2, collate_fn=collate)


@pytest.fixture
def stage2(tmp_path):
    torch.manual_seed(3)
    network = Tiny(1, 3)
    network.logits(torch.rand(4, 3, *SIZE))  # the batch norm has statistics
    content = {
        "state_dict": {f"network.{name}": value for name, value in network.state_dict().items()},
        "classes": CLASSES, "supervision": ["labels: by hand"], "label_classes": "cityscapes19",
        "notes": ["drawn by hand"], "codebook": "ab12",
        "selection": "val ground truth (val/pq)",
    }  # fmt: skip
    torch.save(content, tmp_path / "stage2.ckpt")
    return tmp_path / "stage2.ckpt"


def adamw(weight_decay=1e-5):
    return partial(torch.optim.AdamW, lr=0.05, weight_decay=weight_decay)


def self_trainer(checkpoint, **options):
    options = {"optimizer": adamw(), "views": OneLook()} | options
    return SelfTrainer(checkpoint, Tiny, **options)


def fit(model, steps, *watching, **options):
    trainer = pl.Trainer(
        max_steps=steps, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, callbacks=list(watching), **options,
    )  # fmt: skip
    trainer.fit(model, datamodule=Images())
    return trainer


def values(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


class Watch(pl.Callback):
    """Both networks before the training and after every optimizer step, as they are then."""

    def __init__(self):
        self.student, self.teacher = [], []

    def note(self, model):
        self.student.append(values(model.network))
        self.teacher.append(values(model.teacher))

    def on_train_start(self, trainer, pl_module):
        self.note(pl_module)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if len(self.student) <= trainer.global_step:
            self.note(pl_module)


def test_both_begin_as_the_checkpoint(stage2):
    watch = Watch()
    fit(self_trainer(stage2), 1, watch)
    stored = torch.load(stage2, weights_only=True)["state_dict"]
    for name, value in watch.teacher[0].items():
        assert torch.equal(value, stored[f"network.{name}"]), name
        assert torch.equal(value, watch.student[0][name]), name


@pytest.mark.parametrize("accumulated", [1, 3])
def test_the_teacher_follows_optimizer_steps_by_the_closed_form(stage2, accumulated):
    """t_n = d^n t_0 + (1 - d) sum_i d^(n - i) s_i, whatever is accumulated."""
    watch, decay, steps = Watch(), 0.9, 5
    model = self_trainer(stage2, teacher=MeanTeacher(decay))
    fit(model, steps, watch, accumulate_grad_batches=accumulated)
    assert len(model.views.seen) == steps * accumulated
    assert len(watch.student) == steps + 1
    for name, found in values(model.teacher).items():
        expected = decay**steps * watch.teacher[0][name].double()
        for step in range(1, steps + 1):
            share = (1 - decay) * decay ** (steps - step)
            expected = expected + share * watch.student[step][name].double()
        assert torch.allclose(found.double(), expected, rtol=0, atol=1e-6), name
    assert not torch.equal(watch.student[1]["head.weight"], watch.student[-1]["head.weight"])


def test_a_step_that_is_not_made_is_not_averaged(stage2):
    model = self_trainer(stage2)
    model.trainer = SimpleNamespace(ckpt_path=None, datamodule=Images())
    model.configure_model()
    optimizer = model.configure_optimizers()
    with torch.no_grad():
        model.network.head.bias += 1
    before = values(model.teacher)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    scaler.scale(model.network.head.bias.sum() * torch.inf).backward()
    scaler.step(optimizer)  # infinite gradients: skipped
    assert all(torch.equal(before[name], value) for name, value in values(model.teacher).items())


def test_only_the_head_learns_and_the_rest_costs_nothing(stage2):
    model, watch = self_trainer(stage2), Watch()
    fit(model, 3, watch)
    learning = {name for name, p in model.network.named_parameters() if p.requires_grad}
    assert learning == {"head.weight", "head.bias"}
    assert not any(p.requires_grad for p in model.teacher.parameters())
    for name, parameter in model.network.named_parameters():
        assert (parameter.grad is None) == (name not in learning), name
    moved = {
        name
        for name, value in watch.student[-1].items()
        if not torch.equal(value, watch.student[0][name])
    }
    assert moved == learning
    assert "running_mean" in {name.split(".")[-1] for name in watch.student[0]}
    features = model.network.body_norm(model.network.body(torch.rand(1, 3, *SIZE)))
    assert not features.requires_grad


def test_the_teacher_sees_clean_images_and_the_student_noise(stage2):
    model = self_trainer(stage2, augmentations=[Darker()])
    fit(model, 2)
    assert len(model.views.seen) == 2
    for clean, batch in zip(model.views.seen, model.network.learned_from, strict=True):
        own = torch.stack([Noise()[int(key)]["image"] for key in batch["key"]])
        assert torch.equal(clean, own)
        assert torch.equal(batch["image"], own / 2)


class Whole(Tiny):
    """Predicts regions and one object at once, as any panoptic network can."""

    def predict(self, image, size):
        mask = torch.zeros(1, *size, dtype=torch.bool)
        mask[:, :4, :4] = True
        found = Detections(
            masks=mask, boxes=torch.tensor([[0.0, 0, 4, 4]]), classes=torch.tensor([0]),
            scores=torch.tensor([0.9]),
        )  # fmt: skip
        logits = F.interpolate(self.logits(image), size)
        return SegmenterPrediction(semantic_logits=logits, detections=[found] * len(image))


def test_a_network_without_steps_teaches_itself_in_the_same_views(stage2):
    model = SelfTrainer(stage2, Whole, optimizer=adamw(), rounds=Rounds(score_threshold=0.5))
    fit(model, 2)
    for batch in model.network.learned_from:
        assert [classes.tolist() for classes in batch["classes"]] == [[0, 0], [0, 0]]
        assert (batch["instance"][:, :4, :4] > 0).all()  # and mirrored, on the right
        assert (batch["instance"][:, :4, -4:] > 0).all()
        assert (batch["instance"] > 0).sum() == 2 * 2 * 16


def test_what_is_lost_trained_and_how_fast_is_chosen(stage2):
    class OfTheMoment(Criterion):
        def __init__(self):
            self.moments = []

        def __call__(self, network, batch, moment):
            self.moments.append(moment)
            return {"loss_own": network.logits(batch["image"]).square().mean()}

    criterion, watch = OfTheMoment(), Watch()
    model = self_trainer(
        stage2, criterion=criterion, trained=NamedParameters(("body",)),
        optimizer=partial(torch.optim.SGD, lr=1.0), schedule=lambda step, total: 0.1 * total,
    )  # fmt: skip
    trainer = fit(model, 3, watch)
    assert [(moment.step, moment.total) for moment in criterion.moments] == [(0, 3), (1, 3), (2, 3)]
    assert all(moment.teacher is model.teacher for moment in criterion.moments)
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(0.3)
    moved = {
        name
        for name, value in watch.student[-1].items()
        if not torch.equal(value, watch.student[0][name])
    }
    assert moved == {"body.weight", "body.bias"}


def test_targets_are_what_the_teacher_is_sure_of(stage2):
    model = self_trainer(stage2, rounds=Rounds(steps=1, score_threshold=0.7, score_step=0.05))
    fit(model, 2)
    first, second = model.network.learned_from
    assert [len(classes) for classes in first["classes"]] == [2, 2]  # 0.72 and 0.9
    assert [len(classes) for classes in second["classes"]] == [1, 1]  # 0.9 only
    assert second["instance"].unique().tolist() == [0, 1]
    assert (second["instance"][:, 4:, 4:] == 1).all()
    assert first["semantic"].min() >= -1
    assert first["semantic"].max() <= 3
    assert first["key"] == ["0", "1"]


def test_every_round_but_the_first_begins_with_a_copy_of_the_student(stage2):
    watch = Watch()
    fit(self_trainer(stage2, rounds=Rounds(steps=2), teacher=MeanTeacher(1.0)), 5, watch)
    start = [teacher["head.weight"] for teacher in watch.teacher]
    student = [one["head.weight"] for one in watch.student]
    for step, expected in ((1, start[0]), (2, start[0]), (3, student[2]), (4, student[2]), (5, student[4])):  # fmt: skip  # noqa: E501
        assert torch.equal(start[step], expected), step
    watch = Watch()
    published = Rounds(steps=2, refresh_teacher=False, score_step=0.0)
    fit(self_trainer(stage2, rounds=published, teacher=MeanTeacher(1.0)), 5, watch)
    assert torch.equal(watch.teacher[-1]["head.weight"], start[0])


def test_one_step_is_adamw_on_the_gradient_of_the_head(stage2):
    model = self_trainer(stage2, optimizer=adamw(0.1))
    fit(model, 1)
    (batch,) = model.network.learned_from
    network = Tiny(1, 3)
    stored = torch.load(stage2, weights_only=True)["state_dict"]
    network.load_state_dict({n.removeprefix("network."): v for n, v in stored.items()})
    network.eval()
    optimizer = torch.optim.AdamW(network.head.parameters(), lr=0.05, weight_decay=0.1)
    sum(network(batch, None).values()).backward()
    optimizer.step()
    assert torch.allclose(model.network.head.weight, network.head.weight, atol=1e-6)


class Diverging(Tiny):
    """From its third step on a loss or a gradient is not finite."""

    fault = ""

    def forward(self, batch, moment):
        losses = super().forward(batch, moment)
        weight = self.head.weight.sum()
        if len(self.learned_from) > 2 and self.fault == "loss":
            losses["loss_box"] = weight * float("nan")
        elif len(self.learned_from) > 2:
            losses["loss_box"] = (weight * 0).sqrt()  # 0, with a gradient of 0 times infinity
        return losses


@pytest.mark.parametrize(
    ("fault", "told"), [("loss", r"the loss \(loss_box\)"), ("gradient", "a gradient")]
)
def test_a_loss_or_gradient_that_is_not_finite_stops_before_the_optimizer_moves(
    stage2, monkeypatch, fault, told
):
    monkeypatch.setattr(Diverging, "fault", fault)
    model, watch = SelfTrainer(stage2, Diverging, views=OneLook(), optimizer=adamw()), Watch()
    with pytest.raises(
        TrainingDivergedError, match=rf"^{told} is not finite at step 2.*: the weights"
    ):
        fit(model, 5, watch)
    assert model.global_step == 2
    for name, value in model.network.named_parameters():
        assert torch.equal(value, watch.student[-1][name]), name


def test_a_teacher_that_is_not_finite_teaches_nothing(stage2):
    class Blind(OneLook):
        def __call__(self, network, image, size=None):
            seen = super().__call__(network, image, size)
            seen["semantic_logits"][:, :, 0, 0] = float("nan")
            return seen

    with pytest.raises(
        TrainingDivergedError, match=r"^the teacher is not finite at step 0 \(images "
    ):
        fit(self_trainer(stage2, views=Blind()), 1)


def saved(model):
    checkpoint = {}
    model.on_save_checkpoint(checkpoint)
    return checkpoint | {"state_dict": model.state_dict()}


def test_classes_and_provenance_travel_on(stage2):
    model = self_trainer(stage2, semantic_threshold=ClassAdaptiveThreshold())
    fit(model, 2)
    checkpoint = saved(model)
    assert checkpoint["classes"] == {**CLASSES, "apart": False}
    assert checkpoint["label_classes"] == "cityscapes19"
    assert checkpoint["supervision"] == (
        "labels: by hand",
        "network: chosen among checkpoints by val ground truth (val/pq)",
    )
    assert checkpoint["notes"] == ("drawn by hand",)
    assert checkpoint["codebook"] == "ab12"
    assert checkpoint["state_dict"]["semantic_threshold.prior"].shape == (4,)
    heads = {name.split(".")[0] for name in checkpoint["state_dict"]}
    assert heads == {"network", "teacher", "semantic_threshold"}


@pytest.mark.parametrize("which", [None, "teacher", "student"])
def test_another_round_of_self_training_begins_with_one_of_both(stage2, tmp_path, which):
    model = self_trainer(stage2)
    fit(model, 2)
    torch.save(saved(model), tmp_path / "stage3.ckpt")
    after = self_trainer(tmp_path / "stage3.ckpt", which=which)
    watch = Watch()
    fit(after, 1, watch)
    source = model.network if which == "student" else model.teacher
    for started in (watch.student[0], watch.teacher[0]):
        assert torch.equal(started["head.weight"], source.head.weight)
    assert after.label_origin == model.label_origin


def test_a_checkpoint_of_stage_2_cannot_be_gone_on_from(stage2, tmp_path):
    content = torch.load(stage2, weights_only=True) | {"pytorch-lightning_version": "2.6.0"}
    torch.save(content, stage2)
    trainer = pl.Trainer(
        max_steps=1, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    with pytest.raises(WeightsError, match=r"^no checkpoint of a self-training: .*stage2\.ckpt"):
        trainer.fit(self_trainer(stage2), datamodule=Images(), ckpt_path=str(stage2))


def test_a_missing_checkpoint_is_told_without_data(tmp_path):
    with pytest.raises(WeightsError, match=r"^no checkpoint: .*none\.ckpt.*`python train\.py`"):
        self_trainer(tmp_path / "none.ckpt").find_start()


def test_student_and_teacher_are_apart(stage2):
    model = self_trainer(stage2)
    fit(model, 1)
    teacher = copy.deepcopy(model.teacher.state_dict())
    with torch.no_grad():
        model.network.head.weight += 1
    assert torch.equal(model.teacher.head.weight, teacher["head.weight"])
