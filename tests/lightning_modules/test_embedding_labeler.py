import pytest
import torch

from lightning_modules.embedding_labeler import EmbeddingLabeler, Embeddings
from lightning_modules.stored_labels import StoredLabels
from relief.schema.errors import UsageError, WeightsError
from relief.schema.manifest import ManifestInputs
from relief.splitters.embedding_clusters import EmbeddingClusters
from tests.lightning_modules.embedding_labels import SEMANTIC, write_checkpoint, write_store


def labeler(folder, groups=(None,), **options):
    checkpoint = write_checkpoint(folder)
    made = EmbeddingLabeler(
        StoredLabels(write_store(folder)),
        [Embeddings(checkpoint, categories) for categories in groups],
        EmbeddingClusters(min_area_px=2),
        short_side_px=16,
        **options,
    )
    made.load_weights()
    made.manifest(ManifestInputs({}, ["x"]))
    return made


def image(edges=(4, 10)):
    """Three vertical stripes of one colour each."""
    picture = torch.zeros(3, 8, 16)
    picture[0, :, edges[0] : edges[1]], picture[1, :, edges[1] :] = 1, 1
    return picture


def labels(made, picture):
    prediction = made.predict_step({"image": picture[None], "key": ["x"]}, 0)
    assert prediction["failures"] == []
    return prediction["records"][0]


@pytest.mark.parametrize("groups", [(None,), ([1], [2])])
def test_regions_are_parted_where_embeddings_differ(tmp_path, groups):
    record = labels(labeler(tmp_path, groups), image())
    category, instance = record.panoptic.unbind(-1)
    assert torch.equal(category, SEMANTIC)
    assert not instance[6:].any()
    parts = [instance[:6, :4].unique(), instance[:6, 4:10].unique(), instance[:6, 10:].unique()]
    assert [len(part) for part in parts] == [1, 1, 1]
    assert sorted(int(part) for part in parts) == [1, 2, 3]


def test_without_a_network_of_its_own_a_category_has_no_objects(tmp_path):
    record = labels(labeler(tmp_path, ([2],)), image())
    assert not record.panoptic[:6, :10, 1].any()
    assert (record.panoptic[:6, 10:, 1] == 1).all()


def test_objects_over_several_categories_are_named_by_most_of_their_pixels(tmp_path):
    picture = image((4, 13))  # the middle object reaches over both categories
    record = labels(labeler(tmp_path, joined=True), picture)
    middle = record.panoptic[:6, 4:12]
    assert (middle[..., 0] == 1).all()
    assert len(middle[..., 1].unique()) == 1
    assert (record.semantic[:6, 4:12] == 1).all()
    (tmp_path / "other").mkdir()
    unpainted = labels(labeler(tmp_path / "other", joined=True, paints=False), picture)
    assert torch.equal(unpainted.semantic, SEMANTIC)
    assert torch.equal(unpainted.panoptic, record.panoptic)


def test_the_manifest_names_networks_and_all_that_they_depended_on(tmp_path):
    manifest = labeler(tmp_path).manifest(ManifestInputs({}, ["x"]))
    assert set(manifest.weights) == {"labels", "embeddings/0"}
    assert manifest.supervision == ("of the semantics", "of the embeddings")
    assert manifest.notes == ("a note",)


def test_wrong_groups_and_networks_without_embeddings_are_refused(tmp_path):
    for number, groups in enumerate((([0],), ([1], None), ([1], [1, 2]))):
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises(UsageError, match="each of one network"):
            labeler(folder, groups)
    plain = write_checkpoint(tmp_path, "torch.nn.Identity")
    made = EmbeddingLabeler(
        StoredLabels(write_store(tmp_path)), [Embeddings(plain)], EmbeddingClusters()
    )
    with pytest.raises(WeightsError):
        made.load_weights()
