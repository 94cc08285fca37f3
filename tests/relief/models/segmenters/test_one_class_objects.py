import pytest
import torch

from relief.models.segmenters.embedding_network import EmbeddingNetwork
from relief.models.segmenters.encoders import SmallEncoder
from relief.models.segmenters.one_class_objects import OneClassObjects
from relief.schema.errors import ReadError
from relief.schema.training import Detections, SegmenterPrediction
from tests.contracts.network import NUM_REGIONS, NUM_THINGS, SIZE, NetworkContract, drawn_batch
from tests.relief.models.segmenters.test_boundary_network import small as boundaries


def embeddings(things, regions):
    return EmbeddingNetwork(things, regions, SmallEncoder((8, 16)), dim=4, widths=(8,))


class TestOneClassObjects(NetworkContract):
    def network(self):
        return OneClassObjects(NUM_THINGS, NUM_REGIONS, lambda things, regions: boundaries())


def test_the_detector_learns_one_class():
    asked = []
    network = OneClassObjects(2, 3, lambda *sizes: asked.append(sizes) or embeddings(*sizes))
    assert asked == [(1, 3)]
    seen = []
    network.network.forward = lambda batch, moment: seen.append(batch["classes"]) or {}
    network(drawn_batch(), None)
    assert [of_image.tolist() for of_image in seen[0]] == [[0, 0], []]


class Sees(torch.nn.Module):
    """Two objects, one of mostly the first thing class, one of the second."""

    value = 0.0

    def predict(self, image, size):
        logits = torch.zeros(1, 1 + NUM_REGIONS, *SIZE)
        logits[:, 2, :, :20], logits[:, 3, :, 20:] = 5, 5
        logits[:, 3, :5, :20] = 9  # few pixels, however sure
        logits += self.value
        masks = torch.zeros(2, *SIZE, dtype=torch.bool)
        masks[0, :, 30:], masks[1, :, :22] = True, True
        found = Detections(
            masks=masks, boxes=torch.zeros(2, 4), classes=torch.zeros(2, dtype=torch.int64),
            scores=torch.tensor([0.9, 0.8]),
        )  # fmt: skip
        return SegmenterPrediction(semantic_logits=logits, detections=[found])


def test_objects_are_named_by_what_is_seen_inside():
    network = OneClassObjects(NUM_THINGS, NUM_REGIONS, lambda *_: Sees())
    (found,) = network.predict(torch.rand(1, 3, *SIZE))["detections"]
    assert found["classes"].tolist() == [1, 0]
    assert found["scores"].tolist() == pytest.approx([0.9, 0.8])


def test_values_that_are_not_finite_are_refused():
    network = OneClassObjects(NUM_THINGS, NUM_REGIONS, lambda *_: Sees())
    network.network.value = float("nan")
    with pytest.raises(ReadError, match="not finite"):
        network.predict(torch.rand(1, 3, *SIZE))
