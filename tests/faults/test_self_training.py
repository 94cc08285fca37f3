"""Fault 20 for self-training across domains: of classes, and of objects."""

import copy

import pytest
import yaml

import train
from tests.faults.test_training import trained
from tests.label_processes import fault
from tests.test_train import recipe, rows, weights  # noqa: F401
from tests.test_train_stage3 import assert_equal_states

pytestmark = pytest.mark.faults
STEPS = 6


def part(class_path, **init_args):
    return {"class_path": class_path, "init_args": init_args}


def segmenter(network, **model):
    """What both trainings share: a teacher that follows every step, crops, SGD with momentum."""
    teacher = part("relief.models.teachers.mean_teacher.MeanTeacher", decay=0.9, buffers="copied")
    crop = part("relief.models.augmentations.flip_and_crop.FlipAndCrop", size=[32, 64])
    optimizer = part("torch.optim.Adam", lr=1e-3)
    return {"network": network, "teacher": teacher, "augmentations": [crop], "optimizer": optimizer,
            **model}  # fmt: skip


@pytest.fixture(scope="module")
def self_training(recipe, tmp_path_factory):  # noqa: F811
    """`fit` with its arguments by name of the training; both begin with a network of two steps."""
    path, root = recipe
    folder = tmp_path_factory.mktemp("domains")
    base = yaml.safe_load(path.read_text())
    base["trainer"] |= {"max_steps": STEPS, "limit_val_batches": 0}
    labelled = copy.deepcopy(base["data"])
    labelled["init_args"] |= {"things_apart": True}
    deeplab = part(
        "relief.models.segmenters.deeplab.DeepLabV2",
        body=part("relief.models.segmenters.semantic_bodies.SmallBody", widths=[4, 4, 8], blocks=1),
        dilations=[1],
    )
    unet = part(
        "relief.models.segmenters.embedding_network.EmbeddingNetwork",
        encoder=part("relief.models.segmenters.encoders.SmallEncoder", widths=[8, 8, 8, 8]),
        dim=4, widths=[8, 8, 8],
    )  # fmt: skip
    own = "relief.models.criteria.own_losses.OwnLosses"
    embeddings = "relief.models.criteria.pixel_embeddings.PixelEmbeddings"
    clusters = "relief.splitters.embedding_clusters.EmbeddingClusters"
    images = part(
        "datamodules.unlabelled_images.UnlabelledImages",
        root=str(root), size=[64, 128], batch_size=1, num_workers=0,
    )  # fmt: skip
    trainings = {
        "classes": (
            segmenter(deeplab, criterion=part(own)),
            segmenter(
                deeplab,
                criterion=part(
                    "relief.models.criteria.domain_self_training.DomainSelfTraining", floor=0.05
                ),
                trained=part("relief.models.optimization.trained_parameters.FixedStatistics"),
            ),
            "lightning_modules.panoptic_segmenter.PanopticSegmenter",
            images,
        ),
        "objects": (
            segmenter(unet, criterion=part(embeddings)),
            segmenter(
                unet,
                criterion=part(embeddings, most_anchors=3),
                splitter=part(clusters, min_area_px=4),
                renewed_every_n_steps=3,
            ),
            "lightning_modules.object_self_trainer.ObjectSelfTrainer",
            labelled,
        ),
    }  # fmt: skip

    def write(name, model, data, steps=STEPS):
        file = folder / f"{name}.yaml"
        trainer = base["trainer"] | {"max_steps": steps}
        file.write_text(yaml.safe_dump(base | {"model": model, "data": data, "trainer": trainer}))
        return ["fit", "--config", str(file)]

    given = {}
    for name, (first, model, module, unlabelled) in trainings.items():
        begin = part("lightning_modules.panoptic_segmenter.PanopticSegmenter", **first)
        out = folder / f"begin_{name}"
        command = write(f"begin_{name}", begin, labelled, steps=2)
        assert train.main([*command, "--out", str(out)]) == 0
        checkpoint = str(out / "checkpoints" / "last.ckpt")
        pair = part("datamodules.domain_pair.DomainPair", labelled=labelled, unlabelled=unlabelled)
        given[name] = write(name, part(module, checkpoint=checkpoint, **model), pair)
    return given


@pytest.mark.parametrize("world_size", [1, 2])
@pytest.mark.parametrize("name", ["classes", "objects"])
def test_a_killed_self_training_ends_with_the_same_figures_and_weights(
    self_training, tmp_path, name, world_size
):
    whole, out = tmp_path / "whole", tmp_path / "out"
    ddp = ("--trainer.strategy", "ddp") if world_size > 1 else ()
    fit = [*self_training[name], *ddp]
    code, said = trained([*fit, "--out", str(whole)], tmp_path / "a", world_size)
    assert code == 0, said
    killed = [*fit, "--out", str(out), *fault("kill", rank=-1, at=5, in_pass="train")]
    assert trained(killed, tmp_path / "b", world_size)[0] == 128 + 9
    assert weights(out)["global_step"] == 4
    code, said = trained([*fit, "--out", str(out)], tmp_path / "c", world_size)
    assert code == 0, said
    assert "going on from" in said
    assert_equal_states(weights(out), weights(whole))
    assert len(rows(whole)) == STEPS
    assert (out / "metrics.csv").read_bytes() == (whole / "metrics.csv").read_bytes()
