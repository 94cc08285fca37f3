import pytest

from relief.metrics.protocols import CUPS, PANOPTICAPI, PROTOCOLS, SEED, panoptic_protocol


def test_there_are_three_by_name():
    assert PROTOCOLS == {"panopticapi": PANOPTICAPI, "cups": CUPS, "seed": SEED}
    assert panoptic_protocol("seed") is SEED
    with pytest.raises(ValueError, match="panopticapi, cups, seed"):
        panoptic_protocol("coco")


def test_only_the_seed_drops_small_segments_and_pools():
    assert (SEED.min_stuff_px, SEED.min_thing_px, SEED.pools_segments) == (64, 10, True)
    assert all(p.min_stuff_px == p.min_thing_px == 0 for p in (PANOPTICAPI, CUPS))
    assert not PANOPTICAPI.forgives_predicted_void and CUPS.forgives_predicted_void
