"""Whole steps on a pretended CUDA device: no devices mix, and the host seldom waits.

The bounds are what is counted today. A step that waits more often has to say why here.
"""

from types import SimpleNamespace

import pytest
import torch

from datamodules import training_samples
from lightning_modules.codebook_fitter import CodebookFitter
from lightning_modules.panoptic_segmenter import PanopticSegmenter
from lightning_modules.pseudo_labeler import PseudoLabeler
from lightning_modules.self_trainer import SelfTrainer
from lightning_modules.thing_finder import ThingFinder
from relief.metrics.panoptic_quality import MatchedPanopticQuality
from relief.models.augmentations.copy_paste import CopyPaste
from relief.models.augmentations.flip_and_crop import FlipAndCrop
from relief.models.augmentations.photometric import Photometric
from relief.models.augmentations.random_crop import RandomCrop
from relief.models.backbones.rgb_statistics import RGBStatistics
from relief.models.codebook_fitters.lloyd import LloydKMeans
from relief.models.codebooks.codebook import Codebook
from relief.models.codebooks.thing_rule import ThingRule
from relief.models.segmenters.prediction import test_time_augmentation
from relief.models.self_training.rounds import Rounds
from relief.models.teachers.mean_teacher import MeanTeacher
from relief.schema.geometry import WindowGeometry
from relief.schema.label_spaces import CITYSCAPES_19
from relief.schema.training import DetectorClasses, LabelOrigin
from relief.splitters.connected import ConnectedSplitter
from relief.splitters.depth_gradient import DepthGradientSplitter
from relief.splitters.stability import StabilitySplitter
from tests.fake_cuda import FakeCuda, on
from tests.relief.models.segmenters.test_panoptic_cascade import batch as training_batch
from tests.relief.models.segmenters.test_panoptic_cascade import small

GEOMETRIES = {322: WindowGeometry(322, 322, 161), 1022: WindowGeometry(1022, 322, 161)}


def drawn_images(number: int):
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(number, 3, 8, 16, generator=generator)
    image = image.repeat_interleave(16, -2).repeat_interleave(16, -1)
    return {
        "image": image, "key": [f"city/{index}" for index in range(number)],
        "depth": image[:, :1].contiguous(),
    }  # fmt: skip


