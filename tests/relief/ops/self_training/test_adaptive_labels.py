import torch

from relief.ops.self_training.adaptive_labels import START, class_adaptive_labels, update_prior
from tests.relief.ops.thesis_golden import golden


def test_the_prior_follows_the_batches():
    prior = torch.full((8,), START)
    for batch, after in zip(golden("prior/probabilities"), golden("prior/after"), strict=True):
        prior = update_prior(prior, batch)
        torch.testing.assert_close(prior, after, atol=1e-5, rtol=0)


def test_a_class_that_is_seen_late_gets_its_first_mean_whole():
    """The published code lets it decay from its start and never gives it its mean."""
    prior = torch.full((8,), START)
    batches = golden("prior_late/probabilities")
    for batch, after in zip(batches, golden("prior_late/after_intended"), strict=True):
        before, prior = prior, update_prior(prior, batch)
        assert prior is not before
        torch.testing.assert_close(prior, after, atol=1e-5, rtol=0)
    published = golden("prior_late/after_published")[-1]
    assert not torch.allclose(prior, published, atol=1e-5)


def test_labels_and_thresholds_are_the_published_ones():
    given = golden("thresholds/probabilities"), golden("thresholds/prior")
    labels, confidence, thresholds = class_adaptive_labels(*given, golden("thresholds/ignore"))
    assert torch.equal(labels, golden("thresholds/labels"))
    torch.testing.assert_close(thresholds, golden("thresholds/theta"), atol=1e-6, rtol=0)
    assert torch.equal(confidence, golden("thresholds/confidence"))
    plain = class_adaptive_labels(given[0], None, golden("thresholds/ignore"))[0]
    expected = golden("thresholds/labels_without_prior")
    assert torch.equal(plain, torch.where(expected == 255, -1, expected))


def test_a_probability_at_the_threshold_has_no_label_and_padding_counts_for_the_top():
    probabilities = torch.tensor([[[[0.8, 0.6, 0.6]], [[0.2, 0.4, 0.4]]]], dtype=torch.float64)
    labels, _, thresholds = class_adaptive_labels(probabilities, None, share=0.75)
    assert thresholds.tolist()[0][0] == 0.75 * 0.8
    assert labels.tolist() == [[[0, -1, -1]]]
    padding = torch.tensor([[[True, False, False]]])
    hidden, confidence, same = class_adaptive_labels(probabilities, None, padding, share=0.75)
    assert torch.equal(same, thresholds)
    assert hidden.tolist() == [[[-1, -1, -1]]]
    assert float(confidence[0, 0, 0]) == 0.8
