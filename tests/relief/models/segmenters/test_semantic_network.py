from __future__ import annotations

import torch

from relief.models.segmenters.semantic_network import SemanticNetwork
from relief.schema.training import Segmenter


class Brightness(SemanticNetwork):
    """Sees the normalised red channel at stride 1 as the logit of region 1."""

    def __init__(self):
        body = torch.nn.Identity()
        body.channels = (3, 3)
        super().__init__(body)
        self.body.forward = lambda image: (image, image)

    def head_logits(self, low, high):
        return torch.cat((torch.zeros_like(low[:, :1]), high[:, :1]), dim=1)


def test_images_are_normalised_with_the_statistics_of_imagenet():
    network: Segmenter = Brightness()
    image = torch.full((1, 3, 4, 6), 0.485 + 0.229)
    assert torch.allclose(network.logits(image)[:, 1], torch.ones(1, 4, 6))
    found = network.predict(image, (8, 12))
    assert found["semantic_logits"].argmax(dim=1).eq(1).all()
    assert found["detections"][0]["masks"].shape == (0, 8, 12)
