"""What every panoptic network must do; its test inherits this class and makes `network`."""

import pytest
import torch
from torch import nn

from relief.schema.training import TrainingMoment
from tests.fake_cuda import FakeCuda, on

NUM_THINGS, NUM_REGIONS = 2, 3
SIZE = (48, 64)


def drawn_batch():
    """Two images of two objects, the second one without any."""
    generator = torch.Generator().manual_seed(3)
    instance = torch.zeros(2, *SIZE, dtype=torch.int64)
    instance[0, 8:32, 4:30], instance[0, 20:44, 36:60] = 1, 2
    semantic = torch.randint(-1, NUM_REGIONS + 1, (2, *SIZE), generator=generator)
    return {
        "image": torch.rand(2, 3, *SIZE, generator=generator),
        "semantic": torch.where(instance > 0, 0, semantic), "instance": instance,
        "classes": [torch.tensor([1, 0]), torch.zeros(0, dtype=torch.int64)], "key": ["a", "b"],
    }  # fmt: skip


def moment(network, step=2):
    return TrainingMoment(step=step, predict=network.predict, total=10)


class NetworkContract:
    """Losses can be minimised; predictions have shapes that others merge, and change nothing.

    Attributes:
        num_logits: Channels of the semantic logits; 1 of a network without classes.
    """

    num_logits = 1 + NUM_REGIONS

    def network(self) -> nn.Module:
        """Makes the part for 2 thing classes and 3 regions, small."""
        raise NotImplementedError

    def test_losses_are_finite_scalars_with_a_gradient(self):
        network = self.network().train()
        torch.manual_seed(0)
        losses = network(drawn_batch(), moment(network))
        assert losses
        assert all(value.shape == () and torch.isfinite(value) for value in losses.values())
        sum(losses.values()).backward()
        learning = [p.grad for p in network.parameters() if p.grad is not None]
        assert any(bool((gradient != 0).any()) for gradient in learning)

    def test_modes_are_chosen_in_a_chain(self):
        network = self.network()
        assert network.train() is network
        assert network.train().eval() is network
        assert not any(part.training for part in network.modules())

    @pytest.mark.parametrize("size", [None, (30, 50)])
    def test_a_prediction_has_the_size_asked_for(self, size):
        found = self.network().predict(drawn_batch()["image"], size)
        height, width = size or SIZE
        logits = found["semantic_logits"]
        assert (logits.shape, logits.dtype) == (
            (2, self.num_logits, height, width), torch.float32,
        )  # fmt: skip
        assert not logits.requires_grad
        assert len(found["detections"]) == 2
        for objects in found["detections"]:
            number = len(objects["scores"])
            assert (objects["masks"].shape, objects["masks"].dtype) == (
                (number, height, width), torch.bool,
            )  # fmt: skip
            assert objects["boxes"].shape == (number, 4)
            assert objects["classes"].dtype == torch.int64
            assert ((objects["classes"] >= 0) & (objects["classes"] < NUM_THINGS)).all()
            assert ((objects["scores"] >= 0) & (objects["scores"] <= 1)).all()
            assert (objects["scores"].diff() <= 0).all()

    @pytest.mark.parametrize("training", [True, False])
    def test_predicting_changes_nothing(self, training):
        network, image = self.network().train(training), drawn_batch()["image"]
        before = {name: value.clone() for name, value in network.state_dict().items()}
        once, again = network.predict(image), network.predict(image)
        assert network.training == training
        assert torch.equal(once["semantic_logits"], again["semantic_logits"])
        for name, value in network.state_dict().items():
            assert torch.equal(value, before[name]), name

    def test_weights_make_another_network_the_same(self):
        network, other = self.network(), self.network()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.01)
        other.load_state_dict(network.state_dict())
        image = drawn_batch()["image"]
        seen = (one.predict(image)["semantic_logits"] for one in (network, other))
        assert torch.equal(*seen)

    def test_it_learns_and_predicts_on_the_device_of_its_images(self):
        batch = drawn_batch()
        with FakeCuda():
            network = self.network().train().to("cuda")
            sum(network(on("cuda", batch), moment(network)).values()).backward()
            assert any(p.grad is not None and p.grad.is_cuda for p in network.parameters())
            found = network.predict(batch["image"].cuda())
            assert found["semantic_logits"].is_cuda
            assert all(value.is_cuda for one in found["detections"] for value in one.values())
