import pytest
import torch

from lightning_modules.depth_objects_labeler import DepthObjectsLabeler
from relief.models.confidence.mirror_agreement import MirrorAgreement
from relief.models.confidence.nearest_cluster import NearestCluster
from relief.models.confidence.product import Product
from relief.models.confidence.upper_edge import UpperEdge
from relief.models.labelling.leftovers import BestStuff
from relief.models.segmenters.prediction.predictor import PanopticPredictor
from relief.schema.errors import UsageError
from relief.schema.manifest import ManifestInputs
from relief.schema.training import SegmenterPrediction
from relief.splitters.connected import ConnectedSplitter
from relief.splitters.depth_gradient import DepthGradientSplitter
from tests.lightning_modules.test_segmenter_labeler import CLASSES, Painter, checkpoint

APART = {**CLASSES, "apart": True}  # regions 1, 2, 3 are the stuff 0, 2, 4; 4 and 5 the things 3, 1


class Namer(Painter):
    """Sees thing 3 on the upper half but for a corner of thing 1, stuff 2 below."""

    def predict(self, image, size):
        logits = torch.zeros(len(image), self.weight.shape[1] + 1, *size)
        logits[:, 0] = 9  # what all things share is unused where they are apart
        logits[:, 2] = 1
        logits[:, 4, : size[0] // 2] = 2
        logits[:, 5, :4, :4] = 3
        return SegmenterPrediction(semantic_logits=logits, detections=[])


def labeler(path, splitter, **options):
    made = DepthObjectsLabeler(
        path,
        splitter,
        Namer,
        split_short_side_px=32,
        predictor=PanopticPredictor(short_side_px=16),
        **options,
    )
    made.load_weights()
    return made


@pytest.fixture
def path(tmp_path):
    state = {"network.weight": torch.ones(2, 5)}
    return checkpoint(tmp_path / "last.ckpt", classes=APART, state_dict=state)


def test_depth_parts_what_the_network_names(path):
    model = labeler(path, DepthGradientSplitter(0.5, 20, sigma=0.5))
    depth = torch.full((1, 1, 32, 64), 0.2)
    depth[..., 32:] = 0.9
    record = model.label(torch.rand(3, 32, 64), depth)
    left, right = record.panoptic[:16, :28], record.panoptic[:16, 36:]
    assert left.unique(dim=0).reshape(-1, 2).unique(dim=0).tolist() == [[3, int(left[0, 0, 1])]]
    assert right.reshape(-1, 2).unique(dim=0).tolist() == [[3, int(right[0, 0, 1])]]
    assert {int(left[0, 0, 1]), int(right[0, 0, 1])} == {1, 2}
    assert (record.panoptic[16:] == torch.tensor([2, 0])).all()
    assert (record.semantic[:4, :4] == 1).all()


def test_what_no_object_takes_becomes_the_stuff_that_the_network_saw_next(path):
    splitter = ConnectedSplitter(10**6)
    image = torch.rand(3, 32, 64)
    assert (labeler(path, splitter).label(image, None).panoptic[:16, 5:, 1] == 0).all()
    filled = labeler(path, splitter, leftovers=BestStuff()).label(image, None).panoptic
    assert (filled == torch.tensor([2, 0])).all()


def test_the_manifest_has_one_region_and_tells_of_depth(path):
    model = labeler(path, ConnectedSplitter(1))
    made = {"supervision": ["none, drawn"], "weights": {}, "threshold": 3}
    manifest = model.manifest(ManifestInputs({"model": 1}, ["a"], made))
    assert manifest.groups == (-1, 0, -1, 0, -1)
    assert manifest.supervision == ("depth: none, drawn",)
    assert manifest.parts == {"model": 1, "depth_files": {"threshold": 3}}


def test_missing_depth_and_networks_without_names_of_things_are_refused(path, tmp_path):
    model = labeler(path, DepthGradientSplitter(0.5, 20))
    model.expect(has_depth=True)
    with pytest.raises(UsageError, match="DepthGradientSplitter needs depth"):
        model.expect(has_depth=False)
    shared = checkpoint(tmp_path / "shared.ckpt")
    with pytest.raises(UsageError):
        labeler(shared, ConnectedSplitter(1))


def test_confidence_comes_from_depth_and_the_mirror_image_but_never_from_features(path):
    parts = Product([UpperEdge(), MirrorAgreement()])
    model = labeler(path, DepthGradientSplitter(0.5, 20, sigma=0.5), confidence=parts)
    depth = torch.full((1, 1, 32, 64), 0.2)
    depth[..., :16, 32:] = 0.9
    plain = labeler(path, model.splitter).label(torch.rand(3, 32, 64), depth)
    record = model.label(torch.rand(3, 32, 64), depth)
    assert torch.equal(record.panoptic, plain.panoptic)
    assert plain.confidence is None
    assert record.confidence.shape == (32, 64)
    assert 0 <= record.confidence.min() < record.confidence.max() <= 1
    told = model.manifest(ManifestInputs({"model": 1}, ["a"], {"supervision": [], "weights": {}}))
    assert told.confidence == parts.name
    with pytest.raises(UsageError, match="NearestCluster needs features"):
        labeler(path, ConnectedSplitter(1), confidence=NearestCluster()).expect(has_depth=True)