def codebook_of(backbone, k=6) -> Codebook:
    codebook, things = Codebook(), torch.arange(k) % 2 == 0
    centroids = torch.randn(k, backbone.dim, generator=torch.Generator().manual_seed(1))
    codebook.fill(centroids, things, torch.where(things, torch.arange(k) // 2, -1))
    return codebook


class Brightness(torch.nn.Module):
    """Depth of a network without weights."""

    def relative_depth(self, image, size):
        return torch.nn.functional.adaptive_avg_pool2d(image.mean(1, keepdim=True), size)


@pytest.mark.parametrize(
    ("splitter", "waits", "short_side_px"),
    [
        (ConnectedSplitter(20), 5, 322),
        (DepthGradientSplitter(0.2, 20), 6, 322),
        (DepthGradientSplitter(0.2, 20), 6, 1022),
        (StabilitySplitter(), 6, 322),
    ],
    ids=["connected", "gradient", "many_windows", "stability"],
)
def test_labels_wait_a_few_times_an_image_whatever_the_number_of_windows(
    splitter, waits, short_side_px
):
    backbone, number = RGBStatistics(14), 2
    labeler = PseudoLabeler(
        backbone, codebook_of(backbone), splitter, geometry=GEOMETRIES[short_side_px],
        split_short_side_px=64,
    ).eval()  # fmt: skip
    expected = labeler.predict_step(drawn_images(number), 0)["records"]
    with FakeCuda() as device:
        labeler, batch = labeler.to("cuda"), on("cuda", drawn_images(number))
        device.waits.clear(), device.copies.clear()
        predicted = labeler.predict_step(batch, 0)
        assert not predicted["failures"]
        assert device.waits.total() <= waits * number, device.waits
        assert device.copies.total() <= 7 * number, device.copies
        for record, other in zip(predicted["records"], expected, strict=True):
            assert record.panoptic.is_cuda
            assert torch.equal(record.panoptic.cpu(), other.panoptic)
            assert other.panoptic[..., 1].max() > 1


def test_networks_that_look_at_several_images_at_once_are_waited_for_less():
    backbone, number = RGBStatistics(14), 4
    batch, waits = drawn_images(number), {}
    for images_per_call in (1, number):
        labeler = PseudoLabeler(
            backbone, codebook_of(backbone), DepthGradientSplitter(0.2, 20), Brightness(),
            geometry=GEOMETRIES[322], split_short_side_px=64, images_per_call=images_per_call,
        ).eval()  # fmt: skip
        with FakeCuda() as device:
            labeler, on_device = labeler.to("cuda"), on("cuda", batch)
            device.waits.clear()
            assert not labeler.predict_step(on_device, 0)["failures"]
            waits[images_per_call] = device.waits.total()
        labeler.to("cpu")
    assert waits[1] <= 6 * number, waits
    assert waits[number] <= 4 * number + 2, waits


def test_the_passes_of_a_codebook_wait_for_each_image_and_each_iteration():
    backbone, number = RGBStatistics(14), 2
    fitter = CodebookFitter(LloydKMeans(6), backbone, Codebook(), GEOMETRIES[322])
    finder = ThingFinder(ThingRule(), backbone, codebook_of(backbone), GEOMETRIES[322])
    fitter.begin(number, "train")
    trainer = SimpleNamespace(
        is_global_zero=True, datamodule=SimpleNamespace(fit_source=SimpleNamespace(split="train")),
        strategy=SimpleNamespace(barrier=lambda name: None, broadcast=lambda value: value),
    )  # fmt: skip
    fitter.trainer = finder.trainer = trainer
    with FakeCuda() as device:
        fitter.to("cuda"), finder.to("cuda")
        finder.on_predict_start()
        batch = on("cuda", drawn_images(number))
        for step, waits in ((fitter.predict_step, 2), (finder.predict_step, 8)):
            device.waits.clear()
            step(batch, 0)
            assert device.waits.total() <= waits * number, device.waits
        device.waits.clear()
        fitter.on_predict_epoch_end()
        assert max(device.waits.values()) <= 3 * 2 * 100  # three starts, iterations at most 100
        finder.on_predict_epoch_end()
    assert fitter.codebook.centroids.shape == (6, backbone.dim)
    assert finder.codebook.metadata["things"]["images"] == number


def test_metrics_wait_twice_an_image():
    generator = torch.Generator().manual_seed(0)
    category = torch.randint(-1, 4, (2, 8, 16, 2), generator=generator).clamp(min=0)
    maps = category.repeat_interleave(8, 1).repeat_interleave(8, 2)

    def measured(metric, device):
        metric.to(device).update(maps.to(device), maps.flip(1).to(device), ["a", "b"])
        return metric.compute()

    expected = measured(MatchedPanopticQuality(4, [2, 3], [0, 1], [2, 3]), "cpu")
    with FakeCuda() as device:
        metric = MatchedPanopticQuality(4, [2, 3], [0, 1], [2, 3])
        found = measured(metric, "cuda")
        for name, value in found.items():
            assert value.is_cuda
            assert torch.equal(value.cpu().nan_to_num(9), expected[name].nan_to_num(9)), name
        device.waits.clear()
        metric.update(maps.cuda(), maps.cuda(), ["c", "d"])
        assert device.waits.total() <= 2 * 2, device.waits


CLASSES = DetectorClasses(tuple(range(4)), tuple(range(4, 10)))


def train_on_device(model):
    """A step of a training with its update, and the waits of each of its parts."""
    model.trainer = SimpleNamespace(
        ckpt_path=None, strategy=SimpleNamespace(root_device=torch.device("cpu")),
        global_step=1, max_steps=10, accumulate_grad_batches=1, world_size=1, global_rank=0,
        precision_plugin=None,
        datamodule=SimpleNamespace(
            classes=CLASSES, label_space=CITYSCAPES_19, label_origin=LabelOrigin()
        ),
    )  # fmt: skip
    model.log_dict = lambda *values, **options: None
    model.configure_model()
    waits = {}
    with FakeCuda() as device:
        model.to("cuda").train()
        batch = on("cuda", training_batch())
        optimizer = model.configure_optimizers()
        before = next(p for p in model.network.parameters() if p.requires_grad).detach().cpu()

        def counted(part, work):
            device.waits.clear()
            result = work()
            waits[part] = device.waits.total()
            return result

        loss = counted("losses", lambda: model.training_step(batch, 0))
        counted("gradients", loss.backward)
        counted("check", lambda: model.on_before_optimizer_step(optimizer))
        counted("update", optimizer.step)
        after = next(p for p in model.network.parameters() if p.requires_grad).detach().cpu()
        assert loss.is_cuda
        assert not torch.equal(before, after)
        semantic, instance = batch["semantic"].clamp(max=3), batch["instance"]
        batch["target"] = torch.stack((semantic, instance), dim=-1)
        counted("validation", lambda: model.eval().validation_step(batch, 0))
        model.on_validation_epoch_end()
    return waits


def test_targets_are_made_of_labels_where_the_batch_is():
    generator = torch.Generator().manual_seed(0)
    category = torch.randint(-1, CLASSES.num_categories, (2, 8, 16), generator=generator)
    instance = torch.randint(0, 5, (2, 8, 16), generator=generator)
    labelled = {
        "image": torch.zeros(2, 3, 8, 16), "category": category, "instance": instance, "key": ["a"],
    }  # fmt: skip
    expected = training_samples.training_batch(labelled, CLASSES, ignore_unknown_things=True)
    with FakeCuda() as device:
        labelled = on("cuda", labelled)
        device.waits.clear()
        made = training_samples.training_batch(labelled, CLASSES, ignore_unknown_things=True)
        assert device.waits.total() <= 2 * 2, device.waits
        for name in ("semantic", "instance"):
            assert made[name].is_cuda
            assert torch.equal(made[name].cpu(), expected[name])
        assert [classes.tolist() for classes in made["classes"]] == [
            classes.tolist() for classes in expected["classes"]
        ]


AUGMENTATIONS = (CopyPaste(min_side_px=4, start_up_steps=None), Photometric())


def test_a_step_of_stage_2_stays_on_the_device():
    model = PanopticSegmenter(
        small, teacher=MeanTeacher(), augmentations=[FlipAndCrop((64, 128)), *AUGMENTATIONS]
    )
    waits = train_on_device(model)  # most of them in detectron2
    assert waits["losses"] <= 180
    assert waits["gradients"] + waits["check"] + waits["update"] <= 3
    assert waits["validation"] <= 190  # three images, the network and its average


def test_a_step_of_stage_3_stays_on_the_device(tmp_path):
    torch.manual_seed(0)
    content = {
        "state_dict": {f"network.{n}": value for n, value in small().state_dict().items()},
        "classes": {"things": CLASSES.things, "stuff": CLASSES.stuff},
        "supervision": [], "label_classes": None, "notes": [], "evaluation": {},
    }  # fmt: skip
    torch.save(content, tmp_path / "last.ckpt")
    model = SelfTrainer(
        tmp_path / "last.ckpt", small,
        views=test_time_augmentation.TestTimeAugmentation((1.0,), score_threshold=0.05),
        rounds=Rounds(score_threshold=0.05, score_step=0.0),
        augmentations=[*AUGMENTATIONS, RandomCrop((48, 64))],
    )  # fmt: skip
    waits = train_on_device(model)
    assert waits["losses"] <= 300  # the teacher's views of three images among them
    assert waits["gradients"] + waits["check"] + waits["update"] <= 3
    assert waits["validation"] <= 190
