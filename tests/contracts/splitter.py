"""What every splitter must do; its test inherits this class and makes `splitter`."""

import dataclasses

import pytest
import torch

from relief.schema.observation import Observation
from relief.schema.parts import Splitter
from tests.fake_cuda import FakeCuda, on

THINGS = torch.tensor([False, True, True, False])


def drawn_observation(batch: int = 3, height: int = 48, width: int = 80, seed: int = 0):
    """Blocks of ids at random depths, some ignored; nothing of it is easy."""
    generator = torch.Generator().manual_seed(seed)
    blocks = torch.randint(-1, 4, (batch, height // 8, width // 8), generator=generator)
    levels = torch.rand(batch, 1, height // 6 + 1, width // 6 + 1, generator=generator)
    depth = levels.repeat_interleave(6, -2).repeat_interleave(6, -1)[..., :height, :width]
    return Observation(
        semantic=blocks.repeat_interleave(8, -2).repeat_interleave(8, -1),
        things=THINGS,
        depth=depth.contiguous(),
        image=torch.rand(batch, 3, height, width, generator=generator),
        features=torch.rand(batch, 5, height // 8, width // 8, generator=generator),
    )


class SplitterContract:
    """Instances lie within thing regions, are numbered by falling area, and never surprise.

    Attributes:
        masks_may_overlap: Areas count before overlaps are settled; a number may lose all pixels.
    """

    masks_may_overlap = False

    def splitter(self) -> Splitter:
        """Makes the part with settings that leave objects in images of 48x80."""
        raise NotImplementedError

    def test_instances_are_numbered_by_falling_area_within_each_image(self):
        observation = drawn_observation()
        split = self.splitter().split(observation)
        assert split.instance.shape == observation.semantic.shape
        assert split.instance.dtype == torch.int64
        for instance in split.instance:
            ids, areas = instance[instance > 0].unique(return_counts=True)
            assert len(ids) > 1
            if self.masks_may_overlap:
                continue
            assert ids.tolist() == list(range(1, len(ids) + 1))
            assert (areas.diff() <= 0).all()

    def test_an_instance_lies_in_things_of_one_id(self):
        observation = drawn_observation()
        instance = self.splitter().split(observation).instance
        inside = instance > 0
        ids = observation.semantic[inside]
        assert (ids >= 0).all()
        assert observation.things[ids].all()
        for image in range(len(instance)):
            for number in instance[image].unique()[1:]:
                mask = instance[image] == number
                assert len(observation.semantic[image][mask].unique()) == 1

    def test_confidence_lies_between_0_and_1_or_is_not_given(self):
        split = self.splitter().split(drawn_observation())
        if split.confidence is not None:
            assert split.confidence.shape == split.instance.shape
            assert split.confidence.dtype == torch.float32
            assert 0 <= float(split.confidence.min()) <= float(split.confidence.max()) <= 1

    def test_a_batch_is_split_as_its_images_are_one_by_one_and_again(self):
        observation, splitter = drawn_observation(), self.splitter()
        together = splitter.split(observation).instance
        for index in range(len(together)):
            maps = {
                name: getattr(observation, name)[index : index + 1]
                for name in ("semantic", "depth", "image", "features")
            }
            alone = splitter.split(dataclasses.replace(observation, **maps)).instance
            assert torch.equal(alone[0], together[index])
        assert torch.equal(self.splitter().split(observation).instance, together)

    def test_only_what_it_needs_is_looked_at_and_what_is_missing_is_named(self):
        splitter, observation = self.splitter(), drawn_observation()
        others = {"depth", "image", "features"} - splitter.needs
        bare = dataclasses.replace(observation, **dict.fromkeys(others))
        expected = splitter.split(observation).instance
        assert torch.equal(splitter.split(bare).instance, expected)
        for name in splitter.needs - {"semantic", "things"}:
            with pytest.raises(ValueError, match=f"{type(splitter).__name__} needs {name}"):
                splitter.split(dataclasses.replace(observation, **{name: None}))

    @pytest.mark.parametrize("batch", [0, 2])
    def test_nothing_to_split_gives_no_instance(self, batch):
        observation = drawn_observation(batch)
        nothing = dataclasses.replace(observation, things=torch.zeros(4, dtype=torch.bool))
        instance = self.splitter().split(nothing).instance
        assert instance.shape == (batch, 48, 80)
        assert not instance.any()

    def test_it_answers_on_the_device_of_what_it_is_given(self):
        observation, splitter = drawn_observation(batch=1), self.splitter()
        expected = splitter.split(observation)
        with FakeCuda():
            split = self.splitter().split(on("cuda", observation))
            assert split.instance.is_cuda
            assert torch.equal(split.instance.cpu(), expected.instance)
            if split.confidence is not None:
                assert torch.equal(split.confidence.cpu(), expected.confidence)
