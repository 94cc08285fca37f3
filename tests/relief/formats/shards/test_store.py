import pytest

from relief.formats.shards.store import (
    Shard,
    ShardFiles,
    choose_shards,
    file_record,
    plan_shards,
    read_record,
    shard_segments,
)
from relief.schema.errors import ReadError, UsageError
from relief.schema.manifest import Manifest


def planned(count=5, size=2):
    images = {f"k{i}": "pending" for i in reversed(range(count))}
    return plan_shards(Manifest(k=3, images=images, shard_size=size))


def test_the_plan_is_the_sorted_keys_so_many_at_a_time():
    assert [shard.keys for shard in planned()] == [("k0", "k1"), ("k2", "k3"), ("k4",)]
    assert plan_shards(Manifest(k=3, images={"k": "pending"})) == []


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [("auto", [0, 1, 2]), ("none", []), ("1", [1]), ("2,0-0", [0, 2]), ("2-99", [2]), ("7", [])],
)
def test_shards_are_chosen_by_numbers(wanted, numbers):
    assert [shard.number for shard in choose_shards(planned(), wanted)] == numbers


@pytest.mark.parametrize("wanted", ["", "few", "1-", "-1", "1;2", "²"])
def test_what_is_no_number_of_shards_is_refused(wanted):
    with pytest.raises(UsageError, match="cannot tell shards"):
        choose_shards(planned(), wanted)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": {".tar": 3}}', '{"files": {}}'])
def test_a_damaged_record_is_none(tmp_path, text):
    shard = Shard(0, ("a",))
    assert read_record(tmp_path, shard) is None
    path = shard.path(tmp_path, ".json")
    path.parent.mkdir()
    path.write_text(text)
    assert read_record(tmp_path, shard) is None


def test_missing_files_are_told(tmp_path):
    shard = Shard(3, ("a",))
    assert file_record(tmp_path / "none") is None
    with pytest.raises(ReadError, match=r"cannot read segments: .*000003.jsonl"):
        list(shard_segments(tmp_path, [shard]))
    with pytest.raises(ReadError, match=r"000003.tar. Make it again with --shards 3"):
        ShardFiles(tmp_path, [shard]).find("a", "panoptic.png")
    with pytest.raises(ReadError, match="no labels of a"):
        ShardFiles(tmp_path, []).find("a", "panoptic.png")
