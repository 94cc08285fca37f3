import torch

from relief.models.codebooks.codebook import Codebook
from relief.models.labelling.leftovers import BestStuff, LeaveVoid
from relief.models.labelling.panoptic_labels import label_record, panoptic_labels
from relief.schema.observation import Observation, Split
from relief.splitters.connected import ConnectedSplitter
from relief.splitters.depth_gradient import DepthGradientSplitter

GROUPS = torch.tensor([-1, 0, 0, 1])


def codebook() -> Codebook:
    """Clusters 0 stuff, 1 and 2 one group of things, 3 a group of its own."""
    book = Codebook()
    things = torch.tensor([False, True, True, True])
    book.fill(torch.eye(4), things, GROUPS)
    return book


def test_clusters_of_one_group_are_one_object_and_others_are_not():
    semantic = torch.tensor([[0, 1, 2, 2, 3, 3]])
    observation = Observation(semantic=semantic[None], things=codebook().thing_ids)
    regions = observation.regions(codebook().category_groups)
    instance = ConnectedSplitter(1).split(regions).instance
    assert instance.tolist() == [[[0, 1, 1, 1, 2, 2]]]


def test_an_object_has_the_category_of_most_of_its_pixels():
    semantic = torch.tensor([[0, 1, 2, 2, 3, -1]])
    panoptic = panoptic_labels(semantic, None, codebook(), ConnectedSplitter(2), (1, 6))
    assert panoptic[..., 0].tolist() == [[0, 2, 2, 2, 3, -1]]
    assert panoptic[..., 1].tolist() == [[0, 1, 1, 1, 0, 0]]


def test_depth_parts_what_is_split_and_the_map_comes_back_at_its_own_size():
    semantic = torch.ones(16, 32, dtype=torch.int64)
    depth = torch.full((1, 1, 8, 16), 0.2)
    depth[..., 8:] = 0.9
    splitter = DepthGradientSplitter(0.2, 4, sigma=0.5, dilation_px=2)
    panoptic = panoptic_labels(semantic, depth, codebook(), splitter, (8, 16))
    assert panoptic.shape == (16, 32, 2)
    assert (panoptic[..., 0] == 1).all()
    left, right = panoptic[:, :14, 1].unique(), panoptic[:, 18:, 1].unique()
    assert len(left) == len(right) == 1
    assert {int(left), int(right)} == {1, 2}


def test_without_things_everything_is_stuff():
    book = Codebook()
    book.set_centroids(torch.eye(2))
    semantic = torch.tensor([[0, 1]])
    panoptic = panoptic_labels(semantic, None, book, ConnectedSplitter(1), (1, 2))
    assert panoptic.tolist() == [[[0, 0], [1, 0]]]


class SureOfTheLeft(ConnectedSplitter):
    def split(self, observation):
        confidence = torch.zeros(observation.semantic.shape)
        confidence[..., 0] = 1.0
        return Split(super().split(observation).instance, confidence)


def test_confidence_of_a_splitter_reaches_the_record_at_the_size_of_the_map():
    semantic = torch.ones(4, 6, dtype=torch.int64)
    observation = Observation(
        semantic=semantic[None, ::2, ::2], things=torch.tensor([False, True, True, True])
    )
    record = label_record(semantic, observation, GROUPS, SureOfTheLeft(1), LeaveVoid())
    assert record.confidence.tolist() == [[1, 1, 0, 0, 0, 0]] * 4
    assert record.observation is observation
    assert record.scores is None


def test_things_that_no_object_takes_become_the_stuff_that_they_are_like():
    semantic = torch.tensor([[0, 1, 2, 2, 3, -1]])
    stuff = torch.zeros_like(semantic)
    observation = Observation(
        semantic=semantic[None], things=codebook().thing_ids, stuff=stuff[None]
    )
    record = label_record(semantic, observation, GROUPS, ConnectedSplitter(2), BestStuff())
    assert record.panoptic[..., 0].tolist() == [[0, 2, 2, 2, 0, -1]]
    assert torch.equal(record.semantic, semantic)


def test_whoever_says_how_sure_labels_are_sees_what_they_say_and_is_heard():
    semantic = torch.tensor([[0, 1, 1, 3]])
    things, stuff = codebook().thing_ids, torch.zeros(1, 1, 4, dtype=torch.int64)
    observation = Observation(semantic=semantic[None], things=things, stuff=stuff)

    def sure(labelled, instance, split):
        assert labelled.semantic.tolist() == [[[0, 1, 1, 0]]]  # the last became stuff
        assert torch.equal(instance, split.instance[0])
        return torch.where(instance > 0, 0.25, 0.75)

    parts = (GROUPS, SureOfTheLeft(2), BestStuff())
    record = label_record(semantic, observation, *parts, sure)
    assert record.confidence.tolist() == [[0.75, 0.25, 0.25, 0.75]]
    assert label_record(semantic, observation, *parts).confidence.tolist() == [[1, 0, 0, 0]]
