import pytest
import torch

from relief.models.segmenters.embedding_network import EmbeddingNetwork
from relief.models.segmenters.encoders import SmallEncoder
from relief.schema.errors import ReadError, UsageError
from tests.contracts.network import NUM_REGIONS, NUM_THINGS, SIZE, NetworkContract, drawn_batch


def small():
    return EmbeddingNetwork(NUM_THINGS, NUM_REGIONS, SmallEncoder((8, 16)), dim=4, widths=(8,))


class TestEmbeddingNetwork(NetworkContract):
    num_logits = 1  # it knows no classes: all is one region of things

    def network(self):
        return small()


@pytest.mark.parametrize("size", [SIZE, (31, 45)])
def test_every_pixel_of_the_finest_map_has_an_embedding_of_any_sign(size):
    embedding = small().embed(torch.rand(2, 3, *size))
    assert embedding.shape == (2, 4, -(-size[0] // 2), -(-size[1] // 2))
    assert embedding.requires_grad
    assert (embedding < 0).any()
    assert (embedding > 0).any()


def test_brightness_and_contrast_of_an_image_do_not_matter():
    network, image = small(), torch.rand(1, 3, *SIZE)
    assert torch.allclose(network.embed(image), network.embed(0.5 * image + 0.2), atol=0.05)


def test_an_object_is_what_lies_together_among_the_embeddings():
    network = small()
    network.embed = lambda image: torch.stack(
        [torch.where(torch.arange(32) < 10, 0.0, 3.0).expand(4, 24, 32)] * len(image)
    )
    (found,) = network.predict(drawn_batch()["image"][:1])["detections"]
    masks, boxes = found["masks"], found["boxes"]
    assert sorted(masks.flatten(1).sum(dim=1).tolist()) == [48 * 20, 48 * 44]
    assert sorted(boxes.tolist()) == [[0, 0, 20, 48], [20, 0, 64, 48]]
    assert found["scores"].tolist() == [1.0, 1.0]


def test_values_that_are_not_finite_are_refused_and_widths_that_do_not_fit():
    network = small()
    network.head.weight.data.fill_(float("nan"))
    with pytest.raises(ReadError, match="not finite"):
        network.predict(drawn_batch()["image"])
    with pytest.raises(UsageError, match="3 maps to join"):
        EmbeddingNetwork(widths=(8,))
