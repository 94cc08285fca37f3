import torch

from relief.samples.features.nuisance_whitening import fit_whitening, neighbour_scatter, rows


def surfaces(seed=0):
    """Channel 0 tells two halves apart, 1 is light, 2 is noise; all of about the same size."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(4, 3, 12, 12, generator=generator) * 0.1
    features[:, 0, :, 6:] += 1.0
    light = torch.randn(4, generator=generator).view(4, 1, 1)
    features[:, 1] += light
    features[:, 2] = torch.randn(4, 12, 12, generator=generator)
    relit = features.clone()
    relit[:, 1] += torch.randn(4, 1, 1, generator=generator)
    return features, relit


def test_the_first_direction_tells_surfaces_apart():
    features, relit = surfaces()
    whitening = fit_whitening(features, relit, dim=2)
    first = whitening.directions[:, 0] / whitening.directions[:, 0].norm()
    assert first[0].abs() > 0.99
    assert whitening(features).shape == (4, 2, 12, 12)


def test_differences_within_a_surface_have_the_identity_as_scatter():
    features, relit = surfaces()
    whitening = fit_whitening(features, relit, dim=3, light_weight=0.0, kept_pairs=0.8)
    # the same pairs as in the fit: the selection does not depend on the whitening
    scatter = whitening.directions.T @ neighbour_scatter(features, 0.8) @ whitening.directions
    assert torch.allclose(scatter, torch.eye(3), atol=0.02)


def test_the_most_different_neighbours_are_left_out():
    features = torch.zeros(1, 1, 10, 10)
    features[..., 5:] = 100.0
    features += 0.01 * torch.randn(1, 1, 10, 10, generator=torch.Generator().manual_seed(0))
    assert neighbour_scatter(features, 1.0) > 100
    assert neighbour_scatter(features, 0.9) < 0.01


def test_rows_are_patches():
    features = torch.arange(24.0).view(1, 2, 3, 4)
    assert torch.equal(rows(features)[5], features[0, :, 1, 1])
